"""Real reference answers under another spelling, and pairs of them that are not equal."""

import gzip
import json
import os
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.decide import decide
from tasks.score.math.parse.syntax import Refused, read
from tasks.score.math.parse.values import exact
from tasks.score.math.pool import GradePool

DATA = os.environ.get("RESTEM_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="RESTEM_DATA is not set"),
]
PAIRS = int(os.environ.get("RESTEM_PAIRS", "20000"))

FRACTION = re.compile(r"-?\\[dt]?frac\{(\d+)\}\{(\d+)\}")
SUM = re.compile(r"([\w\\{}^ ]+?) ?([+-]) ?([\w\\{}^ ]+)")


def answers():
    with gzip.open(Path(DATA or "") / "math_answers.jsonl.gz", "rt", encoding="utf-8") as lines:
        return sorted({row["answer"] for row in map(json.loads, lines)} - {""})


def decimal(text):
    """The exact decimal of a fraction that has one, else None."""
    match = FRACTION.fullmatch(text)
    if not match or not int(match[2]):
        return None
    value = Fraction(int(match[1]), int(match[2]))
    places = next((n for n in range(13) if 10**n % value.denominator == 0), None)
    if not places:
        return None
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return ("-" if text[0] == "-" else "") + f"{digits[:-places]}.{digits[-places:]}"


def respelled(text):
    """Every spelling that our mutator knows for an answer."""
    yield text.replace(r"\dfrac", r"\frac").replace(r"\frac", r"\dfrac")
    yield re.sub(r"\\left|\\right", "", text)
    if r"\left" not in text:
        yield re.sub(r"([(\[])", r"\\left\1", re.sub(r"([)\]])", r"\\right\1", text))
    yield re.sub(r"(?<=[+,=])(?=[\d\\(-])", " ", text)
    yield re.sub(r" *([+,=]) *", r"\1", text)
    yield f"  ${text}$ "
    sides = SUM.fullmatch(text)
    if (
        sides
        and not re.search(r"\\(?:text|begin)", text)
        and r"\pm" not in text
        and text.count("{") == text.count("}")
    ):
        first, sign, second = sides.groups()
        if all(side.count("{") == side.count("}") for side in (first, second)):
            yield f"{'-' if sign == '-' else ''}{second} + {first}"
    if (number := decimal(text)) is not None:
        yield number


def test_every_answer_equals_its_respellings():
    pairs = [(text, other) for text in answers() for other in dict.fromkeys(respelled(text))]
    assert sum(bool(SUM.fullmatch(gold)) for gold, _ in pairs) > 500
    assert sum(decimal(gold) == other for gold, other in pairs) > 100
    with GradePool(workers=2, time_limit=10.0) as pool:
        graded = zip(pairs, pool.grade(pairs), strict=True)
        wrong = [
            (*pair, g.status.value) for pair, (g, _) in graded if g.status is not Status.CORRECT
        ]
    assert not wrong, f"{len(wrong)} of {len(pairs)}: {wrong[:20]}"


def value(text):
    """The number that an answer is, its unit aside; else its text. Without the rules of form."""
    text = re.sub(r"\\(?:text|mbox)\s*\{[^{}]*\}(?:\^\d)?|\^\{?\\circ\}?|\\%", "", text)
    text = re.sub(r"\\[!,]|\\left|\\right|\$|\\$", "", text.replace("{,}", ","))
    text = re.sub(r",(?=\d{3})|\s", "", text.replace(r"\dfrac", r"\frac"))
    try:
        tree = read(text)
        number = exact(tree) if tree is not None else None
    except Refused:
        number = None
    bare = re.sub(r"[{}+]", "", text)
    if "," not in bare:  # a sum in another order is no unlike value
        bare = "".join(sorted(bare))
    return bare if number is None else number


def turn(text: str) -> Fraction | None:
    """An angle as a multiple of pi: 360 degrees are 2 pi."""
    if degrees := re.fullmatch(r"(\d+)\^\{?\\circ\}?", text.replace(" ", "")):
        return Fraction(int(degrees[1]), 180)
    try:
        tree = read(text.replace(r"\pi", "(1)")) if r"\pi" in text else None
        return exact(tree) if tree is not None else None
    except Refused:
        return None


def test_no_two_answers_of_unlike_value_are_equal():
    """RESTEM_PAIRS raises the number of pairs; what only sympy can tell goes to the pool."""
    pool_of = [(text, value(text)) for text in answers()]
    draw = random.Random(0)
    pairs = []
    while len(pairs) < PAIRS:
        (a, x), (b, y) = draw.choice(pool_of), draw.choice(pool_of)
        if (
            x == y
            or turn(a) == turn(b) is not None
            or ("%" in a + b and isinstance(x, Fraction) and y in (100 * x, x / 100))
        ):
            continue  # 50% is 50 and 1/2: units and percent signs may be missing
        pairs.append((a, b))
    dear = [pair for pair in pairs if decide(*pair) is None]
    with GradePool(workers=2, time_limit=10.0) as pool:
        graded = zip(pairs, pool.grade(pairs), strict=True)
        equal = [pair for pair, (g, _) in graded if g.status is Status.CORRECT]
    assert not equal, equal[:20]
    assert len(dear) < len(pairs) / 100  # almost all are told apart without a process
