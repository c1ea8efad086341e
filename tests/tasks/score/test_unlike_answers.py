"""Real answers against each other: none is equal to another that is not."""

import gzip
import json
import os
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.pool import GradePool

DATA = os.environ.get("RESTEM_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="RESTEM_DATA is not set"),
]

# Each with its neighbours in the alphabet, which are most alike, and with others.
NEIGHBOURS, OTHERS = 8, 4
# What a unit, a base or a percent sign is by policy, and what is only spelling.
_BESIDE = re.compile(
    r"\\(?:text|textnormal|mbox|mathrm)\s*\{[^{}]*\}(?:\^\{?\d\}?)?|\^\{?\\circ\}?|\\?%|_\{?\d+\}?|\\\$|"
    r"\\[!,; ]|\\left|\\right|[\s{}$]|[.,]$|(?<=\d),(?=(?:\\!)?\d{3})"
)
# Equal in value, and spelled otherwise than the rule above sees.
EQUAL = {("137 \\frac{1}{2}", "137.5\\text{ degrees}"), ("0,4", "0.4")}


def same_by_spelling(a, b):
    """Whether two answers differ only in spelling, a unit or a final zero."""
    bare = [_BESIDE.sub("", one.replace("\\dfrac", "\\frac")) for one in (a, b)]
    try:
        return Fraction(bare[0]) == Fraction(bare[1])
    except (ValueError, ZeroDivisionError):
        return bare[0] == bare[1]


def test_none_is_equal_to_another():
    with gzip.open(Path(DATA or "") / "math_answers.jsonl.gz", "rt", encoding="utf-8") as lines:
        answers = sorted({json.loads(line)["answer"] for line in lines} - {""})
    draw = random.Random(17)
    pairs = [
        (one, other)
        for at, one in enumerate(answers)
        for other in (*answers[at + 1 : at + 1 + NEIGHBOURS], *draw.choices(answers, k=OTHERS))
        if one != other
    ]
    assert len(pairs) > 50_000
    with GradePool(workers=1, time_limit=10.0) as pool:
        grades = [grade for grade, _ in pool.grade(pairs)]
    equal = [
        pair
        for pair, grade in zip(pairs, grades, strict=True)
        if grade.status is Status.CORRECT and not same_by_spelling(*pair)
    ]
    assert set(equal) <= EQUAL
