"""What a person decided between two iterations; how they are asked is in review.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.facts import Facts
from tasks.settings import SamplingSettings

CHANGEABLE = ("samples", "temperature", "top_k", "top_p")


@dataclass(frozen=True)
class Decision(Facts):
    """What a person decided after an iteration."""

    decision: Literal["continue", "stop"]
    samples: int
    temperature: float
    top_k: int
    top_p: float
    note: str = ""

    @property
    def changes(self) -> dict[str, float]:
        """Fields of the sampling settings from here on."""
        return {name: getattr(self, name) for name in CHANGEABLE}

    def words(self, number: int, before: SamplingSettings) -> str:
        """What it changes, for the report; nothing if it only lets the run go on."""
        changed = [
            f"{name} {getattr(before, name)} -> {value}"
            for name, value in self.changes.items()
            if value != getattr(before, name)
        ]
        if self.decision == "stop":
            changed = ["the loop ends here"]
        if not changed and not self.note:
            return ""
        why = f" ({self.note})" if self.note else ""
        return f"review after iteration {number}: {', '.join(changed) or 'continue'}{why}"
