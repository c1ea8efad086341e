"""`synthetic_math`: arithmetic word problems made by a program, in five levels of difficulty.

They let the whole loop run in minutes with no download: short questions about one person's things
that change hands one to three times, with numbers up to 99. What decides the side of a problem is
its arithmetic alone (`23+14-9`, whoever owns whatever): a hash of it falls into one of three
shares, so the same sum never stands on two sides, however many problems are asked for.

- `test`: held out from everything;
- `train`: what the loop trains on (the validation problems are taken from these);
- `corpus`: what the shipped base model was pre-trained on (models/make_tiny_math.py).

A question has at most thirteen words, so that two questions never share a run of thirteen, the
size at which `select` takes a training problem for a copy of a test problem, unless they are one.

Not covered: fractions, negative numbers, more than one unknown, distracting numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.problems.source import check_generated
from tasks.rows import Row

# More training problems than the shipped model can learn by heart in one run.
SIZES = {"train": 6000, "test": 1000}
# Of every ten sums one is for testing, two for the loop, seven for pre-training.
SHARES = {"test": range(0, 1), "train": range(1, 3), "corpus": range(3, 10)}
LEVELS = ("1", "2", "3", "4", "5")
# No number on the way to an answer is larger.
LARGEST = 99

NAMES = ("Ann", "Bob", "Eve", "Ian", "Kim", "Leo", "Max", "Mia", "Ned", "Sue", "Tom", "Zoe")
THINGS = ("caps", "cups", "eggs", "figs", "hats", "keys", "mugs", "nuts", "pens", "toys")
FOOD = frozenset({"eggs", "figs", "nuts"})
VERBS = {"+": ("buys", "finds", "gets", "wins"), "-": ("eats", "gives", "loses", "sells")}


@dataclass(frozen=True)
class Shape:
    """What problems of a level look like.

    Attributes:
        start: Largest number at the start.
        bags: Whether things come in bags at first, up to 9 of them with up to 9 things each.
        changes: How many changes follow.
        largest: The largest change.
    """

    start: int
    bags: bool
    changes: int
    largest: int


SHAPES = {
    "1": Shape(start=90, bags=False, changes=1, largest=9),
    "2": Shape(start=50, bags=False, changes=2, largest=9),
    "3": Shape(start=50, bags=False, changes=3, largest=9),
    "4": Shape(start=9, bags=True, changes=2, largest=9),
    "5": Shape(start=50, bags=False, changes=3, largest=20),
}


@dataclass(frozen=True)
class Sum:
    """One problem before it is put into words.

    Attributes:
        level: "1" (easy) to "5".
        first: The number of things at the start, or of bags.
        moves: The operations in order, each a sign (`*`, `+`, `-`) and a number.
    """

    level: str
    first: int
    moves: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """The arithmetic alone, evaluated from left to right, such as `23+14-9`."""
        return str(self.first) + "".join(f"{sign}{number}" for sign, number in self.moves)

    @property
    def totals(self) -> list[int]:
        """The number of things after each move; the last one is the answer."""
        totals, value = [], self.first
        for sign, number in self.moves:
            value = apply(value, sign, number)
            totals.append(value)
        return totals

    @property
    def steps(self) -> list[str]:
        """The worked steps, such as `23+14=37` and `37-9=28`."""
        totals = self.totals
        starts = [self.first, *totals[:-1]]
        moves = zip(starts, self.moves, totals, strict=True)
        return [f"{start}{sign}{number}={total}" for start, (sign, number), total in moves]

    @property
    def share(self) -> str:
        """The side on which this arithmetic stands, whatever the words around it."""
        digest = hashlib.sha256(f"synthetic_math:{self.text}".encode()).digest()
        bucket = int.from_bytes(digest[:8], "big") % 10
        return next(share for share, buckets in SHARES.items() if bucket in buckets)


@dataclass(frozen=True)
class Problem:
    """A sum and the question that asks for it."""

    question: str
    sum: Sum


def apply(value: int, sign: str, number: int) -> int:
    """The result of one move."""
    if sign == "*":
        return value * number
    return value + number if sign == "+" else value - number


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of a split, made as they are asked for; always the same ones.

    Args:
        split: `train` or `test`.
        source: Must be empty, for there is nothing to read.

    Raises:
        UserError: For another split, or when a source is given.
    """
    check_generated("synthetic_math", split, source)
    for index, problem in enumerate(itertools.islice(stream(split, seed=0), SIZES[split])):
        yield {
            "id": f"synthetic_math/{split}/{index:05d}",
            "domain": "math",
            "question": problem.question,
            "reference": str(problem.sum.totals[-1]),
            "solution": solution(problem.sum),
            "level": problem.sum.level,
            "subject": "bags" if SHAPES[problem.sum.level].bags else "changes",
            "split": split,
        }


def stream(share: str, *, seed: int) -> Iterator[Problem]:
    """Yield problems of a share without end, levels in turn, no question twice."""
    rng = random.Random(f"synthetic_math/{share}/{seed}")
    seen: set[str] = set()
    for level in itertools.cycle(LEVELS):
        while True:
            drawn = draw(rng, level)
            if drawn.share != share:
                continue
            question = in_words(rng, drawn)
            if question not in seen:
                break
        seen.add(question)
        yield Problem(question, drawn)


def draw(rng: random.Random, level: str) -> Sum:
    """Draw the arithmetic of a problem; every number on its way lies between 1 and LARGEST."""
    shape = SHAPES[level]
    while True:
        first = rng.randint(2, shape.start)
        moves = [("*", rng.randint(2, 9))] if shape.bags else []
        for _ in range(shape.changes):
            moves.append((rng.choice("+-"), rng.randint(2, shape.largest)))
        problem = Sum(level, first, tuple(moves))
        if all(1 <= total <= LARGEST for total in problem.totals):
            return problem


def in_words(rng: random.Random, problem: Sum) -> str:
    """Put the arithmetic into words: at most thirteen of them."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    start, changes = f"{problem.first} {thing}", problem.moves
    if changes[0][0] == "*":
        start, changes = f"{problem.first} bags of {changes[0][1]} {thing}", changes[1:]
    parts = [f"{name} has {start}"]
    for sign, number in changes:
        verbs = [verb for verb in VERBS[sign] if verb != "eats" or thing in FOOD]
        parts.append(f"{rng.choice(verbs)} {number}")
    return ", ".join(parts) + ". How many?"


def solution(problem: Sum) -> str:
    """The worked solution: every step, then the answer after `####`."""
    return ", ".join(problem.steps) + f" #### {problem.totals[-1]}"
