"""What the second checker says of a pair, as it goes over the pipe and as audits count it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import Facts


class Opinion(enum.StrEnum):
    """What the second checker says of a pair."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Seen(Facts):
    """What it read on one side: the text it found, and the value it took that for."""

    text: str = ""
    value: str = ""


@dataclass(frozen=True)
class Second(Facts):
    """The second opinion on one pair.

    Attributes:
        why: Of an undecided one: time, memory, died, or the name of an error.
        spent: Whether the process has no memory left for another pair.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ("gold", "answer", "spent")

    opinion: Opinion
    why: str = ""
    gold: Seen = Seen()
    answer: Seen = Seen()
    spent: bool = False
