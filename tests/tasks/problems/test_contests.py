"""LiveCodeBench, CodeContests and open-r1/codeforces are read in their own form."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits
from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.own.load import OwnProblems
from tasks.problems.own.plain_pickle import NotPlain, read_plain_pickle
from tasks.problems.ungradable import LeftOut, describe
from tasks.rows import Json, Row
from tasks.score.code.pool import CodePool
from tasks.settings import DataSettings

Write = Callable[[Path, list[Json]], Path]


def packed(tests: object) -> str:
    """Tests as LiveCodeBench hides them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def case(given: str, output: str, kind: str = "stdin") -> Json:
    return {"input": given, "output": output, "testtype": kind}


STREAM: Json = {
    "question_title": "Sum",
    "question_content": "Print the sum of two numbers.",
    "platform": "atcoder",
    "question_id": "abc1_a",
    "contest_date": "2024-01-01T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([case("1 2\n", "3\n")]),
    "private_test_cases": packed([case("4 5\n", "9\n")]),
    "metadata": "{}",
}
CALL: Json = {
    **STREAM,
    "question_content": "Count the letters of a text that are in a list.",
    "question_id": "2001",
    "starter_code": "class Solution:\n    def count(self, text: str, some: List[str]) -> int:",
    "public_test_cases": json.dumps([case('"abc"\n["a", "b"]', "2", "functional")]),
    "private_test_cases": json.dumps([case('"x\\n"\n[]\n', "0", "functional")]),
    "metadata": json.dumps({"func_name": "count"}),
}
CONTEST: Json = {
    "name": "1_A. Sum",
    "description": "Print the sum of two numbers.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["4 5\n"], "output": ["9\n"]},
    "generated_tests": {"input": ["5 6\n", "7 8\n"], "output": ["11\n", "15\n"]},
    "source": 2,
    "difficulty": 7,
    "solutions": {
        "language": [2, 1, 3, 3],
        "solution": ["int main(){}", "print 3", "print(sum(map(int, input().split())))", "1"],
    },
    "time_limit": {"seconds": 2, "nanos": 500_000_000},
    "memory_limit_bytes": 256_000_000,
    "input_file": "",
    "output_file": "",
}
FORCES: Json = {
    "id": "1/A",
    "prompt": "Print two numbers with the given sum.",
    "description": "Two numbers.",
    "time_limit": 1.0,
    "memory_limit": 256.0,
    "official_tests": [{"input": "5", "output": "0 5"}, {"input": "9", "output": "0 9"}],
    "generated_checker": "import sys\n"
    "a, _, c = (open(n).read().split() for n in sys.argv[1:])\n"
    "print(int(len(c) == 2 and sum(map(int, c)) == int(a[0])))\n",
}


def as_lines(path: Path, rows: list[Json]) -> Path:
    path = path.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_parquet(path: Path, rows: list[Json]) -> Path:
    path = path.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


EITHER = pytest.mark.parametrize("write", [as_lines, as_parquet])


def read(source: Path, left_out: LeftOut | None = None, **more: Any) -> list[Row]:
    given = {"train": "file", "source": str(source), "domain": "code", "validation": 0, **more}
    settings = DataSettings.model_validate({"test": "synthetic_code", "test_limit": 1, **given})
    own: list[OwnProblems] = []
    rows = prepare_splits(settings, left_out, own)["train"]
    return sorted(rows, key=lambda row: row["id"])


@EITHER
def test_livecodebench(tmp_path: Path, write: Write) -> None:
    call, stream = read(write(tmp_path / "test6", [STREAM, CALL]))
    assert json.loads(stream["reference"]) == {
        "tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "4 5\n", "output": "9\n"}]
    }
    assert json.loads(call["reference"]) == {
        "entry_point": "count",
        "cases": [
            {"args": ["abc", ["a", "b"]], "expected": 2},
            {"args": ["x\n", []], "expected": 0},
        ],
    }
    assert [call["id"], stream["id"]] == ["file/2001", "file/abc1_a"]
    assert call["question"].endswith(CALL["starter_code"])
    assert stream["question"] == STREAM["question_content"]
    assert call["level"] == "easy"


@EITHER
def test_codecontests(tmp_path: Path, write: Write) -> None:
    [row] = read(write(tmp_path / "a", [CONTEST]))
    reference = json.loads(row["reference"])
    assert [test["input"] for test in reference["tests"]] == ["1 2\n", "4 5\n", "5 6\n", "7 8\n"]
    assert reference["tests"][3]["output"] == "15\n"
    assert (reference["time_limit"], reference["memory_mb"]) == (2.5, 244)
    assert row["id"] == "file/1_A. Sum"
    assert row["solution"] == CONTEST["solutions"]["solution"][2]


@EITHER
def test_codeforces_of_open_r1(tmp_path: Path, write: Write) -> None:
    [row] = read(write(tmp_path / "a", [FORCES]))
    reference = json.loads(row["reference"])
    assert reference["checker"] == FORCES["generated_checker"]
    assert (reference["time_limit"], reference["memory_mb"]) == (1.0, 256)
    assert row["question"] == FORCES["prompt"]


def test_limits_that_are_not_known_are_the_run_s(tmp_path: Path) -> None:
    unknown = [None, {"seconds": 0, "nanos": 0}]
    rows = [
        {**CONTEST, "name": str(n), "description": f"d{n}", "time_limit": one}
        | {"memory_limit_bytes": 0}
        for n, one in enumerate(unknown)
    ]
    for row in read(as_lines(tmp_path / "a", rows)):
        assert json.loads(row["reference"]).keys() == {"tests"}


def test_rows_that_cannot_be_graded_are_left_out_and_counted(tmp_path: Path) -> None:
    none = {"input": [], "output": []}
    empty = {"public_tests": none, "private_tests": none, "generated_tests": None}
    rows = [
        CONTEST,
        {**CONTEST, "name": "b", "description": "b", "input_file": "in.txt"},
        {**CONTEST, "name": "c", "description": "c", **empty},
    ]
    left_out: LeftOut = {}
    assert len(read(as_lines(tmp_path / "a", rows), left_out)) == 1
    assert describe(left_out, {}) == (
        "1 row left out: no tests, 1 row left out: programs that read or write named files"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {**STREAM, "public_test_cases": "no"},
            "field 'public_test_cases': expected a list of obj",
        ),
        ({**STREAM, "public_test_cases": "[3]"}, "field 'public_test_cases': expected a list of o"),
        (
            {**STREAM, "private_test_cases": STREAM["private_test_cases"][:-8]},
            "field 'private_test_cases': expected",
        ),
        (
            {**STREAM, "private_test_cases": packed([{"input": 3, "output": ""}])},
            "field 'private_test_cases': expected a text in 'input' of each test",
        ),
        (
            {**CALL, "metadata": "{}"},
            "field 'metadata': expected the name of the function that the tests call",
        ),
        ({**CALL, "metadata": "["}, "field 'metadata': expected JSON of an object"),
        ({**CALL, "metadata": '{"func_name": "a b"}'}, "field 'metadata': expected an object with"),
        (
            {**CALL, "private_test_cases": json.dumps([case("x y", "1", "functional")])},
            "field 'private_test_cases': expected values in JSON, a line each",
        ),
        (
            {**CALL, "private_test_cases": json.dumps([case("1", "1")])},
            "field 'public_test_cases': expected tests that are all of type stdin",
        ),
        (
            {**CONTEST, "private_tests": {"input": ["1"], "output": []}},
            "field 'private_tests': expected an object with the lists 'input' and 'output'",
        ),
        ({**CONTEST, "private_tests": 3}, "field 'private_tests': expected a list of objects"),
        ({**CONTEST, "time_limit": -1}, "field 'time_limit': expected seconds, a number above 0"),
        (
            {**CONTEST, "memory_limit_bytes": 5},
            "field 'memory_limit_bytes': expected memory in bytes, from 1 MB",
        ),
        (
            {**CONTEST, "solutions": {"language": [3], "solution": []}},
            "field 'solutions': expected an object with the lists 'language' and 'solution'",
        ),
        (
            {**FORCES, "generated_checker": "#include <testlib.h>\nint main() {}"},
            "field 'generated_checker': expected the source of a checker in Python, not",
        ),
    ],
)
def test_a_malformed_row_is_named_with_its_field(tmp_path: Path, row: Json, said: str) -> None:
    path = as_lines(tmp_path / "a", [row])
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} line 1: {said}")
    assert "\n" not in str(caught.value)


class Evil:
    """A pickle of it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_does_anything_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps([Evil(tmp_path / "made")], protocol)
    hidden = base64.b64encode(zlib.compress(data)).decode()
    with pytest.raises(UserError, match="field 'private_test_cases': expected a pickle of plain"):
        read(as_lines(tmp_path / "a", [{**STREAM, "private_test_cases": hidden}]))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"no pickle",
        b"cos\nsystem\n.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02\x82\x01.",  # an extension
        b"Pid\n.",  # something outside of it
        b"\x80\x02]r\xff\xff\xff\x7f.",  # memory without end
        b"\x80\x02Np-1\n.",
        b"\x80\x02\x8a\xff" + b"\x01" * 10,
        pickle.dumps(b"bytes"),
        pickle.dumps({1, 2}),
        pickle.dumps((1, 2)),
        pickle.dumps(Path("x")),
    ],
)
def test_only_plain_data_is_unpickled(data: bytes) -> None:
    with pytest.raises(NotPlain):
        read_plain_pickle(data)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_is_read_in_every_protocol(protocol: int) -> None:
    value = ["text", "ü" * 300, {"a": [1, 2.5, None, True, 10**30, -5]}, {}, []]
    assert read_plain_pickle(pickle.dumps(value, protocol)) == value


def test_packed_tests_cannot_be_without_end(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tasks.problems.own.contests.MAX_UNPACKED", 2**20)
    bomb = base64.b64encode(zlib.compress(b"\0" * 2**24)).decode()
    with pytest.raises(UserError, match="expected tests of at most 1 MB"):
        read(as_lines(tmp_path / "a", [{**STREAM, "private_test_cases": bomb}]))


@pytest.mark.docker
def test_programs_pass_and_fail_them_in_the_sandbox(image: str, tmp_path: Path) -> None:
    rows = {
        row["question"][:12]: row["reference"]
        for one in ([STREAM, CALL], [FORCES])
        for row in read(as_lines(tmp_path / "a", one))
    }
    programs = [
        ("Print the su", "print(sum(map(int, input().split())))", "correct"),
        ("Print the su", "print(3)", "wrong_answer"),
        (
            "Count the le",
            "class Solution:\n  def count(self, text, some: List[str]):\n"
            "    return sum(a in some for a in text)",
            "correct",
        ),
        ("Count the le", "class Solution:\n  def count(self, a, b): return 2", "wrong_answer"),
        ("Print two nu", "n = int(input())\nprint(n - 1, 1)", "correct"),
        ("Print two nu", "n = int(input())\nprint(n - 1, 2)", "wrong_answer"),
    ]
    pairs = [(rows[key], f"```python\n{program}\n```") for key, program, _ in programs]
    with SandboxPool(image, workers=2) as pool:
        found = [grade.status.value for grade, _ in CodePool(pool, Limits()).grade(pairs)]
    assert found == [status for *_, status in programs]
