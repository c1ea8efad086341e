"""What the fit of a reward model leaves beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import FactsFile
from tasks.finetune.results import HistoryEntry


@dataclass(frozen=True)
class FitFacts(FactsFile):
    """How a fit went.

    Attributes:
        pairs: Trained on.
        held_out: Pairs that were not trained on; each is a row of rows.HELD_OUT.
        dropped_long: Pairs with a side longer than `max_length`, left out.
        unlabelled: Pairs without a label, left out.
        best_step: Step of the weights that were kept.
        accuracy: Theirs, on watched pairs: share on which the higher reward is that of the
            preferred sample, where labels prefer one; None without such pairs. It chose the
            weights, so it flatters them.
        mean, deviation: Of rewards of held-out samples, before they are put into [0, 1].
    """

    FILE: ClassVar[str] = "fit.json"

    pairs: int
    held_out: int
    dropped_long: int
    unlabelled: int
    tokens: int
    steps: int
    best_step: int
    accuracy: float | None
    mean: float
    deviation: float
    history: list[HistoryEntry]
