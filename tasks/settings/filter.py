"""Section `filter`: how samples are scored and which are kept."""

from __future__ import annotations

import itertools
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tasks.settings.section import Section


class FilterSettings(Section):
    """From samples to training rows: which samples are kept, and with what weight."""

    LATER: ClassVar[frozenset[str]] = frozenset({"score", "select", "thresholds", "first"})

    score: Literal["correct", "tests"] = Field(
        default="correct",
        description="Reward of a training sample. `correct`: 1 or 0 (paper). `tests`: the share of "
        "tests that a program passes, a real-valued reward as ReST (2308.08998) takes. What is "
        "measured of a policy is always by correct samples.",
    )
    select: Literal["threshold", "best", "human"] = Field(
        default="threshold",
        description="Which samples of a problem are trained on. `threshold`: those with enough "
        "reward (paper). `best`: of these the ones with the highest reward (RAFT, 2304.06767). "
        "`human`: in their place the data set's own solution, of problems that have one "
        "(figure 6).",
    )
    first: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="Look at the first so many samples of each problem alone; 0: at all. What a "
        "smaller `sampling.samples` would give, without drawing anything again.",
    )
    min_reward: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Keep samples with at least this reward (paper: correct ones).",
    )
    thresholds: list[float] = Field(
        default=[],
        max_length=20,
        description="Several Improve steps an iteration, each keeps samples with at least its "
        "reward and goes on from the policy of the one before (ReST, section 3). Empty: one step, "
        "with min_reward.",
    )
    cap: int = Field(
        default=10,
        ge=0,
        le=4096,
        description="Most samples kept for each problem (paper: 10); 0: no cap.",
    )
    dedup: Literal["exact", "none"] = Field(
        default="exact",
        description="Drop samples of a problem that are equal after white-space normalisation. The "
        "paper does not say; a repeated sample adds weight, not information.",
    )
    finished_only: bool = Field(
        default=True,
        description="Drop samples cut at max_tokens. Not in the paper; training on one would teach "
        "the policy to stop in mid-sentence.",
    )
    decontaminate_ngram: int = Field(
        default=13,
        ge=0,
        le=50,
        description="Drop training problems that share a run of so many words with a test problem; "
        "0: off. The paper does not say; 13 is the size commonly used since GPT-3.",
    )
    weight: Literal["one", "reward"] = Field(
        default="one",
        description="Weight of a row in the loss. `reward`: the reward-weighted loss of section 3, "
        "the same as `one` for a binary reward.",
    )
    thinking: Literal["keep", "drop"] = Field(
        default="keep",
        exclude_if=lambda value: value == "keep",  # as if it were not there: keys, reports
        description="Whether a chat model is trained on the thoughts before its answer too, or on "
        "the answer alone. Dropping them teaches it to answer without.",
    )

    @field_validator("thresholds")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        rises = all(a < b for a, b in itertools.pairwise(value))
        if not rises or not all(0 < one <= 1 for one in value):
            raise ValueError(
                f"expected rising rewards in (0, 1], such as [0.5, 0.8, 1.0], not {value}"
            )
        return value
