"""What a selection counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from tasks.facts import FactsFile

# What a selection makes of a sample that is accepted -> the field of SelectionCounts for it.
KEPT: Final = "kept"
UNFINISHED: Final = "unfinished"
DUPLICATE: Final = "duplicate"
OUTSIDE_BAND: Final = "outside_band"
OVER_CAP: Final = "over_cap"
FATES: Final = {
    KEPT: "kept",
    UNFINISHED: "dropped_unfinished",
    DUPLICATE: "dropped_duplicate",
    OUTSIDE_BAND: "dropped_band",
    OVER_CAP: "dropped_cap",
}


@dataclass
class LevelCount:
    """Samples of one difficulty level."""

    samples: int = 0
    correct: int = 0

    @property
    def share(self) -> float:
        """Of the samples that is correct; 0 of none."""
        return self.correct / self.samples if self.samples else 0.0


@dataclass
class SelectionCounts(FactsFile):
    """What came in, what each rule dropped, what stays; complete when the rows are consumed.

    samples = dropped_reward + dropped_unfinished + dropped_duplicate + dropped_band + dropped_cap
    + dropped_contaminated + kept.
    """

    FILE: ClassVar[str] = "counts.json"
    SPARSE: ClassVar[tuple[str, ...]] = ("first", "pairs", "wrong", "dropped_band")

    samples: int = 0
    correct: int = 0  # reward at least min_reward
    dropped_reward: int = 0
    dropped_unfinished: int = 0
    dropped_duplicate: int = 0
    dropped_cap: int = 0
    dropped_contaminated: int = 0
    kept: int = 0
    problems: int = 0  # with samples
    problems_solved: int = 0  # with a correct sample
    problems_contaminated: int = 0  # of all training problems, sampled or not
    levels: dict[str, LevelCount] = field(default_factory=dict)
    # Where verdicts decide how many samples a problem gets (`enough`, `hard_samples`): the samples
    # that every problem has whatever came out. Their share of correct ones estimates the policy's
    # accuracy without bias; that of all samples does not.
    first: LevelCount | None = None
    # Samples of problems that too few or too many of the samples solve.
    dropped_band: int = 0
    # Of preference pairs (pairs.py): how many came of the samples kept.
    pairs: int | None = None
    # Of rows of wrong samples (labelled.py): how many came besides.
    wrong: int | None = None

    def to_json(self) -> dict[str, object]:
        """The fields by name, levels in order."""
        ordered = replace(self, levels=dict(sorted(self.levels.items())))
        return super(SelectionCounts, ordered).to_json()
