"""What a study is: arms that differ in a few fields, claims of the paper, figures.

A study's design stands before its result: which runs, which quantity, which direction the paper
reports, and when a difference counts. What comes out is judged by these rules alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from flows.config.rest_em import RestEmConfig
from flows.study.claims import Claim

if TYPE_CHECKING:
    from flows.study.figures import DrawFigure

StudyTask = Literal["math", "code", "notes"]
TASKS: tuple[StudyTask, ...] = get_args(StudyTask)


@dataclass(frozen=True)
class Bases:
    """What the arms of a study are changes of.

    Attributes:
        math: Configuration of the arms on math problems.
        code: Of those on programs.
        notes: Of those on notes, by preferences.
        student: Source of a smaller base policy for math, for distillation.
    """

    math: RestEmConfig
    code: RestEmConfig
    notes: RestEmConfig
    student: str

    def of(self, task: StudyTask) -> RestEmConfig:
        """What arms on a task are changes of."""
        return getattr(self, task)

    @property
    def all(self) -> list[RestEmConfig]:
        """Of every task."""
        return [self.of(task) for task in TASKS]


@dataclass(frozen=True)
class Arm:
    """One run of each seed.

    Attributes:
        name: In tables and figures; unique in its study.
        changes: Dotted field → value, changed in the task's configuration.
        task: Which configuration.
    """

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    task: StudyTask = "math"


@dataclass(frozen=True)
class Comparison:
    """A table of arms, each held against one of them on the same seeds.

    Attributes:
        against: The arm that the others are held against.
        arms: These.
        metrics: Title of a column → metric of the last policy (results.py names them).
    """

    against: str
    arms: Sequence[str]
    metrics: Mapping[str, str]


# Columns of the table of numbers: title → metric (results.py names them) and policy, -1 the last.
NUMBERS: Mapping[str, tuple[str, int]] = {
    name: (name, -1) for name in ("greedy", "train", "pass@1", "pass@8", "maj@8", "transfer")
}


@dataclass(frozen=True)
class Study:
    """A named study.

    Attributes:
        question: What it asks, in a sentence or two.
        comparison: A table of arms against one of them, where there is one.
        numbers: Columns of the table of numbers, as in NUMBERS.
    """

    name: str
    title: str
    question: str
    arms: Callable[[Bases], Sequence[Arm]]
    claims: Sequence[Claim]
    figures: Sequence[DrawFigure]
    comparison: Comparison | None = None
    numbers: Mapping[str, tuple[str, int]] = field(default_factory=lambda: NUMBERS)
