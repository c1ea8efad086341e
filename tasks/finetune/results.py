"""What a fine-tune leaves beside the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tasks.facts import Facts, FactsFile

# The rules of choose.py.
Choose = Literal["best", "one_se", "last"]


@dataclass(frozen=True)
class HistoryEntry(Facts):
    """The mean loss up to an optimiser step, or the validation reward after it.

    Attributes:
        rewards: By validation problem, in their order, where the rule of the choice needs them.
        sampled_reward: Of a trainer that draws samples: their mean reward over the same steps as
            the loss, without the KL.
        kl: Of the same, in nats a token: mean log ratio to the start policy.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ("loss", "reward", "rewards", "sampled_reward", "kl")

    step: int
    loss: float | None = None
    reward: float | None = None
    rewards: list[float] | None = None
    sampled_reward: float | None = None
    kl: float | None = None


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
        choose: The rule by which they were chosen among the checks.
    """

    FILE: ClassVar[str] = "training.json"
    SPARSE: ClassVar[tuple[str, ...]] = ("choose",)

    rows: int
    dropped_long: int
    sequences: int
    tokens: int
    targets: int
    steps: int
    best_step: int
    best_reward: float | None
    history: list[HistoryEntry]
    choose: Choose = "best"

    @property
    def checks(self) -> int:
        """How often the validation reward was measured."""
        return sum(entry.reward is not None for entry in self.history)

    @property
    def kept_words(self) -> str:
        """Such as `kept check 2 of 4 (the best)`; empty without validation."""
        checks = [entry for entry in self.history if entry.reward is not None]
        places = [place for place, one in enumerate(checks, 1) if one.step == self.best_step]
        if not places:
            return ""
        top = max(one.reward or 0.0 for one in checks)
        why = "the best"
        if self.choose == "last":
            why = "the last"
        elif checks[places[0] - 1].reward != top:
            why = "within one standard error of the best"
        return f"kept check {places[0]} of {len(checks)} ({why})"
