"""Prompt templates: what is rendered, what is refused, and what the shipped ones hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.filter.answers import grade
from tasks.filter.extract import extract_answer
from tasks.filter.program import complete_function
from tasks.prompts import TEMPLATES, load_template

GOOD = {
    "name": '"t"',
    "preamble": '"Solve.\\n"',
    "example": '"Q: {question}\\nA: {solution}\\n\\n"',
    "query": '"Q: {question}\\nA:"',
    "stop": '["\\n\\n"]',
    "exemplars": '[{question = "one?", solution = "1"}, {question = "two?", solution = "2"}]',
}
SHIPPED = sorted(path.stem for path in TEMPLATES.glob("*.toml"))


def written(folder: Path, **changes: str) -> str:
    fields = {**GOOD, **changes}
    path = folder / "t.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in fields.items() if value))
    return str(path)


def test_rendering_puts_exemplars_before_the_question_and_keeps_its_braces(tmp_path):
    template = load_template(written(tmp_path))
    question = "what is {question} of {solution} in {0}?"
    assert template.render(question, 1) == f"Solve.\nQ: one?\nA: 1\n\nQ: {question}\nA:"
    assert template.render("x", 0) == "Solve.\nQ: x\nA:"
    assert template.render("x", 9).count("Q:") == 3


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("query", "", "query: expected a text"),
        ("query", '"no mark"', r"query: expected a text with \{question\}"),
        ("stop", '"\\n"', "stop: expected a list"),
        ("stop", '[""]', "stop: expected a list"),
        ("example", '"{question} alone"', "example: expected a text with"),
        ("exemplars", '[{question = "one?"}]', "exemplars, number 1: solution"),
        ("shots", "3", "shots: expected no such field"),
        ("name", "[", "not TOML"),
    ],
)
def test_a_bad_field_is_named_with_its_file(tmp_path, field, value, expected):
    with pytest.raises(UserError, match=expected) as caught:
        load_template(written(tmp_path, **{field: value}))
    assert "t.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["preamble", "example", "query", "stop", "exemplars"])
def test_the_digest_tells_every_change_that_can_reach_a_sample(tmp_path, field):
    changed = {
        "preamble": '"Solve it.\\n"',
        "example": '"Q: {question}\\nA:{solution}\\n\\n"',
        "query": '"Question: {question}\\nA:"',
        "stop": '["\\n"]',
        "exemplars": '[{question = "one?", solution = "1"}]',
    }
    first = load_template(written(tmp_path)).digest
    assert load_template(written(tmp_path)).digest == first
    assert load_template(written(tmp_path, **{field: changed[field]})).digest != first


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_exemplar_is_what_a_completion_would_be(name):
    template = load_template(name)
    assert template.name == name
    for one in template.exemplars:
        # Followed by the next example it must end exactly where the stop cuts it.
        shown = template.example.replace("{question}", "x").replace("{solution}", one.solution)
        query = template.query.replace("{question}", "x")
        assert shown.startswith(query)
        after = shown.removeprefix(query) + query
        places = [after.find(stop) for stop in template.stop if stop in after]
        # The body of a function is indented from its first line on.
        assert places and after[: min(places)].strip() == one.solution.strip()


def calculated(text: str) -> list[tuple[str, str]]:
    """Each `a * b = c` of plain numbers in a text, as (left side, right side)."""
    return re.findall(r"(\d[\d.]*(?: [-+*/] \d[\d.]*)+) = (\d+(?:\.\d+)?)", text)


@pytest.mark.parametrize("name", ["gsm8k", "svamp"])
def test_exemplars_calculate_right_and_end_with_what_they_calculated(name):
    for one in load_template(name).exemplars:
        steps = calculated(one.solution)
        assert steps
        for left, right in steps:
            assert eval(left) == pytest.approx(float(right)), one.question
        assert one.solution.endswith(f"The answer is {steps[-1][1]}.")
        assert extract_answer(one.solution) == steps[-1][1]


@pytest.mark.parametrize(
    ("number", "gold"), [(0, "11"), (1, "4"), (2, r"\frac{15}{28}"), (3, "37.5")]
)
def test_boxed_exemplars_pass_the_checker(number: int, gold: str):
    # Gold values worked out apart from the file: t in {1, 10}; 7^50 mod 5; 15 / 28; 6 * 2.5^2.
    solution = load_template("math").exemplars[number].solution
    assert grade(gold, solution).reward == 1.0


@pytest.mark.parametrize("name", SHIPPED)
def test_no_exemplar_is_a_problem_of_a_data_set(name, data):
    import gzip

    texts = [
        gzip.decompress(path.read_bytes()).decode()
        for path in sorted(data.glob("*.jsonl.gz"))
        if path.stem.startswith(("gsm8k", "svamp", "math", "apps", "humaneval"))
    ]
    assert texts
    for one in load_template(name).exemplars:
        start = json.dumps(one.question[:40])[1:-1]
        assert not any(start in text for text in texts)


# Program, what it reads or is called with, what comes of it; worked out apart from the files.
PROGRAMS = [
    ("apps", 0, "4 200\n90 80 70 120\n", "2"),
    ("apps", 0, "5 100\n100 40 60 1 99\n", "3"),
    ("apps", 1, "pepper\n", "10"),
    ("apps", 2, "warmer_days([3, 4, 4, 9, 1])", "2"),
    ("synthetic_code", 0, "2\n1\n", "7"),
    ("synthetic_code", 1, "1 2 3\n", "22 8"),
    ("synthetic_code", 2, "12\n", "144"),
    ("humaneval", 0, "seats_left(2, 3, [(0, 1), (0, 1), (1, 2)])", "4"),
    ("humaneval", 1, "longest_climb([3, 5, 6, 2, 4])", "2"),
]


@pytest.mark.parametrize(("name", "number", "given", "result"), PROGRAMS)
def test_the_exemplars_of_code_run_and_give_the_right_result(name, number, given, result):
    one = load_template(name).exemplars[number]
    program = one.solution
    if name == "humaneval":
        program = complete_function(one.question, program, given.partition("(")[0])
    if "(" in given:
        program += f"\nprint({given})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=given, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (result, "")
