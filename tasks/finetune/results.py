"""What a fine-tune leaves beside the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import Facts, FactsFile


@dataclass(frozen=True)
class HistoryEntry(Facts):
    """The mean loss up to an optimiser step, or the validation reward after it."""

    SPARSE: ClassVar[tuple[str, ...]] = ("loss", "reward")

    step: int
    loss: float | None = None
    reward: float | None = None


@dataclass(frozen=True)
class TrainingFacts(FactsFile):
    """How a fine-tune went.

    Attributes:
        dropped_long: Rows longer than `max_length`, left out.
        sequences: Packed sequences of an epoch.
        tokens: Of an epoch.
        targets: Those of them with a loss.
        best_step: Step of the weights that were kept.
        best_reward: Their validation reward; None without validation.
    """

    FILE: ClassVar[str] = "training.json"

    rows: int
    dropped_long: int
    sequences: int
    tokens: int
    targets: int
    steps: int
    best_step: int
    best_reward: float | None
    history: list[HistoryEntry]

    @property
    def checks(self) -> int:
        """How often the validation reward was measured."""
        return sum(entry.reward is not None for entry in self.history)
