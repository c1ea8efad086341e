"""`restem data check`: what a run would read and ask, and whether its references can be met."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli.data import data_app
from flows.estimate.check_data import DataFacts, check_data, data_config
from tasks.errors import UserError
from tests.needs import lacking
from tests.tasks.chat_parts import save, tokenizer

MATH = [("Add 2 and 3.", "5"), ("Half of 1?", "1/2"), ("Twice 4?", "8"), ("Less than 3?", "x < 3")]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def sums(tmp_path: Path) -> str:
    return write(tmp_path / "a.jsonl", [{"frage": q, "answer": a, "note": 1} for q, a in MATH])


def checked(source: str, *changes: str) -> DataFacts:
    return check_data(data_config(source, "", list(changes)), 2)


def test_what_was_found_is_shown(sums: str, home: Path) -> None:
    facts = checked(sums, "data.columns.question=frage")
    assert facts.rows == {"train": 3, "validation": 0, "test": 1}
    (place,) = facts.places
    assert place.columns == {"question": "frage", "reference": "answer"}
    assert (place.others, place.rows) == (["note"], {"train": 4})
    assert facts.notes == "1 of 4 problems are drawn for test"
    assert [row["id"] for row in facts.first] == [facts.prompt.id, facts.first[1]["id"]]


def test_the_prompt_is_the_one_that_is_sent_with_its_tokens(sums: str, home: Path) -> None:
    facts = checked(sums, "data.columns.question=frage")
    assert facts.prompt.text == f"Q: {facts.first[0]['question']}\nA: "
    # This tokenizer has a token for each character, and one at the start.
    assert facts.prompt.tokens == len(facts.prompt.text) + 1
    assert facts.longest.text == "Q: Less than 3?\nA: " and not facts.no_tokens


def test_a_chat_prompt_is_that_of_the_models_own_template(
    sums: str, home: Path, tmp_path: Path
) -> None:
    policy = save(tmp_path / "policy", "smollm2")
    chat = ("data.columns.question=frage", "model.prompt=chat", f"model.base={policy}")
    facts = checked(sums, *chat, "model.system=Be short.")
    text = facts.prompt.text
    assert facts.first[0]["question"] in text and "Be short." in text and "<|im_start|>" in text
    assert facts.prompt.tokens == len(
        tokenizer("smollm2")(text, add_special_tokens=False)["input_ids"]
    )


def test_a_tokenizer_that_is_elsewhere_is_said(sums: str, home: Path) -> None:
    facts = checked(sums, "data.columns.question=frage", "model.base=nobody/nothing")
    assert facts.prompt.tokens is None
    assert facts.no_tokens == "nobody/nothing is not on this machine yet; its first run brings it"


@pytest.mark.parametrize(
    ("domain", "rows", "failing"),
    [
        ("math", [{"question": q, "answer": a} for q, a in MATH], []),
        (
            "text",
            [{"question": "a", "answer": "Rome"}, {"question": "b", "answer": "two\nlines"}],
            ["two\nlines"],
        ),
        (
            "choice",
            [{"question": c, "options": ["x", "y"], "answer": n} for n, c in enumerate("ab")],
            [],
        ),
    ],
)
def test_references_are_given_to_their_own_checker(
    domain: str, rows: list[dict[str, Any]], failing: list[str], tmp_path: Path, home: Path
) -> None:
    facts = checked(write(tmp_path / "a.jsonl", rows), f"data.domain={domain}")
    assert (facts.tried, facts.passed) == (len(rows), len(rows) - len(failing))
    assert [one.reference for one in facts.failures] == failing
    for one in facts.failures:
        assert one.place == f"{tmp_path / 'a.jsonl'} line 2" and one.status == "wrong_answer"


@pytest.mark.docker
def test_solutions_are_run_against_their_tests(tmp_path: Path, home: Path, image: str) -> None:
    right, wrong = "def f(x):\n    return x + 1", "def f(x):\n    return x"
    check = "def check(candidate):\n    assert candidate(1) == 2\n"
    streams = {"inputs": ["1\n"], "outputs": ["2\n"]}
    head = 'def f(x):\n    """Add one."""\n'
    rows = [
        {"question": "asserts", "tests": ["assert f(1) == 2"], "solution": right},
        {"question": "wrong", "tests": ["assert f(1) == 2"], "solution": wrong},
        {"question": "check", "tests": check, "entry_point": "f", "solution": right},
        {"question": head, "tests": check, "entry_point": "f", "solution": "    return x + 1"},
        {"question": "streams", "tests": streams, "solution": "print(int(input()) + 1)"},
        {"question": "none", "tests": streams},
    ]
    facts = checked(write(tmp_path / "a.jsonl", rows), "data.domain=code")
    if facts.not_checked:
        lacking(facts.not_checked)
    assert (facts.tried, facts.passed, facts.untried) == (5, 4, 1)
    (failure,) = facts.failures
    assert failure.place.endswith("a.jsonl line 2")


def test_the_command_shows_it_and_json_has_all(sums: str, home: Path) -> None:
    flags = ["check", sums, "--set", "data.columns.question=frage"]
    shown = CliRunner().invoke(data_app, flags)
    assert shown.exit_code == 0
    assert re.search(r"^train +3$", shown.output, re.MULTILINE)
    assert "4 of 4 references pass their own checker" in shown.output
    found = json.loads(CliRunner().invoke(data_app, [*flags, "--json"]).output)
    assert found == checked(sums, "data.columns.question=frage").to_json()


def test_a_failing_reference_ends_it_with_1_and_is_named(tmp_path: Path, home: Path) -> None:
    rows = [{"question": "a", "answer": "x\ny"}, {"question": "b", "answer": "z"}]
    source = write(tmp_path / "a.jsonl", rows)
    shown = CliRunner().invoke(data_app, ["check", source, "--set", "data.domain=text"])
    assert shown.exit_code == 1
    assert f"{source} line 1: x y: wrong_answer" in shown.output
    assert "1 of 2 references pass" in shown.output


def test_a_configuration_says_the_rest(sums: str, home: Path) -> None:
    config = data_config(sums, "math-demo", ["data.columns.question=frage", "data.validation=1"])
    assert (config.data.source, config.data.train_limit) == (sums, 1500)
    assert data_config("", "math-demo", []).data.train == "synthetic_math"


def test_nothing_to_check_is_a_mistake() -> None:
    with pytest.raises(UserError, match="SOURCE: expected a file"):
        data_config("", "", [])
