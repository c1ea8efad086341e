"""`EvaluateConfig`: the one description of an evaluation, for the UI's form, TOML and `--set`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from flows.config.benchmarks import BENCHMARKS, GROUPS
from flows.config.read import change, parse, read_toml
from tasks.paths import CONFIGS
from tasks.score.step import sandbox_settings
from tasks.settings import BenchmarkName, ExecutionSettings, MeasureSettings, Resources
from tasks.settings.place import Place
from tasks.settings.vllm_args import MOST, check_sampling_args
from tasks.settings.win_rate import ORACLE, WinRateJudge
from tasks.store.store import digest_of

EVALUATIONS = CONFIGS / "evaluate"
Engine = Literal["transformers", "vllm"]
Dtype = Literal["float32", "bfloat16", "float16"]
ENGINES: tuple[str, ...] = get_args(Engine)
DTYPES: tuple[str, ...] = get_args(Dtype)


class EvaluateConfig(BaseModel):
    """An evaluation: a model, benchmarks, and optionally a model to compare with."""

    # No name or path is longer, and a text of a megabyte in a form is no mistake of a person.
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    name: str = Field(
        default="evaluate",
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        description="Name of the evaluation: lower-case letters, digits and hyphens.",
    )
    model: Place = Field(
        default="embedded:tiny-math",
        min_length=1,
        description="The policy: RUN or RUN:ITERATION of a finished run (RUN:0 is its base), or a "
        "source of a base model: embedded:NAME, package:MODULE, a folder, a .gguf file, a Hub id "
        "(org/name or org/name@REVISION).",
    )
    against: Place = Field(
        default="",
        description="Policy to compare with, problem by problem, in the same form; empty: none. "
        "Usually the base policy.",
    )
    on: list[BenchmarkName] = Field(
        default=["synthetic_math"],
        min_length=1,
        description="Benchmarks. `bbh` in a file or on the command line is bbh-cot and bbh-direct.",
    )
    seed: int = Field(default=1, ge=0, lt=2**31, description="Seed of the samples.")
    limit: int = Field(
        default=0,
        ge=0,
        description="Problems of each benchmark, the first so many after a seeded shuffle; 0: all.",
    )
    data_seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of that shuffle.")
    shots: int = Field(
        default=-1, ge=-1, le=64, description="Exemplars in the prompts; -1: all of each template."
    )
    engine: Engine = Field(default="transformers", description="Sampling engine.")
    vllm_args: Annotated[list[str], AfterValidator(check_sampling_args)] = Field(
        default=[],
        max_length=MOST,
        examples=[["kv_cache_dtype=fp8"]],
        description="Arguments of vLLM's own that change samples, each name=value, as "
        "`sampling.vllm_args` of a run.",
    )
    dtype: Dtype = Field(
        default="float32",
        description="Number format in sampling. float32 is right on CPU, bfloat16 on GPU.",
    )
    prompts: dict[BenchmarkName, Place] = Field(
        default={}, description="Another prompt template for a benchmark: a name or a TOML file."
    )
    max_tokens: dict[BenchmarkName, int] = Field(
        default={}, description="Another longest solution for a benchmark, in tokens."
    )
    sources: dict[BenchmarkName, Place] = Field(
        default={},
        description="Where a benchmark's data lie: a folder, a JSON-lines file or a Hub id "
        "(org/name or org/name@REVISION). "
        "Otherwise RESTEM_DATA if that is set, else the data set's own Hub id.",
    )
    grades: Place = Field(
        default="",
        description="JSON lines with the points of samples that were graded by hand (hungarian), "
        "as exported by this evaluation and filled in; empty: not graded yet.",
    )
    judge: WinRateJudge = Field(default_factory=WinRateJudge, title="Judge (win rates)")
    measure: MeasureSettings = Field(default_factory=MeasureSettings, title="Measure")
    execution: ExecutionSettings = Field(
        default_factory=ExecutionSettings, title="Execute (code), and how math is checked"
    )
    resources: Resources = Field(default_factory=Resources, title="Resources (change no result)")

    @field_validator("on", mode="before")
    @classmethod
    def _spelled_out(cls, value: object) -> object:
        """Groups become their benchmarks; each comes once."""
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            return value
        named = [one for name in value for one in (GROUPS.get(name, [name]) if name else [])]
        return list(dict.fromkeys(named))

    @field_validator("max_tokens")
    @classmethod
    def _positive(cls, value: dict[BenchmarkName, int]) -> dict[BenchmarkName, int]:
        for name, tokens in value.items():
            if not 1 <= tokens <= 32_768:
                raise ValueError(f"{name}: expected 1 to 32768 tokens, not {tokens}")
        return value

    @model_validator(mode="after")
    def _vllm_has_them(self) -> EvaluateConfig:
        if self.vllm_args and self.engine != "vllm":
            raise ValueError("vllm_args: for samples that vLLM draws; expected engine = vllm")
        return self

    @model_validator(mode="after")
    def _can_judge(self) -> EvaluateConfig:
        judge = self.judge
        if not judge.model:
            if judge != WinRateJudge():
                raise ValueError("judge.model: expected oracle or a model that is asked so")
            return self
        if not self.against:
            raise ValueError("judge.model: it prefers one of two policies; expected against")
        for name in self.on:
            how = BENCHMARKS[name]
            if how.by_hand and judge.model == ORACLE:
                raise ValueError(
                    f"judge.model: {name} is graded by a person; expected a model, not {ORACLE}"
                )
            if how.by_hand and judge.answers == "sampled":
                raise ValueError(f"judge.answers: {name} has one sample; expected greedy")
        if judge.answers == "sampled" and not self.measure.samples:
            raise ValueError(
                "judge.answers: there are no samples; expected measure.samples above 0"
            )
        return self

    @property
    def sandbox(self) -> dict[str, object] | None:
        """What an evaluation needs of the sandbox; None where no benchmark is of code."""
        code = any(BENCHMARKS[name].code for name in self.on)
        return sandbox_settings(self.execution) if code else None

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every field that may name a file or a folder, and what it names."""
        return [
            ("model", self.model),
            ("against", self.against),
            ("grades", self.grades),
            ("judge.model", self.judge.model),
            ("judge.prompt", self.judge.prompt),
            ("resources.store", self.resources.store),
            *((f"prompts.{name}", place) for name, place in self.prompts.items()),
            *((f"sources.{name}", place) for name, place in self.sources.items()),
        ]

    def described(self) -> dict[str, object]:
        """The recipe as it stands in the key of results: without what is at a later default."""
        later = {name for name in ("vllm_args", "judge") if not _is_set(self, name)}
        return self.model_dump(exclude={"resources", "grades", *later})

    @property
    def run_id(self) -> str:
        """Name plus a hash of the recipe; grades that come later do not make another run."""
        recipe = self.described()
        del recipe["name"]
        recipe["execution"] = self.execution.recipe()
        return f"{self.name}-{digest_of(recipe)[:8]}"


def _is_set(config: EvaluateConfig, name: str) -> bool:
    field = EvaluateConfig.model_fields[name]
    return getattr(config, name) != field.get_default(call_default_factory=True)


def load_evaluation(
    path: str | Path, fields: dict[str, object], changes: list[str] | None = None
) -> EvaluateConfig:
    """Read an evaluation's configuration.

    Args:
        path: A TOML file, or the name of one in configs/evaluate/; empty: the defaults.
        fields: Replace those of the file.
        changes: `key=value`, applied last.

    Raises:
        UserError: naming the file or field and what was expected.
    """
    raw, source = read_toml(path, EVALUATIONS) if path else ({}, "evaluate")
    raw |= fields
    change(raw, changes or [])
    return parse(EvaluateConfig, raw, source, changes or [])
