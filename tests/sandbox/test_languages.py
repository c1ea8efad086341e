"""Problems in C++, with judges, and with lists or trees: from a row and a sample to a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.images import IMAGES
from sandbox.pool import SandboxPool
from sandbox.verdict import Limits
from tasks.errors import UserError
from tasks.rows import Json
from tasks.score.code.conditions import Conditions
from tasks.score.code.pool import CodePool
from tasks.score.code.program import extract_program
from tasks.score.step import CODE_RULES, sandbox_settings
from tasks.settings import ExecutionSettings
from tests.sandbox.images import image_of
from tests.tasks.problems.test_file_rows import row_of

SUM = {"inputs": ["1 2\n", "4 5\n"], "outputs": ["3\n", "9\n"]}
CPP = "#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b; }\n"
JUDGE = "print(6)\nassert int(input()) == 12\n"
STARTER = "class Solution:\n    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:\n"
SECOND = "class Solution:\n    def f(self, head):\n        return head.next\n"
LIMITS = Limits(cpu=1.0, memory=256 * 2**20)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (f"So:\n```cpp\n{CPP}```\nDone.", CPP),
        (f"```python\nprint(1)\n```\nIn C++:\n```c++\n{CPP}```", CPP),
        (f"```cpp\nint x;\n```\n```C++17\n{CPP}```", CPP),
        (f"```\n{CPP}```", CPP),
        (f"{CPP}\n```", CPP),
        (f"```cpp\n{CPP}", CPP),
    ],
)
def test_the_block_of_the_language_is_the_program(text: str, program: str):
    assert extract_program(text, language="cpp") == program


def test_a_block_of_python_comes_first_where_python_is_asked_for():
    text = f"```cpp\n{CPP}```\n```python\nprint(1)\n```"
    assert extract_program(text) == "print(1)\n"


def test_settings_stand_in_no_key_at_their_default():
    assert sandbox_settings(ExecutionSettings()) == {
        **{"time_limit": 4.0, "memory_mb": 512, "rules": CODE_RULES},
        "image": IMAGES["standard"].tag,
    }
    chosen = sandbox_settings(ExecutionSettings(language="cpp", image="cpp"))
    assert (chosen["language"], chosen["image"]) == ("cpp", IMAGES["cpp"].tag)


def test_cpp_asks_for_an_image_that_has_a_compiler():
    with pytest.raises(ValidationError, match="standard has no C\\+\\+ compiler; expected cpp"):
        ExecutionSettings(language="cpp")


def of_file(tmp_path: Path, row: Json) -> str:
    return row_of(tmp_path, "code", {"question": "q", **row})["reference"]


def grades(pool: SandboxPool, reference: str, texts: list[str], language: str = "python"):
    programs = CodePool(
        pool,
        LIMITS,
        "correct",
        Conditions(LIMITS, language="cpp" if language == "cpp" else "python"),
    )
    return [grade.status.value for grade, _ in programs.grade((reference, one) for one in texts)]


@pytest.fixture(scope="module")
def compiling(tmp_path_factory: pytest.TempPathFactory):
    lock = tmp_path_factory.getbasetemp().parent / "image-cpp.lock"
    with SandboxPool(image_of("cpp", str(lock)), workers=1) as pool:
        yield pool


@pytest.mark.docker
def test_samples_in_cpp_are_judged(compiling: SandboxPool, tmp_path: Path):
    by_row = of_file(tmp_path, {"tests": {**SUM, "language": "cpp"}})
    assert json.loads(by_row)["language"] == "cpp"
    texts = [f"```cpp\n{CPP}```", CPP.replace("a + b", "a"), "```cpp\nint main( {}\n```", ""]
    expected = ["correct", "wrong_answer", "compile_error", "no_answer"]
    assert grades(compiling, by_row, texts) == expected
    assert grades(compiling, of_file(tmp_path, {"tests": SUM}), texts, "cpp") == expected


@pytest.mark.docker
def test_a_function_cannot_be_called_in_cpp(compiling: SandboxPool):
    reference = json.dumps({"entry_point": "f", "cases": [{"args": [1], "expected": 2}]})
    with pytest.raises(UserError, match="cannot be called in C"):
        grades(compiling, reference, [CPP], "cpp")


def test_a_judge_of_a_row_talks_to_samples(pool: SandboxPool, tmp_path: Path):
    reference = of_file(tmp_path, {"tests": {"judge": JUDGE, "inputs": ["", ""]}})
    texts = ["```python\nprint(int(input()) * 2)\n```", "print(int(input()))"]
    assert grades(pool, reference, texts) == ["correct", "wrong_answer"]


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ({"judge": "print(", "inputs": [""]}, "'judge'"),
        ({"judge": JUDGE, "inputs": []}, "'inputs'"),
        ({"judge": JUDGE, "inputs": [1]}, "'inputs'"),
        ({**SUM, "language": "rust"}, "'language'"),
    ],
)
def test_a_row_that_is_none_says_its_field(tests: Json, said: str, tmp_path: Path):
    with pytest.raises(UserError, match=said):
        of_file(tmp_path, {"tests": tests})


def test_the_starter_code_says_what_is_a_list(pool: SandboxPool, tmp_path: Path):
    tests = {"fn_name": "f", "inputs": [[[1, 2, 3]], [[1]]], "outputs": [[2, 3], []]}
    reference = of_file(tmp_path, {"tests": tests, "starter_code": STARTER})
    assert json.loads(reference)["signature"].strip() == STARTER.strip()
    assert grades(pool, reference, [SECOND, STARTER + "        return head"]) == [
        *("correct", "wrong_answer"),
    ]
