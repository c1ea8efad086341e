"""Section `judge` of an evaluation: who says whose answer is better."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.judge import JudgeSettings
from tasks.settings.place import Place
from tasks.settings.section import Section

# `judge.model` where nobody is asked but the checker.
ORACLE = "oracle"


class WinRateJudge(Section):
    """Who prefers an answer of the one policy to an answer of the other, and how it is asked."""

    model: Place = Field(
        default="",
        description="The judge, for win rates of `model` over `against`: `oracle` (the checker), "
        "or a policy in the form of `model`, and then the checker's too; empty: no win rates.",
    )
    answers: Literal["greedy", "sampled"] = Field(
        default="greedy",
        description="What is compared: greedy answers, or the samples of pass@k, the first of the "
        "one with the first of the other and so on.",
    )
    prompt: Place = Field(
        default="answers",
        description="What the judge is asked: a template in tasks/compare/prompts or a TOML file.",
    )
    swap: bool = Field(
        default=True,
        description="Ask in both orders and take the mean, which takes the judge's taste for a "
        "place out of the win rate.",
    )
    reasoning: bool = Field(
        default=True, description="Let the judge write a reason before it chooses."
    )
    reason_tokens: int = Field(
        default=512, ge=1, le=32_768, description="Longest reason in tokens."
    )

    @property
    def is_model(self) -> bool:
        """Whether a model is asked."""
        return self.model not in ("", ORACLE)

    @property
    def asked(self) -> JudgeSettings:
        """How a model is asked, as the steps take it."""
        how = self.model_dump(include={"model", "prompt", "swap", "reasoning", "reason_tokens"})
        return JudgeSettings(**how)
