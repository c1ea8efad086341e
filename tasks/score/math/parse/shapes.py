"""What an answer is made of, once it is taken apart."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an answer is made of."""

    QUANTITY = "quantity"  # an expression, a number with a unit, or words
    LIST = "list"  # unordered, bare: 1, 2
    SET = "set"  # unordered: {1, 2}
    GROUP = "group"  # ordered, with brackets: a tuple or an interval; or a ratio a : b
    SEQUENCE = "sequence"  # [1, 2, 3], as a program prints either of the two above
    UNION = "union"
    MATRIX = "matrix"
    EQUATION = "equation"
    RELATION = "relation"  # an inequality or a chain of them, smallest side first


@dataclass(frozen=True)
class Form:
    """One answer taken apart; `text` is a quantity's expression, else brackets, shape or signs."""

    kind: Kind
    text: str
    parts: tuple[Form, ...] = ()
    unit: str = ""
    percent: bool = False
