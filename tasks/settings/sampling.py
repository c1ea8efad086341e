"""Settings of the base policy and of the E-step: sample, execute, filter."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from tasks.settings.place import Place
from tasks.settings.section import Section
from tasks.settings.vllm_args import MOST, VllmArgs, check_sampling_args, parse_vllm_args

# A teacher that is no model but samples which `restem import` brought in.
IMPORTED = "import:"
# `sampling.teacher` of a model that a service runs and sells (tasks/generate/hosted).
HOSTED = "openai:"
# The protocol's own bound.
MOST_HOSTED_TEMPERATURE = 2.0
# What a server of a model may have a default of its own for (tasks/generate/neutral.py).
NeutralField = Literal[
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
]
# Those of them that only some hosted services take; `top_p` is of the protocol.
TeacherField = Literal[
    "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"
]


class SamplingSettings(Section):
    """The E-step: how solutions are sampled from the policy."""

    LATER: ClassVar[frozenset[str]] = frozenset(
        {
            *("enough", "hard_samples", "teacher", "teacher_system", "teacher_fields"),
            *("vllm_args", "search", "search_samples"),
        }
    )

    LATEST: ClassVar[frozenset[str]] = frozenset(
        {"teacher_system", "teacher_fields", "vllm_args", "search", "search_samples"}
    )

    engine: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description="Sampling engine. It is recipe, not resource: engines draw different samples "
        "from the same distribution.",
    )
    vllm_args: Annotated[list[str], AfterValidator(check_sampling_args)] = Field(
        default=[],
        max_length=MOST,
        examples=[["kv_cache_dtype=fp8"]],
        description="Arguments of vLLM's own that change samples, each name=value, such as "
        "quantization=fp8; they are in the key. Those of speed alone: `resources.vllm_args`.",
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
    search: list[float] = Field(
        default=[],
        max_length=20,
        description="Temperatures among which each iteration chooses the one with the best balance "
        "of unlike and correct samples on validation problems (B-STaR, 2412.17256), such as "
        "[0.5, 0.7, 1.0]. Empty: `temperature`.",
    )
    search_samples: int = Field(
        default=8,
        ge=1,
        le=4096,
        description="Samples of each validation problem and temperature for that choice.",
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
    teacher: Place = Field(
        default="",
        description="Draw the samples from this model and not from the policy (distillation, paper "
        "section 5.3): a source as in `model.base`, or `openai:MODEL` for a hosted one, whose "
        "address and key are in OPENAI_BASE_URL and OPENAI_API_KEY. `import:NAME`: samples that "
        "`restem import` brought in. Empty: from the policy.",
    )
    teacher_system: str = Field(
        default="",
        description="System text of a hosted teacher, such as how to end an answer. Empty: the "
        "preamble of the prompt template, where it has one.",
    )

    teacher_fields: list[TeacherField] = Field(
        default=[],
        description="Fields that the service of a hosted teacher takes beside those of OpenAI's "
        "chat completions. They are sent with values that do nothing (top_k with sampling.top_k), "
        "so that a default of the service or of the model's generation_config.json does not count. "
        "A service that refuses fields it does not know goes without.",
    )

    @property
    def hosted_teacher(self) -> str:
        """Name of the hosted model that draws the samples; empty: none does."""
        return self.teacher.removeprefix(HOSTED) if self.teacher.startswith(HOSTED) else ""

    @property
    def engine_args(self) -> VllmArgs:
        """`vllm_args` by name."""
        return parse_vllm_args(self.vllm_args)

    @model_validator(mode="after")
    def _vllm_has_them(self) -> SamplingSettings:
        if self.vllm_args and (self.engine != "vllm" or self.hosted_teacher):
            raise ValueError(
                "vllm_args: for samples that vLLM draws; expected engine = vllm, and no hosted "
                "teacher"
            )
        return self

    @model_validator(mode="after")
    def _hosted_can(self) -> SamplingSettings:
        if not self.teacher.startswith(HOSTED):
            if self.teacher_system:
                raise ValueError(
                    "teacher_system: for a hosted teacher alone; expected teacher = openai:MODEL"
                )
            if self.teacher_fields:
                raise ValueError(
                    "teacher_fields: for a hosted teacher alone; expected teacher = openai:MODEL"
                )
            return self
        if not self.hosted_teacher:
            raise ValueError("teacher: expected openai:MODEL, such as openai:gpt-4.1-mini")
        if self.top_k and "top_k" not in self.teacher_fields:
            raise ValueError(
                f"top_k: a hosted model takes none; expected 0 with teacher = {self.teacher}, not "
                f"{self.top_k} (or top_k in teacher_fields, of a service that takes it)"
            )
        if self.temperature > MOST_HOSTED_TEMPERATURE:
            raise ValueError(
                f"temperature: a hosted model takes at most {MOST_HOSTED_TEMPERATURE:g}, not "
                f"{self.temperature:g}"
            )
        return self

    @model_validator(mode="after")
    def _one_greedy_sample(self) -> SamplingSettings:
        if self.temperature == 0 and max(self.samples, self.hard_samples) > 1:
            raise ValueError(
                "temperature 0 gives one solution for each problem; expected samples = 1 and no "
                f"hard_samples, not {self.samples} and {self.hard_samples}"
            )
        return self
