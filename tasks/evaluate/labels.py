"""What the labels of an iteration's pairs are worth, and the reward model that is fit on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tasks.evaluate.alignment import Alignment, PairKey
from tasks.evaluate.intervals import Interval
from tasks.evaluate.reward_model import ModelAccuracy
from tasks.facts import Facts, FactsFile
from tasks.rows import Row

Reference = Literal["checker", "people"]
Mark = Literal["right", "wrong", "undecided", "not known"]
# Pairs of each mark that a report shows.
SHOWN = 4
MARKS: tuple[Mark, ...] = ("right", "wrong", "undecided", "not known")


@dataclass(frozen=True)
class ShownPair(Facts):
    """A pair to read: both answers, what the labeller said and why.

    Attributes:
        texts: Of the first and the second sample.
        p: The label: probability that the first is the better one.
        shown: The same where it was shown first and, if that was asked too, second.
        reasons: Before each of these answers; empty: none was asked for.
        rewards: Of both by the checker; empty: there is none.
        mark: Whether the reference agrees.
    """

    problem_id: str
    question: str
    texts: list[str]
    p: float
    shown: list[float]
    reasons: list[str]
    rewards: list[float]
    mark: Mark


@dataclass(frozen=True)
class LabelMetrics(FactsFile):
    """Labels of one iteration, and the reward model that was fit on them.

    Attributes:
        labels: Who gave them: judge, people or oracle.
        reference: What they are measured against.
        pairs: That were compared.
        lost: Of them, those without a label.
        undecided: Those with p = 1/2.
        alignment: None where there is no reference, or the labels are the reference.
        ceiling: Agreement of the checker with people, where these are the reference.
        model: None where none was fit, or no held-out pair can say it.
        shown: Some pairs to read, drawn by a seed.
    """

    FILE: ClassVar[str] = "labels.json"

    labels: str
    reference: Reference
    pairs: int
    lost: int
    undecided: int
    alignment: Alignment | None = None
    ceiling: Interval | None = None
    model: ModelAccuracy | None = None
    shown: list[ShownPair] = field(default_factory=list)


def mark_of(p: float, wanted: float | None) -> Mark:
    """Whether a reference agrees with a label; None and 1/2: it does not say."""
    if wanted is None or wanted == 0.5:
        return "not known"
    if p == 0.5:
        return "undecided"
    return "right" if (p > 0.5) == (wanted > 0.5) else "wrong"


def drawn_to_show(
    rows: Sequence[Row], reference: Mapping[PairKey, float], seed: int
) -> list[tuple[Row, Mark]]:
    """Pairs to read: some that are right, some that are wrong, some that are undecided.

    Those that nothing is known of are shown where nothing is known of any.

    Args:
        rows: Of rows.PREFERENCE.
        reference: p of each pair.
        seed: Of the draw, which hangs on the pair alone.
    """
    marked: dict[Mark, list[Row]] = {}
    for row in rows:
        if row["p"] is not None:
            key = row["problem_id"], row["first"], row["second"]
            marked.setdefault(mark_of(row["p"], reference.get(key)), []).append(row)
    wanted: list[Mark] = [mark for mark in MARKS if mark in marked]
    if len(wanted) > 1 and wanted[-1] == "not known":
        wanted.pop()
    return [
        (row, mark)
        for mark in wanted
        for row in sorted(marked[mark], key=lambda row: _rank(seed, row))[:SHOWN]
    ]


def _rank(seed: int, row: Row) -> bytes:
    named = f"{seed}\x1fshown\x1f{row['problem_id']}\x1f{row['first']}\x1f{row['second']}"
    return hashlib.sha256(named.encode()).digest()
