"""Settings of what is measured of a policy."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tasks.settings.place import Place
from tasks.settings.problems import BenchmarkName
from tasks.settings.section import Section


class MeasureSettings(Section):
    """How a policy is measured."""

    pass_k: list[int] = Field(
        default=[1, 2, 4, 8], description="The k of pass@k, unbiased over `samples` samples."
    )
    samples: int = Field(
        default=8,
        ge=0,
        le=4096,
        description="Samples for each test problem for pass@k and majority vote; 0: greedy only.",
    )
    temperature: float = Field(
        default=1.0, gt=0.0, le=5.0, description="Temperature for pass@k (paper: 1.0)."
    )
    top_p: float = Field(
        default=0.95, gt=0.0, le=1.0, description="Nucleus mass for pass@k (paper: 0.95)."
    )
    sampled_problems: int = Field(
        default=0, ge=0, description="Test problems that are sampled for pass@k and vote; 0: all."
    )
    majority: list[int] = Field(
        default=[8], description="Sizes of the majority vote (paper: 64), each at most `samples`."
    )
    bootstrap: int = Field(
        default=2000,
        ge=100,
        le=100_000,
        description="Bootstrap resamples of problems behind each interval.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="Level of the intervals.")

    @model_validator(mode="after")
    def _sizes_fit(self) -> MeasureSettings:
        for name, sizes in (("pass_k", self.pass_k), ("majority", self.majority)):
            if self.samples and not all(1 <= size <= self.samples for size in sizes):
                raise ValueError(
                    f"{name} must lie between 1 and the number of samples ({self.samples}), which "
                    f"{sizes} does not"
                )
        return self


class EvaluationSettings(MeasureSettings):
    """How every policy of a run, the base included, is measured."""

    LATEST: ClassVar[frozenset[str]] = frozenset({"diversity", "verifier", "transfer_sources"})
    LATER: ClassVar[frozenset[str]] = LATEST

    train_problems: int = Field(
        default=200,
        ge=0,
        description="Training problems solved greedily for the train-test gap (figure 4); 0: none.",
    )
    transfer: list[BenchmarkName] = Field(
        default=[],
        description="Other benchmarks that every policy solves greedily, to see what training "
        "costs elsewhere (figure 9); a regression is flagged in the report.",
    )
    transfer_limit: int = Field(
        default=0, ge=0, description="Problems of each of them after a seeded shuffle; 0: all."
    )
    transfer_sources: dict[BenchmarkName, Place] = Field(
        default={},
        description="Where the data of some of them lie: a folder, a JSON-lines file or a Hub id "
        "(org/name or org/name@REVISION). "
        "Otherwise RESTEM_DATA if that is set, else the data set's own Hub id.",
    )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Fields that may name a file or a folder, and what they name."""
        return [
            (f"evaluation.transfer_sources.{name}", place)
            for name, place in self.transfer_sources.items()
        ]

    diversity: bool = Field(
        default=False,
        description="Count how different the samples of test problems are: right paths a problem "
        "and the entropy of the answers, which fall before pass@k does.",
    )

    verifier: Literal["none", "own", "reward"] = Field(
        default="none",
        description="A model that chooses among the samples of test problems, beside the majority "
        "vote: best of k and a weighted vote. `own`: a reward model fit on right and wrong samples "
        "of training problems, by the fields of `reward` (V-STaR, 2402.06457). `reward`: the run's "
        "reward model (`reward.by = model`).",
    )

    @field_validator("transfer")
    @classmethod
    def _checkable(cls, value: list[BenchmarkName]) -> list[BenchmarkName]:
        if "hungarian" in value:
            raise ValueError("hungarian is graded by hand; expected it in `restem evaluate` alone")
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _sources_are_used(self) -> EvaluationSettings:
        if unused := sorted(set(self.transfer_sources) - set(self.transfer)):
            raise ValueError(
                f"transfer_sources: {unused[0]} is not in evaluation.transfer; expected it there"
            )
        return self
