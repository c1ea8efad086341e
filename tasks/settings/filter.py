"""Section `filter`: how samples are scored and which are kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, field_validator, model_validator

from tasks.settings.find_function import find_function
from tasks.settings.section import Section
from tasks.settings.user_function import Choice, UserFunction

# Rewards that need no reference answer: they are given when all samples of a problem are there.
UNCHECKED = ("vote", "any", "random")
SCORE = Choice("filter.score", "reward", ("correct", "tests", *UNCHECKED))
SELECT = Choice("filter.select", "selector", ("threshold", "best", "human", "diverse"))


class WeightedReward(Section):
    """One of several rewards of a sample."""

    reward: Annotated[str, SCORE.validator()] = Field(
        default="correct", description="A reward as in `filter.score`."
    )
    weight: float = Field(
        default=1.0, ge=0.0, le=1e6, description="Its part of the weighted mean; 0: a gate alone."
    )
    at_least: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="A gate: below it the whole reward is 0. 0: no gate.",
    )


class FilterSettings(Section):
    """From samples to training rows: which samples are kept, and with what weight."""

    LATEST: ClassVar[frozenset[str]] = frozenset(
        {"rewards", "function_seconds", "thinking"}
        | {"pool", "min_pass_rate", "max_pass_rate", "cap_by", "search", "wrong_weight"}
    )
    LATER: ClassVar[frozenset[str]] = LATEST | {"score", "select", "thresholds", "first"}
    CHOICES: ClassVar[Mapping[str, Choice]] = {"score": SCORE, "select": SELECT}

    score: Annotated[str, SCORE.validator()] = Field(
        default="correct",
        examples=[*SCORE.names, "path/to/reward.py:function"],
        description="Reward of a training sample. `correct`: 1 or 0 (paper). `tests`: the share of "
        "tests that a program passes, a real-valued reward as ReST (2308.08998) takes. Without the "
        "reference: `vote`, 1 for the answer that most samples of the problem give (2210.11610); "
        "`any`, 1 for every sample (2604.01193); `random`, 1 for as many samples of a problem as "
        "are correct, drawn at random (a control: what training on as many rows gives alone). Or a "
        "function of your own: path/to/file.py:function, package.module:function, or an installed "
        "name (group restem.rewards). What is measured of a policy is always by correct samples.",
    )
    rewards: list[WeightedReward] = Field(
        default=[],
        max_length=20,
        description="Several rewards in the place of `score`: their weighted mean, or 0 where one "
        "is below its `at_least`. Empty: `score` alone.",
    )
    function_seconds: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="Seconds that a call of your own reward or selector may take; a reward that "
        "takes longer is a checker error.",
    )
    select: Annotated[str, SELECT.validator()] = Field(
        default="threshold",
        examples=[*SELECT.names, "path/to/selector.py:function"],
        description="Which samples of a problem are trained on. `threshold`: those with enough "
        "reward (paper). `best`: of these the ones with the highest reward (RAFT, 2304.06767). "
        "`human`: in their place the data set's own solution, of problems that have one "
        "(figure 6). `diverse`: as `threshold`, but the cap keeps samples whose words differ most. "
        "Or a function of your own, named as for `score` (group restem.selectors).",
    )
    first: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="Look at the first so many samples of each problem alone; 0: at all. What a "
        "smaller `sampling.samples` would give, without drawing anything again.",
    )
    pool: Literal["last", "all"] = Field(
        default="last",
        description="Whose samples are selected from. `last`: those of the last policy (paper). "
        "`all`: of all policies of the run up to it, so that a problem solved once stays solved.",
    )
    min_reward: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Keep samples with at least this reward (paper: correct ones).",
    )
    search: list[float] = Field(
        default=[],
        max_length=20,
        description="Thresholds among which each iteration chooses `min_reward` on validation "
        "problems, together with the temperatures of `sampling.search`. Empty: `min_reward`.",
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
    cap_by: Literal["problem", "difficulty"] = Field(
        default="problem",
        description="`problem`: the cap is the same for all (paper). `difficulty`: a problem of "
        "which a share s of the samples is accepted keeps at most cap x (1 - s), rounded up, and "
        "at least one (DART-Math, 2407.13690, its Prop2Diff).",
    )
    min_pass_rate: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Leave out problems of which a smaller share of the samples is accepted "
        "(Reinforce-Rej, 2504.11343). 0: none.",
    )
    max_pass_rate: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Leave out problems of which a larger share of the samples is accepted, such "
        "as 0.8: they teach little. 1: none.",
    )
    dedup: Literal["exact", "equations", "none"] = Field(
        default="exact",
        description="Drop samples of a problem that say the same. `exact`: texts that are equal "
        "after white-space normalisation (the paper does not say; a repeated sample adds weight, "
        "not information). `equations`: those with the same equations in the same order too (RFT, "
        "2308.01825); texts without equations as in `exact`.",
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
    wrong_weight: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Weight of rows of wrong samples, of which as many as the cap are trained on "
        "beside the accepted ones (2601.04992). 0: none.",
    )
    thinking: Literal["keep", "drop"] = Field(
        default="keep",
        description="Whether a chat model is trained on the thoughts before its answer too, or on "
        "the answer alone. Dropping them teaches it to answer without.",
    )

    @cached_property
    def functions(self) -> dict[str, UserFunction]:
        """The user's own functions by field, those of `rewards` as `rewards[0]` and so on."""
        parts = {
            f"rewards[{place}]": find_function(SCORE, one.reward, f"filter.rewards[{place}]")
            for place, one in enumerate(self.rewards)
            if one.reward not in SCORE.names
        }
        return {**super().functions, **parts}

    @property
    def checked_score(self) -> str:
        """What the checker is asked for, whatever is made of its verdicts afterwards."""
        return "correct" if self.score in UNCHECKED else self.score

    def _with_functions(
        self, data: dict[str, object], said: Mapping[str, object]
    ) -> dict[str, object]:
        data = super()._with_functions(data, said)
        for place, one in enumerate(self.rewards):
            parts = cast(list[dict[str, object]], data["rewards"])
            parts[place]["reward"] = data.pop(f"rewards[{place}]", one.reward)
        return data

    @model_validator(mode="after")
    def _one_reward(self) -> FilterSettings:
        if unchecked := {one.reward for one in self.rewards} & set(UNCHECKED):
            raise ValueError(
                f"rewards: {min(unchecked)} is no part of a mean; expected it as score, alone"
            )
        if self.search and self.thresholds:
            raise ValueError(
                "search: it chooses one threshold and thresholds has several; expected one of them"
            )
        if not all(0 < one <= 1 for one in self.search):
            raise ValueError(f"search: expected rewards in (0, 1], not {self.search}")
        if self.min_pass_rate > self.max_pass_rate:
            raise ValueError(
                f"min_pass_rate: {self.min_pass_rate} is above max_pass_rate = "
                f"{self.max_pass_rate}; expected at most that"
            )
        if self.cap_by == "difficulty" and not self.cap:
            raise ValueError("cap_by: difficulty divides a cap, and cap is 0; expected one above 0")
        if self.select == "diverse" and not self.cap:
            raise ValueError(
                "select: diverse chooses up to cap, and cap is 0; expected one above 0"
            )
        if self.rewards and self.score != "correct":
            raise ValueError(
                f"rewards: expected them or a score, and score is {self.score}; name it among them"
            )
        if self.rewards and not sum(one.weight for one in self.rewards):
            raise ValueError("rewards: all weights are 0; expected one above 0")
        return self

    @field_validator("thresholds")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        rises = all(a < b for a, b in itertools.pairwise(value))
        if not rises or not all(0 < one <= 1 for one in value):
            raise ValueError(
                f"expected rising rewards in (0, 1], such as [0.5, 0.8, 1.0], not {value}"
            )
        return value
