"""Settings of the base policy and of the E-step: sample, execute, filter."""

from __future__ import annotations

import itertools
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tasks.settings.section import Section


class ModelSettings(Section):
    """The base policy and how it is prompted."""

    base: str = Field(
        default="embedded:tiny-math",
        description="The base policy p0: `embedded:NAME` (shipped), a folder, a .gguf file, "
        "`package:MODULE` (a Python package that assembles a GGUF file), or a Hub id.",
    )
    revision: str = Field(default="main", description="Revision of a Hub model.")
    prompt: str = Field(
        default="tiny_math",
        description="Prompt template: a name in tasks/generate/prompts or a TOML file.",
    )
    shots: int = Field(
        default=-1,
        ge=-1,
        le=64,
        description="Exemplars in the base policy's prompt; -1: all of the template.",
    )
    tuned_shots: int = Field(
        default=-1,
        ge=-1,
        le=64,
        description="Exemplars in the prompt that fine-tuned policies are trained on and sampled "
        "with; -1: as many as `shots` (the paper). Fewer makes training cheaper.",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="Number format in sampling. float32 is right on CPU, bfloat16 on GPU.",
    )


class SamplingSettings(Section):
    """The E-step: how solutions are sampled from the policy."""

    LATER: ClassVar[frozenset[str]] = frozenset({"enough", "hard_samples", "teacher"})

    engine: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description="Sampling engine. It is recipe, not resource: engines draw different samples "
        "from the same distribution.",
    )
    samples: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="Samples N for each problem and iteration (paper: MATH 32, APPS 64).",
    )
    temperature: float = Field(
        default=0.7,
        ge=0.0,
        le=5.0,
        description="Temperature (paper: 0.7). 0: greedy, one sample for each problem (STaR).",
    )
    top_k: int = Field(default=40, ge=0, le=100_000, description="Top-K (paper: 40); 0: off.")
    top_p: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Nucleus mass; 1: off (paper: not used)."
    )
    max_tokens: int = Field(
        default=512,
        ge=1,
        le=32_768,
        description="Longest solution in tokens. Not in the paper; 512 covers nearly all human "
        "MATH solutions.",
    )
    enough: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Stop sampling a problem after the shard that brings so many correct samples; "
        "0: off (the paper). Saves easy problems' samples, but changes which correct samples the "
        "cap chooses from, and the share of correct samples is no accuracy any more.",
    )
    hard_samples: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="Samples for each problem that none of the first `samples` solved; 0: no more "
        "(the paper). Finds rare solutions of hard problems, and so shifts the training rows "
        "towards them.",
    )
    teacher: str = Field(
        default="",
        description="Draw the samples from this model and not from the policy (distillation, paper "
        "section 5.3): a source as in `model.base`. Empty: from the policy.",
    )

    @model_validator(mode="after")
    def _one_greedy_sample(self) -> SamplingSettings:
        if self.temperature == 0 and max(self.samples, self.hard_samples) > 1:
            raise ValueError(
                "temperature 0 gives one solution for each problem; expected samples = 1 and no "
                f"hard_samples, not {self.samples} and {self.hard_samples}"
            )
        return self


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

    @field_validator("thresholds")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        rises = all(a < b for a, b in itertools.pairwise(value))
        if not rises or not all(0 < one <= 1 for one in value):
            raise ValueError(
                f"expected rising rewards in (0, 1], such as [0.5, 0.8, 1.0], not {value}"
            )
        return value


class ExecutionSettings(Section):
    """How the programs of code problems are tested; read for no other problems."""

    time_limit: float = Field(
        default=4.0,
        gt=0.0,
        le=600.0,
        description="Seconds of processor time for each test, the limit of the APPS authors' own "
        "scorer; wall time is limited to three times that.",
    )
    memory_mb: int = Field(
        default=512,
        ge=16,
        le=65_536,
        description="Megabytes of memory for each test, beside the interpreter's own. Not in the "
        "paper.",
    )
