"""Section `judge`: who says which of two samples is better, and how it is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tasks.settings.place import Place
from tasks.settings.sampling import HOSTED
from tasks.settings.section import Section

# `judge.model` of the policy that drew the samples itself.
POLICY = "policy"
# `judge.reference` of simulated people.
PEOPLE = "people"


class JudgeSettings(Section):
    """Who labels pairs of samples, or scores samples."""

    LATER = frozenset({"reference"})
    LATEST = LATER

    labels: Literal["judge", "people", "oracle"] = Field(
        default="judge",
        description="Who prefers. `judge`: the model below (RLAIF, 2309.00267). `people`: pairs of "
        "a file in `source`; without one, three simulated people who go by the checker's reward. "
        "`oracle`: the checker's reward.",
    )
    model: Place = Field(
        default="",
        description="The judge: a source as in `model.base`; `policy`: the policy that drew the "
        "samples (self-rewarding, 2401.10020); `openai:MODEL`: a model that a service runs, which "
        "gives log-probabilities of its tokens.",
    )
    prompt: Place = Field(
        default="answers",
        description="What the judge is asked: a template in tasks/compare/prompts or a TOML file.",
    )
    swap: bool = Field(
        default=True,
        description="Ask in both orders and take the mean, which takes the judge's taste for a "
        "place out of the labels.",
    )
    reasoning: bool = Field(
        default=True, description="Let the judge write a reason before it chooses."
    )
    reason_tokens: int = Field(
        default=512, ge=1, le=32_768, description="Longest reason in tokens (RLAIF: 512)."
    )
    pairs: int = Field(
        default=3,
        ge=0,
        le=4096,
        description="Pairs of samples of a problem that are compared, drawn by the seed; 0: all.",
    )
    source: Place = Field(
        default="",
        description="Of people: a file with `problem`, `first`, `second` (indices of samples) and "
        "`p`, as `restem label` writes it.",
    )

    reference: Place = Field(
        default="",
        description="What labels are measured against. Empty: the checker's rewards. `people`: "
        "three simulated people who go by them. Otherwise a file of people's labels, as in "
        "`source`. It decides no label.",
    )

    @property
    def hosted(self) -> str:
        """Name of a hosted judge at its service; empty: it is another one."""
        return self.model.removeprefix(HOSTED) if self.model.startswith(HOSTED) else ""

    @model_validator(mode="after")
    def _fits_together(self) -> JudgeSettings:
        if self.source and self.labels != "people":
            raise ValueError("source: it has labels of people; expected labels = people")
        if self.reference == PEOPLE and self.labels == "people" and not self.source:
            raise ValueError("reference: these people are the labels; expected a file or nothing")
        return self
