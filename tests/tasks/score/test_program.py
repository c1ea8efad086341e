"""Finding the program in a completion: a table of texts, and what any text must leave true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.problems.loading import load_split
from tasks.prompts import load_template
from tasks.score.code.program import complete_function, extract_program

CASES = json.loads((Path(__file__).parents[1] / "problems" / "code_rows.json").read_text())
HEAD = 'import math\n\ndef f(x):\n    """Add."""\n'


@pytest.mark.parametrize(("why", "text", "program"), CASES["programs"], ids=lambda c: c[:40])
def test_program_in_a_text(why: str, text: str, program: str) -> None:
    assert extract_program(text) == program


@pytest.mark.parametrize(("why", "text", "program"), CASES["bodies"], ids=lambda c: c[:40])
def test_function_from_a_head_and_a_text(why: str, text: str, program: str) -> None:
    assert complete_function(HEAD, text, "f") == program


@pytest.mark.parametrize("name", ["apps", "synthetic_code"])
def test_the_exemplars_are_their_own_programs(name: str) -> None:
    for one in load_template(name).exemplars:
        assert extract_program(one.solution) == one.solution + "\n"


@given(st.lists(st.sampled_from(["```", "```python", "x=1", "", "  ", "def f(x):", "\n"])))
def test_a_program_is_lines_of_the_text_and_has_no_blank_end(lines: list[str]) -> None:
    text = "\n".join(lines)
    program = extract_program(text)
    assert program.rstrip("\n") in text
    assert not program or (program.endswith("\n") and program.strip())


def test_humaneval_solutions_compile_with_their_heads(data: Path) -> None:
    rows = list(load_split("humaneval", "test", source=str(data)))
    assert len(rows) == 164
    for row in rows:
        name = json.loads(row["reference"])["entry_point"]
        # As a model would go on: the body, then the next thing.
        text = row["solution"] + "\n\n\ndef another():\n    syntax error"
        program = complete_function(row["question"], text, name)
        compile(program, row["id"], "exec")
        assert program.split() == f"{row['question']}\n{row['solution']}".split()


def test_apps_solutions_are_found_in_prose(data: Path) -> None:
    rows = [row for row in load_split("apps", "train", source=str(data)) if row["solution"]]
    assert len(rows) > 100
    for row in rows:
        text = f"Let us see.\n\n```python\n{row['solution']}\n```\nThat is all.\n"
        assert extract_program(text).split() == row["solution"].split()
