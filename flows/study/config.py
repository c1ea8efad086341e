"""`StudyConfig`: which study, on which configurations, with how many seeds."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig, load_config
from flows.orchestrator.allowed_paths import check_places
from flows.orchestrator.api_limits import check_config, from_api
from flows.study import named
from flows.study.design import TASKS, Arm, Bases, Study, StudyTask
from tasks.errors import UserError
from tasks.settings import Resources
from tasks.settings.place import Place
from tasks.settings.user_function import UserFunction
from tasks.store.store import digest_of

ALL = "all"
NOTES = "study-notes"


def study_names() -> list[str]:
    """The studies there are: one file each in flows/study/named."""
    return sorted(one.name.replace("_", "-") for one in pkgutil.iter_modules(named.__path__))


def find_study(name: str) -> Study:
    """The study of one of `study_names()`."""
    return importlib.import_module(f"flows.study.named.{name.replace('-', '_')}").STUDY


class StudyConfig(BaseModel):
    """One study, or all of them, over several seeds; what the form in Prefect's UI asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    study: str = Field(
        default=ALL,
        description="A study of the paper's experiments, or all of them.",
        json_schema_extra={"enum": [ALL, *study_names()]},
    )
    seeds: int = Field(
        default=5, ge=1, le=1000, description="Runs of each arm, with seeds 1, 2 and so on."
    )
    math: Place = Field(
        default="study-math",
        description="What arms on math problems are changes of: a TOML file or a name in configs/; "
        "empty: leave these arms out.",
    )
    code: Place = Field(
        default="study-code",
        description="The same for arms on programs.",
    )
    notes: Place = Field(
        default=NOTES,
        description="The same for arms on notes, which are trained on preferences.",
    )
    changes: list[str] = Field(
        default=[],
        max_length=100,
        description="Fields to change in every arm, such as sampling.samples=16.",
    )
    student: Place = Field(
        default="embedded:mini-math",
        description="Smaller base policy for distillation on math problems, as in model.base.",
    )

    @field_validator("study")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in (ALL, *study_names()):
            raise ValueError(f"{value}: expected {ALL} or one of: {', '.join(study_names())}")
        return value

    @model_validator(mode="after")
    def _of_their_tasks(self) -> StudyConfig:
        if not any(getattr(self, task) for task in TASKS):
            raise ValueError(
                f"{', '.join(TASKS)} are all empty; expected a configuration for one of them"
            )
        for task in TASKS:
            if path := getattr(self, task):
                try:
                    found = task_of_config(_load(task, path, self.changes))
                except UserError as error:
                    raise ValueError(f"{task}: {error}") from None
                if found != task:
                    raise ValueError(f"{task}: {path} has {found} problems; expected {task}")
        if not self.studies:
            raise ValueError(f"{self.study} has no arms on these problems; expected the other task")
        return self

    @cached_property
    def bases(self) -> Bases:
        """What arms are changes of; of a task that is left out, the embedded one."""
        found = {
            task: _load(
                task,
                getattr(self, task) or f"study-{task}",
                self.changes if getattr(self, task) else [],
            )
            for task in TASKS
        }
        return Bases(**found, student=self.student)

    @property
    def studies(self) -> list[Study]:
        """What is asked for, small ones first."""
        found = [
            find_study(name) for name in (study_names() if self.study == ALL else [self.study])
        ]
        some = [study for study in found if self.arms(study)]
        return sorted(some, key=lambda study: (len(self.arms(study)), study.name))

    @property
    def run_id(self) -> str:
        """Name plus a hash of what decides the results."""
        bases = [
            self.math and self.bases.math.run_id,
            self.code and self.bases.code.run_id,
            self.student,
        ]
        # Studies that had been there before are the runs that they were.
        if self._on_notes_alone or self.notes != NOTES:
            bases.append(self.notes and self.bases.notes.run_id)
        return f"study-{self.study}-{digest_of({'bases': bases, 'seeds': self.seeds})[:8]}"

    @property
    def resources(self) -> Resources:
        """Where and how fast, for all arms: engines and checkers are shared."""
        if self._on_notes_alone:
            return self.bases.notes.resources
        return (self.bases.math if self.math else self.bases.code).resources

    @property
    def _on_notes_alone(self) -> bool:
        return {arm.task for study in self.studies for arm in self.arms(study)} == {"notes"}

    @property
    def sandbox(self) -> dict[str, object] | None:
        """What the studies' runs need of the sandbox."""
        code = any(arm.task == "code" for study in self.studies for arm in self.arms(study))
        return self.bases.code.sandbox if code else None

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every field that may name a file or a folder, and what it names."""
        own = [*((task, getattr(self, task)) for task in TASKS), ("student", self.student)]
        return [*own, *(place for one in self.bases.all for place in one.places)]

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Every field that names where else to compute, and what it names."""
        found = (address for one in self.bases.all for address in one.addresses)
        return [*self.resources.addresses, *found]

    @property
    def named_functions(self) -> list[tuple[str, str]]:
        """Every field that names a function of the user's own, and how it names it."""
        return [named for one in self.bases.all for named in one.named_functions]

    @property
    def functions(self) -> list[UserFunction]:
        """The user's own functions that the arms' bases name."""
        return [function for one in self.bases.all for function in one.find_functions()]

    def arms(self, study: Study) -> list[Arm]:
        """The arms of a study that are on the tasks asked for."""
        asked = {task for task in TASKS if getattr(self, task)}
        return [arm for arm in study.arms(self.bases) if arm.task in asked]

    def run_of(self, arm: Arm, seed: int) -> RestEmConfig:
        """The configuration of one run.

        Raises:
            UserError: the arm's changes do not fit the configuration.
        """
        base = self.bases.of(arm.task)
        raw = base.model_dump()
        for key, value in {"seed": seed, **arm.changes}.items():
            *parts, last = key.split(".")
            section = raw
            for part in parts:
                section = section[part]
            section[last] = value
        return parse(RestEmConfig, raw, f"arm {arm.name!r}")


def _load(field: str, path: str, changes: list[str]) -> RestEmConfig:
    """A base of arms; in a run from the API, no file is opened that it may not name.

    Prefect makes a configuration, and asks for its name, before the flow can look at it.
    """
    if not from_api():
        return load_config(path, changes)
    check_places([(field, path)])
    return load_config(path, changes, check=check_config)


def task_of_config(config: RestEmConfig) -> StudyTask:
    """What a configuration's problems are of."""
    domains = config.data.train_domains
    return "code" if "code" in domains else "notes" if "notes" in domains else "math"


def load_study(
    study: str, configs: list[str], seeds: int, student: str, changes: list[str]
) -> StudyConfig:
    """What the command line asks for.

    Args:
        study: Its name, or `all`.
        configs: Files or names of run configurations, at most one for each task; empty: the
            embedded tasks.
        student: Smaller base policy; empty: the default.
        changes: `key=value` for every arm.

    Raises:
        UserError: naming the file or field and what was expected.
    """
    raw: dict[str, object] = {"study": study, "seeds": seeds, "changes": changes}
    if student:
        raw["student"] = student
    if configs:
        raw |= dict.fromkeys(TASKS, "")
    for path in configs:
        task = task_of_config(load_config(path, changes))
        if raw[task]:
            raise UserError(f"--config {path}: a second one for {task}; expected one for each task")
        raw[task] = path
    return parse(StudyConfig, raw, "study")
