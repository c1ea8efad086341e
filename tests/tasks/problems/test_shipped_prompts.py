"""The shipped prompt templates: their exemplars are right, and what a completion would be."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tasks.prompts import TEMPLATES, load_template
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.grade import grade

SHIPPED = sorted(path.stem for path in TEMPLATES.glob("*.toml"))
# The exemplars of templates with subjects are seen to in test_bbh_prompts.py.
WITH_EXEMPLARS = [name for name in SHIPPED if load_template(name).exemplars]
CHATS = {name for name in SHIPPED if load_template(name).form == "chat"}


def test_humaneval_is_asked_as_its_authors_ask_it():
    """The head alone, whatever the number of shots, and their five stop strings."""
    template = load_template("humaneval")
    head = 'def f(x):\n    """Add one."""'
    assert template.render(head, 5) == f"{head}\n"
    assert set(template.stop) == {"\nclass", "\ndef", "\n#", "\nif", "\nprint"}


def test_the_exemplar_of_the_exam_is_right():
    (one,) = load_template("hungarian").exemplars
    (width,) = (x for x in range(1, 113) if x * (x + 6) == 112)
    assert grade(str(2 * (width + width + 6)), one.solution).reward == 1.0


def test_templates_have_the_names_of_their_files():
    assert [load_template(name).name for name in SHIPPED] == SHIPPED
    assert {"gsm8k", "hungarian", "math"} <= set(WITH_EXEMPLARS)


@pytest.mark.parametrize("name", sorted({*WITH_EXEMPLARS} - CHATS))
def test_a_shipped_exemplar_is_what_a_completion_would_be(name):
    template = load_template(name)
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


@pytest.mark.parametrize("name", ["gsm8k", "svamp", "svamp_chat"])
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


@pytest.mark.parametrize("name", WITH_EXEMPLARS)
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
    ("svamp_code", 0, "", "8"),
    ("svamp_code", 1, "", "84"),
    ("svamp_code", 2, "", "54"),
    ("svamp_code", 3, "", "5.0"),
]


@pytest.mark.parametrize(("name", "number", "given", "result"), PROGRAMS)
def test_the_exemplars_of_code_run_and_give_the_right_result(name, number, given, result):
    one = load_template(name).exemplars[number]
    program = one.solution
    if "(" in given:
        program += f"\nprint({given})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=given, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (result, "")
