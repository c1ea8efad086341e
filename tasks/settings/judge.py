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


class PairColumns(Section):
    """Which column of a preference set holds what; an empty name: the usual names are looked for.

    `a.b` is the field b of what stands in a, and `a.0` the first of a list in a.
    """

    question: str = Field(
        default="",
        description="What was asked; none where both answers are chats that begin with it.",
    )
    chosen: str = Field(default="", description="The better answer: a text, or chat messages.")
    rejected: str = Field(default="", description="The other one.")
    first: str = Field(
        default="", description="One of two answers, where another column says which is better."
    )
    second: str = Field(default="", description="The other one.")
    better: str = Field(
        default="",
        description="Which is better: 0 or 1, A or B, first or second; tie or both: neither.",
    )
    strength: str = Field(
        default="",
        description="How much better: from -3 (the first, by far) to 3 (the second, by far).",
    )
    p: str = Field(default="", description="The probability that the first is better, from 0 to 1.")


class JudgeSettings(Section):
    """Who labels pairs of samples, or scores samples."""

    LATER = frozenset({"reference", "config", "split", "limit", "columns"})
    LATEST = LATER

    labels: Literal["judge", "people", "oracle", "random"] = Field(
        default="judge",
        description="Who prefers. `judge`: the model below (RLAIF, 2309.00267). `people`: pairs of "
        "a file in `source`; without one, three simulated people who go by the checker's reward. "
        "`oracle`: the checker's reward. `random`: a coin for each pair, the control that a gain "
        "by labels has to beat.",
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
    reason_temperature: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="Temperature of the reasons; 0: greedy (RLAIF).",
    )
    reasons: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Reasons that are drawn for each answer; the mean of their labels counts "
        "(self-consistency, which did harm in RLAIF). More than one with a `reason_temperature` "
        "above 0 alone.",
    )
    pairs: int = Field(
        default=3,
        ge=0,
        le=4096,
        description="Pairs of samples of a problem that are compared, drawn by the seed; 0: all.",
    )
    source: Place = Field(
        default="",
        description="Of people: a file of labels of a run's samples, as `restem label` writes it; "
        "or a preference set, whose pairs have texts of their own: a JSON-lines, JSON, CSV or "
        "Parquet file, a folder, or a Hub id (org/name or org/name@REVISION).",
    )
    config: str = Field(
        default="", description="Of a preference set on the Hub: the configuration; empty: its one."
    )
    split: str = Field(
        default="",
        description="Of a preference set with several splits: the one that is read; empty: train.",
    )
    limit: int = Field(
        default=0,
        ge=0,
        description="Of a preference set: so many of its pairs, drawn by the seed; 0: all.",
    )
    columns: PairColumns = Field(default_factory=PairColumns, title="Columns (of a preference set)")

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
        for name in ("config", "split", "limit", "columns"):
            if not self.source and not self.is_default(name):
                raise ValueError(f"{name}: it is of a preference set; expected a source")
        if self.reasons > 1 and not self.reason_temperature:
            raise ValueError(
                f"reasons: {self.reasons} greedy ones are all the same; expected 1, or a "
                "reason_temperature above 0"
            )
        return self
