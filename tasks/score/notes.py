"""What a note on a post of `synthetic_notes` is worth: the oracle behind preferences.

    U = facts told - 1.5 * facts made up - 0.05 * words over 12

so coverage, accuracy and brevity count, as in the rubric of the papers on summaries (Stiennon et
al., arXiv 2009.01325, section 3). The reward is U on a scale on which a perfect note has 1 and a
note with one fact made up and none told has 0. Nothing in a note is executed.

Whatever has the form of a fact ("Ann sold 12 hats") and is not one of the post is made up. A fact
that is told twice counts once, and its words twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.dag.contracts import Grade, Timed
from tasks.rows import Status

MADE_UP = 1.5
A_WORD = 0.05
FREE_WORDS = 12
# Utilities at which the reward is 0 and 1.
_WORST, _BEST = -1.5, 3.0
# Difference of utilities at which one of two simulated people prefers the better note with
# probability sigmoid(1); set so that two of them agree on 75% of pairs (tests/tasks/score).
TASTE = 0.75
# A fact, as posts and notes have it.
_FACT = re.compile(r"\b([A-Z][a-z]+) ([a-z]+) (\d{1,6}) ([a-z]+)\b")


@dataclass(frozen=True)
class Worth:
    """What is in a note.

    Attributes:
        told: Facts of the post that it has.
        made_up: Facts that it has and the post does not.
        words: Of the whole note.
    """

    told: int
    made_up: int
    words: int

    @property
    def utility(self) -> float:
        """U, 3 at best."""
        long = max(0, self.words - FREE_WORDS)
        return self.told - MADE_UP * self.made_up - A_WORD * long

    @property
    def reward(self) -> float:
        """U in [0, 1]."""
        return min(1.0, max(0.0, (self.utility - _WORST) / (_BEST - _WORST)))


def worth(facts: str, note: str) -> Worth:
    """What a note is worth.

    Args:
        facts: Of the post, as its reference has them.
        note: The first line of what a policy wrote.
    """
    known = set(_FACT.findall(facts))
    said = set(_FACT.findall(note))
    return Worth(len(said & known), len(said - known), len(note.split()))


def preference(better: float, other: float) -> float:
    """Probability that a simulated person prefers a note of utility `better` to one of `other`.

    The Bradley-Terry model: sigmoid(difference / TASTE).
    """
    return 1.0 / (1.0 + math.exp((other - better) / TASTE))


def preference_of_rewards(better: float, other: float) -> float:
    """`preference` by rewards in [0, 1], which are utilities on another scale."""
    return preference(better * (_BEST - _WORST), other * (_BEST - _WORST))


class NotesGrader:
    """Grades notes by their worth; what GradePool is for math."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took (0: nothing is measurable), in order.

        Args:
            pairs: Facts of the post, and completions.
        """
        for facts, text in pairs:
            yield _grade(facts, text), 0.0


def _grade(facts: str, text: str) -> Grade:
    note = text.strip().split("\n", 1)[0]
    if not note:
        return Grade(0.0, Status.NO_ANSWER, "")
    found = worth(facts, note)
    status = Status.CORRECT if found.reward == 1.0 else Status.WRONG_ANSWER
    return Grade(found.reward, status, f"{found.told} told, {found.made_up} made up")
