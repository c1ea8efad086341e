"""Section `reward`: where training samples get their reward, and how a model of it is fit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.section import Section


class RewardSettings(Section):
    """Where rewards come from; the fit of a reward model on preferences."""

    LATER = frozenset({"null"})
    LATEST = LATER

    by: Literal["checker", "judge", "model"] = Field(
        default="checker",
        description="Who rewards training samples. `checker`: `filter.score` (paper). `judge`: the "
        "expectation of the judge's score (direct RLAIF, 2309.00267 section 2.2.2). `model`: a "
        "reward model that is fit on preferences between samples (RLHF, RLAIF, ReST).",
    )
    start_from: Literal["base", "last"] = Field(
        default="base", description="Policy whose weights the reward model starts from."
    )
    epochs: float = Field(
        default=2.0, gt=0.0, le=100.0, description="Passes over the pairs (RLAIF: 2 to 3)."
    )
    learning_rate: float = Field(
        default=1e-5, gt=0.0, le=1.0, description="Peak learning rate (RLAIF: 1e-5)."
    )
    batch_size: int = Field(
        default=128, ge=1, le=65_536, description="Pairs of an optimiser step (RLAIF: 128)."
    )
    max_length: int = Field(
        default=1024,
        ge=16,
        le=131_072,
        description="Tokens of a prompt and a sample; pairs with a longer side are dropped.",
    )
    center: float = Field(
        default=0.01,
        ge=0.0,
        le=10.0,
        description="Weight of the square of the mean reward of a pair, which keeps rewards near 0 "
        "(Eisenstein et al., 2312.09244); 0: off.",
    )
    held_out: float = Field(
        default=0.1,
        gt=0.0,
        lt=1.0,
        description="Share of problems whose pairs are held out. Half of them are watched and "
        "choose the weights, the other half measures the accuracy that is reported.",
    )
    checks: int = Field(
        default=4,
        ge=0,
        le=100,
        description="How often accuracy on held-out pairs is measured; the best weights are kept. "
        "0: never, keep the last.",
    )
    null: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Also fit so many models on shuffled labels: what their accuracy is, no label "
        "explains. Each costs as much as the model itself, and one alone may be far from 50% by "
        "chance. 0: none.",
    )
    iterations: int = Field(
        default=0,
        ge=0,
        le=20,
        description="Fit a reward model in the first so many iterations, and use the last one of "
        "them from then on; 0: in each.",
    )
