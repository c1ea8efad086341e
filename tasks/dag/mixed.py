"""Grades samples of problems that are of several domains, each by its own grader.

Where all problems of a block are of one domain, its key names that domain's grader alone. Here a
key has a list `checkers`, a name for each problem: "" for math, `code` for programs, else what
`OpenGrader` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from tasks.dag.contracts import Grade, Grader, OpenGrader

PROGRAMS = "code"
CHECKERS_KEY: Final = "checkers"
_One = TypeVar("_One")
_Made = TypeVar("_Made")


def open_named(
    open_grader: OpenGrader, checker: str, sandbox: dict[str, object] | None, score: str
) -> Grader:
    """The grader that a name of `checkers` stands for."""
    if checker == PROGRAMS:
        return open_grader(sandbox, "", score)
    return open_grader(None, checker, score)


def by_checker(
    ones: Sequence[_One],
    checkers: Sequence[str],
    make: Callable[[str, list[_One]], Iterable[_Made]],
) -> list[_Made]:
    """What `make` gives for each, in the order of `ones`.

    Args:
        ones: Whatever is graded.
        checkers: The checker of each.
        make: Given a checker and all that it checks, gives one for each, in order.
    """
    found: dict[int, _Made] = {}
    for checker in dict.fromkeys(checkers):
        places = [place for place, name in enumerate(checkers) if name == checker]
        made = make(checker, [ones[place] for place in places])
        found.update(zip(places, made, strict=True))
    return [found[place] for place in range(len(ones))]


def grade_mixed(
    open_grader: OpenGrader,
    pairs: Sequence[tuple[str, str]],
    checkers: Sequence[str],
    sandbox: dict[str, object] | None,
    score: str = "correct",
) -> list[Grade]:
    """The grades of (reference, text) pairs, in order.

    Args:
        open_grader: Gives graders.
        pairs: References and texts.
        checkers: The checker of each pair.
        sandbox: Of programs, if there are any.
        score: The reward, as FilterSettings.score.
    """

    def grades(checker: str, some: list[tuple[str, str]]) -> Iterable[Grade]:
        grader = open_named(open_grader, checker, sandbox, score)
        return [grade for grade, _ in grader.grade(some)]

    return by_checker(pairs, checkers, grades)
