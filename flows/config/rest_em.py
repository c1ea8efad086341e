"""`RestEmConfig`: the one description of a run.

It is the parameter form in Prefect's UI, the TOML file in configs/, and what `--set` changes.
Recipe sections decide the result and are in cache keys; `resources` is in none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.config.benchmarks import BENCHMARKS
from flows.config.improve import check_improve
from flows.config.read import blamed, change, changed, parse
from flows.config.rewards import check_rewards
from flows.config.run_file import read_config, with_whole_store
from tasks.errors import UserError
from tasks.generate.hosted.service import hosted_addresses
from tasks.score.step import sandbox_settings
from tasks.settings import (
    DataSettings,
    EvaluationSettings,
    ExecutionSettings,
    FilterSettings,
    FinetuneSettings,
    ModelSettings,
    Resources,
    SamplingSettings,
    Section,
    domain_of,
)
from tasks.settings.filter import SCORE
from tasks.settings.judge import JudgeSettings
from tasks.settings.problems import TRAIN
from tasks.settings.reward import RewardSettings
from tasks.settings.tracking import TrackerName
from tasks.settings.user_function import UserFunction, file_of
from tasks.store.store import digest_of


class RestEmConfig(BaseModel):
    """A ReST^EM run: problems, policy, and the settings of each step."""

    # No name or path is longer, and a text of a megabyte in a form is no mistake of a person.
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    name: str = Field(
        default="rest-em",
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        description="Name of the run: lower-case letters, digits and hyphens.",
    )
    seed: int = Field(
        default=1,
        ge=0,
        lt=2**31,
        description="Seed of sampling, the cap's draw and training. Another "
        "seed draws fresh samples; the same seed finds them in the cache.",
    )
    fresh_seed: bool = Field(
        default=False,
        description="Replace the seed by one made from the flow run, so that every scheduled run "
        "draws fresh samples, and a retry of it the same ones.",
    )
    iterations: int = Field(
        default=3,
        ge=1,
        le=20,
        description="Iterations of generate and improve (paper: MATH 3, APPS 2).",
    )
    stop_on_validation: bool = Field(
        default=False,
        description="End the loop after an iteration whose validation accuracy is below that of "
        "the policy before it. Off in the paper, which shows fixed numbers of iterations.",
    )
    review: bool = Field(
        default=False,
        description="Wait for a person after each iteration but the last: continue, stop, or "
        "sample the next one otherwise. Meanwhile no process and no memory is held.",
    )
    tracking: list[TrackerName] = Field(
        default=[],
        description="Where to keep the run's curves as well, by name of the library. Changes no "
        "result and stands in no key.",
    )
    data: DataSettings = Field(default_factory=DataSettings, title="Problems")
    model: ModelSettings = Field(default_factory=ModelSettings, title="Base policy")
    sampling: SamplingSettings = Field(default_factory=SamplingSettings, title="Generate (E-step)")
    filter: FilterSettings = Field(default_factory=FilterSettings, title="Filter")
    execution: ExecutionSettings = Field(
        default_factory=ExecutionSettings, title="Execute (code), and how math is checked"
    )
    finetune: FinetuneSettings = Field(default_factory=FinetuneSettings, title="Finetune (M-step)")
    judge: JudgeSettings = Field(default_factory=JudgeSettings, title="Judge (preferences)")
    reward: RewardSettings = Field(default_factory=RewardSettings, title="Reward (preferences)")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, title="Evaluate")
    resources: Resources = Field(default_factory=Resources, title="Resources (change no result)")

    @model_validator(mode="after")
    def _fits_together(self) -> RestEmConfig:
        own = self.data.train not in TRAIN.names  # its domain is known when it is read
        field = "rewards" if self.filter.rewards else "score"
        asked = {self.filter.score, *(one.reward for one in self.filter.rewards)}
        if "tests" in asked and "code" not in self.data.train_domains and not own:
            raise ValueError(
                f"filter.{field}: tests is a reward of programs; expected correct, or a data.train "
                f"of code, not {self.data.train}"
            )
        check_rewards(self)
        if self.finetune.method == "qlora":
            self._can_quantize()
        check_improve(self)
        return self

    def _can_quantize(self) -> None:
        if self.resources.device == "cpu":
            raise ValueError(
                "finetune.method: qlora needs a GPU; expected lora or full with resources.device = "
                "cpu"
            )
        if self.resources.train_processes > 1 and self.resources.train_strategy == "fsdp":
            raise ValueError(
                "resources.train_strategy: weights of four bits (finetune.method = qlora) are not "
                "split; expected ddp"
            )

    @property
    def sandbox(self) -> dict[str, object] | None:
        """What a run needs of the sandbox; None where no problems are of code."""
        others = {BENCHMARKS[name].data for name in self.evaluation.transfer}
        code = "code" in self.data.domains | {domain_of(name) for name in others}
        return sandbox_settings(self.execution) if code else None

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every field that may name a file or a folder, and what it names."""
        return [
            *((field, file_of(text)) for field, text in self.named_functions),
            *self.data.places,
            ("model.base", self.model.base),
            ("model.prompt", self.model.prompt),
            ("sampling.teacher", "" if self.sampling.hosted_teacher else self.sampling.teacher),
            ("judge.model", "" if self.judge.hosted else self.judge.model),
            ("judge.prompt", self.judge.prompt),
            ("judge.source", self.judge.source),
            ("judge.reference", self.judge.reference),
            *self.evaluation.places,
            ("resources.store", self.resources.store),
        ]

    @property
    def named_functions(self) -> list[tuple[str, str]]:
        """Every field that names a function of the user's own, and how it names it."""
        rewards = [
            (f"filter.rewards[{place}]", one.reward)
            for place, one in enumerate(self.filter.rewards)
            if one.reward not in SCORE.names
        ]
        choices = (*self.data.CHOICES.items(), *self.filter.CHOICES.items())
        given = {**self.data.model_dump(), **self.filter.model_dump()}
        return rewards + [
            (choice.field, given[name])
            for name, choice in choices
            if given[name] not in choice.names
        ]

    def find_functions(self) -> list[UserFunction]:
        """The user's own functions, read from their files once.

        Raises:
            UserError: one is nowhere or not to be called, or does not fit the other settings.
        """
        found = [*self.data.functions.values(), *self.filter.functions.values()]
        if self.sampling.enough or self.sampling.hard_samples:
            for one in found:
                if one.kind == "reward" and "samples" in one.arguments:
                    raise UserError(
                        f"{one.field}: {one.label} asks for samples, which are all there at the "
                        "end alone; expected no sampling.enough and no sampling.hard_samples"
                    )
        return found

    @property
    def first_name(self) -> str:
        """Of the flow run: the run's id, or its name alone where the id hangs on files to read."""
        return self.name if self.named_functions else self.run_id

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Everything that names where else to compute, and what it names."""
        hosted = self.sampling.hosted_teacher or self.judge.hosted
        return [*self.resources.addresses, *hosted_addresses(hosted)]

    @property
    def run_id(self) -> str:
        """Name plus a hash of the recipe: the same recipe is the same run, and resumes it."""
        recipe = self.model_dump(exclude={"resources", "name", "fresh_seed", "tracking"})
        for name in recipe:
            if isinstance(section := getattr(self, name), Section):
                recipe[name] = section.recipe()
        for name in self._unused_sections:
            del recipe[name]
        if not self.review:  # without reviews a run is the one that it was before there were any
            del recipe["review"]
        return f"{self.name}-{digest_of(recipe)[:8]}"

    def described(self) -> dict[str, object]:
        """The recipe as it stands in the report and in its key."""
        plain = self.model_dump(exclude={"resources", "tracking"})
        for name in plain:
            if isinstance(section := getattr(self, name), Section):
                plain[name] = section.described()
        for name in self._unused_sections:
            del plain[name]
        return plain

    @property
    def has_preferences(self) -> bool:
        """Whether a judge, people or a reward model have a say in the run."""
        return len(self._unused_sections) < len(_DEFAULTS)

    @property
    def _unused_sections(self) -> list[str]:
        """Sections that came later and of which nothing is said: they stand in no key."""
        return [name for name in ("judge", "reward") if getattr(self, name) == _DEFAULTS[name]]

    def seeded(self, flow_run: str) -> RestEmConfig:
        """The configuration with the seed that a fresh one stands for.

        Args:
            flow_run: Prefect's id of the flow run, which its retries share.
        """
        if not self.fresh_seed:
            return self
        seed = int(digest_of(flow_run)[:8], 16) % 2**31
        return self.model_copy(update={"seed": seed, "fresh_seed": False})


_DEFAULTS = {"judge": JudgeSettings(), "reward": RewardSettings()}


def load_config(
    path: str | Path,
    changes: list[str] | None = None,
    check: Callable[[RestEmConfig], None] = lambda config: None,
) -> RestEmConfig:
    """Read a configuration and apply `key=value` changes.

    Args:
        path: A TOML file, or the name of one in configs/ without its ending. With `like = "NAME"`
            it has the fields of that one, and its own above them.
        changes: Such as `sampling.samples=16`; values are TOML, a bare word is text.
        check: Looks at it before files that it names are read.

    Raises:
        UserError: naming the file or field and what was expected.
    """
    raw, file = read_config(path)
    change(raw, changes or [])
    with_whole_store(raw)
    config = parse(RestEmConfig, raw, file, changes or [])
    check(config)
    try:
        config.find_functions()
    except UserError as error:
        raise UserError(blamed(str(error), changed(changes))) from None
    return config
