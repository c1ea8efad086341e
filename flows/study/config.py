"""`StudyConfig`: which study, on which configurations, with how many seeds."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flows.config import RestEmConfig, load_config, parse
from flows.study import named
from flows.study.design import Arm, Bases, Study
from tasks.artifacts import Json, digest_of
from tasks.errors import UserError
from tasks.settings import CODE_SETS

ALL = "all"


def names() -> list[str]:
    """The studies there are: one file each in flows/study/named."""
    return sorted(module.name for module in pkgutil.iter_modules(named.__path__))


def find(name: str) -> Study:
    """A study by its name.

    Raises:
        UserError: there is none.
    """
    module = name.replace("-", "_")
    if module not in names():
        known = ", ".join(one.replace("_", "-") for one in names())
        raise UserError(f"NAME {name}: expected {ALL} or one of: {known}")
    return importlib.import_module(f"flows.study.named.{module}").STUDY


class StudyConfig(BaseModel):
    """One study, or all of them, over several seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    study: str = Field(default=ALL, description="Name of a study, or `all`.")
    math: RestEmConfig = Field(
        default_factory=lambda: load_config("study-math"),
        title="Runs on math problems",
        description="What the arms on math problems are changes of.",
    )
    code: RestEmConfig = Field(
        default_factory=lambda: load_config("study-code"),
        title="Runs on programs",
        description="What the arms on programs are changes of.",
    )
    tasks: list[str] = Field(
        default=["math", "code"],
        min_length=1,
        description="Arms on math problems, on programs, or both.",
    )
    seeds: int = Field(
        default=5, ge=1, le=1000, description="Runs of each arm, with seeds 1, 2 and so on."
    )
    student: str = Field(
        default="embedded:mini-math",
        description="Smaller base policy for distillation on math problems, as in model.base.",
    )

    @field_validator("study")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != ALL:
            try:
                find(value)
            except UserError as error:
                raise ValueError(str(error).partition(": ")[2]) from None
        return value

    @field_validator("tasks")
    @classmethod
    def _tasks(cls, value: list[str]) -> list[str]:
        if set(value) - {"math", "code"}:
            raise ValueError(f"expected math, code or both, not {value}")
        return value

    @property
    def studies(self) -> list[Study]:
        """What is asked for, in the order in which each can use most of what came before."""
        found = [find(name) for name in (names() if self.study == ALL else [self.study])]
        return sorted(found, key=lambda study: (len(study.arms(self.bases)), study.name))

    @property
    def bases(self) -> Bases:
        """What arms are changes of."""
        return Bases(self.math, self.code, self.student)

    @property
    def run_id(self) -> str:
        """Name plus a hash of what decides the results."""
        recipe = {
            "bases": [self.math.run_id, self.code.run_id, self.student],
            "seeds": self.seeds,
            "tasks": sorted(self.tasks),
        }
        return f"study-{self.study}-{digest_of(recipe)[:8]}"

    @property
    def sandbox(self) -> Json | None:
        """What the study's runs need of the sandbox."""
        code = any(arm.task == "code" for study in self.studies for arm in self.arms(study))
        return self.code.sandbox if code else None

    def arms(self, study: Study) -> list[Arm]:
        """The arms of a study that are on the tasks asked for."""
        return [arm for arm in study.arms(self.bases) if arm.task in self.tasks]

    def run_of(self, arm: Arm, seed: int) -> RestEmConfig:
        """The configuration of one run.

        Raises:
            UserError: the arm's changes do not fit the configuration.
        """
        base = self.math if arm.task == "math" else self.code
        raw: dict[str, Any] = base.model_dump()
        for key, value in {"seed": seed, **arm.changes}.items():
            *parts, last = key.split(".")
            section = raw
            for part in parts:
                section = section[part]
            section[last] = value
        return parse(RestEmConfig, raw, f"arm {arm.name!r}")


def load_study(
    study: str, configs: list[str], seeds: int, student: str, changes: list[str]
) -> StudyConfig:
    """What the command line asks for.

    Args:
        study: Its name, or `all`.
        configs: Files or names of run configurations; empty: the embedded tasks.
        seeds: Runs of each arm.
        student: Smaller base policy; empty: the default.
        changes: `key=value` for every configuration.

    Raises:
        UserError: naming the file or field and what was expected.
    """
    if study != ALL:
        find(study)
    raw: dict[str, Any] = {"study": study, "seeds": seeds}
    if student:
        raw["student"] = student
    for path in configs or ["study-math", "study-code"]:
        config = load_config(path, changes)
        task = "code" if config.data.train in CODE_SETS else "math"
        if task in raw:
            raise UserError(f"--config {path}: a second one for {task}; expected one for each task")
        raw[task] = config
    raw["tasks"] = [task for task in ("math", "code") if task in raw]
    return parse(StudyConfig, raw, "study")
