"""Answers of two policies to the same problems, and what is settled without asking anybody.

The i-th sample of the one is compared with the i-th of the other. Answers that are equal up to
white space are a tie, and an answer wins against none (an empty text, or an error of the engine).
An answer that was cut at the token limit is compared as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.rows import Row, answer_of

# Problem and index of a sample.
AnswerKey = tuple[str, int]
TIE = 0.5


@dataclass(frozen=True)
class Answers:
    """What two policies said to the same, the one whose win rate is asked first.

    Attributes:
        text: Of the policy; empty: no answer.
        other: Of the policy that it is compared with.
    """

    text: str
    other: str

    @property
    def lengths(self) -> tuple[int, int]:
        """In characters, for policies cut texts into tokens each in their own way."""
        return len(self.text), len(self.other)

    @property
    def settled(self) -> float | None:
        """The win of the first, where it is clear: 1, 1/2 or 0; None: a judge is asked."""
        if " ".join(self.text.split()) == " ".join(self.other.split()):
            return TIE
        return None if self.text and self.other else float(bool(self.text))


def paired_answers(samples: Iterable[Row], others: Iterable[Row]) -> dict[AnswerKey, Answers]:
    """Answers by problem and index, where both policies have a sample."""
    second = {(row["problem_id"], row["index"]): _text(row) for row in others}
    return {
        key: Answers(_text(row), second[key])
        for row in samples
        if (key := (row["problem_id"], row["index"])) in second
    }


def win_of(p: float) -> float:
    """The win of a pair's first answer from the probability that it is preferred."""
    return TIE if p == TIE else float(p > TIE)


def wins_by_reward(
    rewards: Mapping[AnswerKey, float], others: Mapping[AnswerKey, float]
) -> dict[AnswerKey, float]:
    """Wins by the checker, where both samples have a reward."""
    return {
        key: TIE if rewards[key] == other else float(rewards[key] > other)
        for key, other in others.items()
        if key in rewards
    }


def _text(row: Row) -> str:
    return "" if row["finish"] == "error" else answer_of(row).strip()
