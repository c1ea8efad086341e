"""What every grader is given and returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tasks.rows import Status


@dataclass(frozen=True)
class Grade:
    """The verdict on one prediction."""

    reward: float  # 1.0 or 0.0; of a program, where that is asked for, the share of tests passed
    status: Status
    extracted: str  # the answer as it was found in the prediction
    first_failure: int = -1  # of a program: the first test that failed


# A grade and the seconds that it took.
Timed = tuple[Grade, float]


class Grader(Protocol):
    """Grades (reference, text) pairs in order: math answers or programs."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took."""
        ...
