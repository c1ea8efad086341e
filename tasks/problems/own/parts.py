"""What a problem is made of, whatever its domain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """Of a row of rows.PROBLEM, what depends on the domain."""

    question: str
    reference: str
    solution: str = ""
