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

The `solution` of a row stands for one that a person wrote (`by_hand`). It is made by a program like
all else here, so it has what human solutions are off a model's own distribution for, another way
of writing, and always the same one; it has no mistakes and none of the variety of real people.

Not covered: fractions, negative numbers, more than one unknown, distracting numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.problems.source import check_generated, problem_row
from tasks.rows import Row

# More training problems than the shipped model can learn by heart in one run.
SUM_SIZES = {"train": 6000, "test": 1000}
# Of every ten sums (and programming tasks) one is for testing, two for the loop, seven for
# pre-training.
SHARES = {"test": range(0, 1), "train": range(1, 3), "corpus": range(3, 10)}
LEVELS = ("1", "2", "3", "4", "5")
# No number on the way to an answer is larger.
LARGEST = 99

PEOPLE = ("Ann", "Bob", "Eve", "Ian", "Kim", "Leo", "Max", "Mia", "Ned", "Sue", "Tom", "Zoe")
THINGS = ("caps", "cups", "eggs", "figs", "hats", "keys", "mugs", "nuts", "pens", "toys")
FOOD = frozenset({"eggs", "figs", "nuts"})
VERBS = {"+": ("buys", "finds", "gets", "wins"), "-": ("eats", "gives", "loses", "sells")}


@dataclass(frozen=True)
class SumShape:
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


SUM_SHAPES = {
    "1": SumShape(start=90, bags=False, changes=1, largest=9),
    "2": SumShape(start=50, bags=False, changes=2, largest=9),
    "3": SumShape(start=50, bags=False, changes=3, largest=9),
    "4": SumShape(start=9, bags=True, changes=2, largest=9),
    "5": SumShape(start=50, bags=False, changes=3, largest=20),
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
    def share(self) -> str:
        """The side on which this arithmetic stands, whatever the words around it."""
        digest = hashlib.sha256(f"synthetic_math:{self.text}".encode()).digest()
        bucket = int.from_bytes(digest[:8], "big") % 10
        return next(share for share, buckets in SHARES.items() if bucket in buckets)


@dataclass(frozen=True)
class SumProblem:
    """A sum and the question that asks for it, about somebody's things."""

    question: str
    sum: Sum
    name: str
    thing: str


def apply(value: int, sign: str, number: int) -> int:
    """The result of one move."""
    if sign == "*":
        return value * number
    return value + number if sign == "+" else value - number


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of a split, always the same ones; raises like `check_generated`."""
    check_generated("synthetic_math", split, source)
    for index, problem in enumerate(itertools.islice(sum_stream(split, seed=0), SUM_SIZES[split])):
        subject = "bags" if SUM_SHAPES[problem.sum.level].bags else "changes"
        yield sum_row(problem, "synthetic_math", split, index, subject)


def sum_row(problem: SumProblem, name: str, split: str, index: int, subject: str) -> Row:
    """The row of a problem of the data set `name`."""
    return problem_row(
        *(name, split, f"{index:05d}", "math"),
        question=problem.question,
        reference=str(problem.sum.totals[-1]),
        solution=by_hand(problem),
        level=problem.sum.level,
        subject=subject,
    )


def sum_stream(share: str, *, seed: int) -> Iterator[SumProblem]:
    """Yield problems of a share without end, levels in turn, no question twice."""
    rng = random.Random(f"synthetic_math/{share}/{seed}")
    seen: set[str] = set()
    for level in itertools.cycle(LEVELS):
        while True:
            drawn = draw_sum(rng, level)
            if drawn.share != share:
                continue
            problem = sum_in_words(rng, drawn)
            if problem.question not in seen:
                break
        seen.add(problem.question)
        yield problem


def draw_sum(rng: random.Random, level: str, shape: SumShape | None = None) -> Sum:
    """Draw the arithmetic of a problem; every number on its way lies between 1 and LARGEST.

    Args:
        rng: Where chance comes from.
        level: "1" to "5", or "" with a shape of its own.
        shape: What it looks like; by default as those of its level do.
    """
    shape = shape or SUM_SHAPES[level]
    while True:
        first = rng.randint(2, shape.start)
        moves = [("*", rng.randint(2, 9))] if shape.bags else []
        for _ in range(shape.changes):
            moves.append((rng.choice("+-"), rng.randint(2, shape.largest)))
        problem = Sum(level, first, tuple(moves))
        if all(1 <= total <= LARGEST for total in problem.totals):
            return problem


def sum_in_words(rng: random.Random, drawn: Sum) -> SumProblem:
    """Put the arithmetic into words: at most thirteen of them, for up to three changes."""
    name, thing = rng.choice(PEOPLE), rng.choice(THINGS)
    start, changes = f"{drawn.first} {thing}", drawn.moves
    if changes[0][0] == "*":
        start, changes = f"{drawn.first} bags of {changes[0][1]} {thing}", changes[1:]
    parts = [f"{name} has {start}", *told_changes(rng, changes, thing)]
    return SumProblem(", ".join(parts) + ". How many?", drawn, name, thing)


def told_changes(
    rng: random.Random, changes: Iterable[tuple[str, int]], thing: str
) -> Iterator[str]:
    """Each change in words, such as `buys 14`; only food is eaten."""
    for sign, number in changes:
        verbs = [verb for verb in VERBS[sign] if verb != "eats" or thing in FOOD]
        yield f"{rng.choice(verbs)} {number}"


def by_hand(problem: SumProblem) -> str:
    """The solution as somebody writes it who takes all changes together in the head.

    `Ann has 23+5=28 caps. #### 28` for 23, then 14 more, then 9 fewer.
    """
    moves, start = problem.sum.moves, str(problem.sum.first)
    if moves[0][0] == "*":
        start, moves = f"{start}*{moves[0][1]}", moves[1:]
    change = sum(number if sign == "+" else -number for sign, number in moves)
    answer = problem.sum.totals[-1]
    work = start + (f"{change:+d}" if change else "")
    work = work if work.isdigit() else f"{work}={answer}"
    return f"{problem.name} has {work} {problem.thing}. #### {answer}"
