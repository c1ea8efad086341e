"""The checker's rules on cases of our own; each case also the other way round."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.decide import decide, same_answer
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.grade import grade
from tasks.score.math.parse.syntax import Refused

CASES = json.loads((Path(__file__).parent / "answers_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("gold", "prediction", "same"), CASES)
def test_case_and_its_mirror(gold, prediction, same):
    assert (grade(gold, prediction).status is Status.CORRECT) is same
    assert (grade(prediction, gold).status is Status.CORRECT) is same


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{1} and then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{12} but then \boxed{unbalanced {", "12"),
        (r"nested \boxed{\boxed{7}}", "7"),
        (r"a set \boxed{\{1,2\}}", r"\{1,2\}"),
        ("8*2=16\n#### 16", "16"),
        ("#### 16\nand #### 1,700\n", "1,700"),
        ("The answer is 3. No, the answer is 4.", "4"),
        ("So the final answer is: $\\frac{3}{4}$. I hope it is correct.", "$\\frac{3}{4}$"),
        ("the answer is 12.5.", "12.5"),
        ("The answer is $18$ because nine and nine make it.", "18"),
        ("She had 5 and got 4, so she has 9 apples left now.", "9"),
        ("Work.\nAnswer: 42", "42"),
        ("Work with 3 and 4.\n\n7", "7"),
        ("She has 18 left", "18 left"),
        ("It is $\\frac{1}{2}$", "$\\frac{1}{2}$"),
        ("The answer is about 18.", "about 18"),
        ("The answer is exactly 18.", "18"),
        ("The answer is June 20.", "June 20"),
        ("She pays $1,234.50 in the end for it", "$1,234.50"),
        ("no idea what to do about this one", ""),
        ("", ""),
    ],
)
def test_extraction_order(text, answer):
    assert extract_answer(text) == answer


def test_solutions_on_both_sides():
    gold = "Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 72"
    assert grade(gold, "She sold 24, together 72 clips.\nThe answer is 72.").reward == 1.0
    assert grade(gold, "She sold 24, together 71 clips.\nThe answer is 71.").reward == 0.0


def test_prose_without_an_answer_is_said():
    assert grade("72", "I do not know how to do it").status is Status.NO_ANSWER


def test_cheap_rules_settle_plain_pairs_without_a_process():
    assert all(decide("18", text) is not None for text in ("18", "17", "18 apples", "x", "9+9"))


def test_a_broken_limit_is_not_a_wrong_answer():
    assert grade("5", "2^{99999999}").status is Status.CHECKER_ERROR


@pytest.mark.slow
def test_damaged_answers_raise_nothing_and_both_sides_agree():
    draw = random.Random(0)
    pieces = [*r"{}()[]\^_/.,$%!=|1x &:°-", r"\frac", r"\sqrt", r"\text{", r"\pm", r"\cup", r"\\"]

    def damaged(text):
        signs = list(text)
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(signs) + 1)
            signs[at : at + draw.randint(0, 2)] = draw.choice(
                [[draw.choice(pieces)], [], signs[:9]]
            )
        return "".join(signs)

    def outcome(a, b):
        try:
            return same_answer(a, b)
        except Refused:
            return "refused"

    outcomes = set()
    for gold, _, _ in CASES * 30:
        pair = damaged(gold), damaged(gold)
        outcomes.add(outcome(*pair))
        assert outcome(*pair) == outcome(*reversed(pair)), pair
    assert outcomes >= {True, False, None}


def test_importing_the_checker_loads_no_heavy_library():
    code = (
        "import sys, tasks.score.math.decide, tasks.score.math.pool; "
        "sys.exit(bool({'torch', 'prefect', 'sympy', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
