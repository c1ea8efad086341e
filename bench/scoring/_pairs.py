r"""Pairs of a reference and a prediction as a policy writes them, for `restem bench grade`.

The references are MATH's own answers where RESTEM_DATA names a folder with them, else those of the
embedded synthetic_math. Predictions are drawn with a seed: right answers, many of them under
another spelling; another problem's answer of the same subject; near misses; prose without a box.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

ANSWERS_FILE = "math_answers.jsonl.gz"
SEED = 20240414
# Shares of 100 predictions; the rest is prose without a box, or cut short.
RIGHT, OTHER, NEAR = 45, 35, 10
# Of the right ones so many of 100 are spelled in another way.
RESPELLED = 35

_STEPS = (
    "We start from what is given and set up one equation.",
    "Let $x$ be the unknown. Then $2x + 3 = {a}$, so $x = \\frac{{{a} - 3}}{{2}}$.",
    "Adding the two sides gives ${a} + {b} = {c}$.",
    "By symmetry we count each case once, which leaves ${a} \\cdot {b}$ cases.",
    "Since ${b} < {c}$, the first bound holds and we can divide by ${b}$.",
    "The discriminant is $\\sqrt{{{a}^2 - 4 \\cdot {b}}}$, so there are two roots.",
    "Substituting back, we check that \\[ {a}x - {b} = {c}. \\]",
    "\\begin{{align*}} x + y &= {a} \\\\ x - y &= {b} \\end{{align*}}",
)
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d{1,6})\}\{(\d{1,6})\}")
_NUMBER = re.compile(r"\d+")
PLACES = 6


class Reference(NamedTuple):
    """One problem's answer and the subject in which other answers are looked for."""

    subject: str
    answer: str


def references() -> tuple[list[Reference], str]:
    """All references, and where they come from."""
    folder = os.environ.get("RESTEM_DATA")
    if folder and (Path(folder) / ANSWERS_FILE).is_file():
        with gzip.open(Path(folder) / ANSWERS_FILE, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return [Reference(row["subject"], row["answer"]) for row in rows], "MATH"
    from tasks.problems.synthetic_math import SUM_SIZES, load_split

    made = [row for split in SUM_SIZES for row in load_split(split)]
    return [Reference(row["subject"], row["reference"]) for row in made], "synthetic_math"


def pairs(given: list[Reference], count: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    """Yield `count` pairs (reference, prediction); problems take turns, every text is a new draw.

    Args:
        given: The references, each of which is asked once in a round.
        count: Pairs in all; more than one for each reference is another sample of it.
        seed: Of every draw.
    """
    draw = random.Random(seed)
    of_subject: dict[str, list[str]] = {}
    for one in given:
        of_subject.setdefault(one.subject, []).append(one.answer)
    order = list(range(len(given)))
    for number in range(count):
        if number % len(order) == 0:
            draw.shuffle(order)
        one = given[order[number % len(order)]]
        yield one.answer, _prediction(one, of_subject[one.subject], draw)


def _prediction(one: Reference, others: list[str], draw: random.Random) -> str:
    kind = draw.randrange(100)
    steps = " ".join(_step(draw) for _ in range(draw.randint(2, 6)))
    if kind < RIGHT:
        answer = _respelled(one.answer, draw) if draw.randrange(100) < RESPELLED else one.answer
    elif kind < RIGHT + OTHER:
        answer = draw.choice(others)
    elif kind < RIGHT + OTHER + NEAR:
        answer = _near(one.answer, draw)
    else:
        return steps[: draw.randint(20, len(steps))]
    ends = (
        f"Therefore the answer is $\\boxed{{{answer}}}$.",
        f"\\[ \\boxed{{{answer}}} \\]",
        f"So we get $x = \\boxed{{{answer}}}$, as asked.",
        f"The answer is ${answer}$.",
    )
    return f"{steps}\n{draw.choices(ends, (5, 2, 2, 1))[0]}"


def _step(draw: random.Random) -> str:
    a, b, c = (draw.randint(2, 99) for _ in range(3))
    return draw.choice(_STEPS).format(a=a, b=b, c=c)


def _respelled(answer: str, draw: random.Random) -> str:
    """The same value, spelled in another way where there is one."""
    ways = [
        answer.replace(r"\frac", r"\dfrac"),
        answer.replace("+", " + ").replace("=", " = "),
        answer.replace(" ", ""),
        re.sub(r"(?<!\\left)\(", r"\\left(", re.sub(r"(?<!\\right)\)", r"\\right)", answer)),
        f"\\text{{{answer}}}" if answer.isalpha() else answer,
    ]
    if match := _FRACTION.fullmatch(answer):
        sign, top, bottom = match.groups()
        ways += [f"{sign}{top}/{bottom}", *_decimal(sign, int(top), int(bottom))]
    elif answer.isdigit():
        ways += [f"{answer}.0", f"\\frac{{{2 * int(answer)}}}{{2}}", f"{int(answer):,}"]
    return draw.choice([way for way in ways if way != answer] or [answer])


def _decimal(sign: str, top: int, bottom: int) -> list[str]:
    """The exact decimal of a fraction, where it ends after a few places."""
    if not bottom:
        return []
    scaled = Fraction(top, bottom) * 10**PLACES
    if scaled.denominator != 1:
        return []
    digits = str(scaled.numerator).rjust(PLACES + 1, "0")
    return [f"{sign}{digits[:-PLACES]}.{digits[-PLACES:].rstrip('0')}"]


def _near(answer: str, draw: random.Random) -> str:
    """Another sign, or one of the numbers off by one."""
    numbers = list(_NUMBER.finditer(answer))
    if not numbers or not draw.randrange(3):
        return answer[1:] if answer.startswith("-") else f"-{answer}"
    one = draw.choice(numbers)
    return f"{answer[: one.start()]}{int(one.group()) + 1}{answer[one.end() :]}"
