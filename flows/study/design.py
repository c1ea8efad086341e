"""What a study is: arms that differ in a few fields, claims of the paper, figures.

A study's design stands before its result: which runs, which quantity, which direction the paper
reports, and when a difference counts. What comes out is judged by these rules alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flows.config import RestEmConfig

if TYPE_CHECKING:
    from flows.study.figures import Draw
    from flows.study.results import Results

Task = Literal["math", "code"]
Expect = Literal["above", "below", "equal", "not below"]
# Points of accuracy within which two arms count as equal, where the paper says that they are.
MARGIN = 0.02


@dataclass(frozen=True)
class Bases:
    """What the arms of a study are changes of.

    Attributes:
        math: Configuration of the arms on math problems.
        code: Of those on programs.
        student: Source of a smaller base policy for math, for distillation.
    """

    math: RestEmConfig
    code: RestEmConfig
    student: str


@dataclass(frozen=True)
class Arm:
    """One run of each seed.

    Attributes:
        name: In tables and figures; unique in its study.
        changes: Dotted field → value, changed in the task's configuration.
        task: Which configuration.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    task: Task = "math"


# A quantity of one seed, or None where it was not measured.
Quantity = Callable[["Results", int], float | None]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is judged here.

    Attributes:
        paper: What the paper found, with its numbers.
        here: What is measured here in its place, in words.
        value: The quantity, a share of 1, of one seed.
        expect: Where the paper says that it lies: its interval over seeds above 0, below 0, within
            `margin` of 0, or not below -`margin`.
        margin: See `expect`.
    """

    paper: str
    here: str
    value: Quantity
    expect: Expect = "above"
    margin: float = MARGIN


@dataclass(frozen=True)
class Study:
    """A named study.

    Attributes:
        name: On the command line.
        title: Of its page.
        question: What it asks, in a sentence or two.
        arms: Its runs.
        claims: What the paper says.
        figures: What is drawn.
    """

    name: str
    title: str
    question: str
    arms: Callable[[Bases], Sequence[Arm]]
    claims: Sequence[Claim]
    figures: Sequence[Draw]


def of(arm: str, metric: str = "greedy", at: int = -1) -> Quantity:
    """The value of a metric (results.py names them) of policy p_at of an arm; -1: the last."""
    return lambda results, seed: results.value(arm, seed, metric, at)


def minus(first: Quantity, second: Quantity) -> Quantity:
    """The difference of two quantities of the same seed."""

    def difference(results: Results, seed: int) -> float | None:
        a, b = first(results, seed), second(results, seed)
        return None if a is None or b is None else a - b

    return difference


def better(first: str, second: str, metric: str = "greedy", at: int = -1) -> Quantity:
    """How much an arm is better than another at its end (or both at p_at)."""
    return minus(of(first, metric, at), of(second, metric, at))


def gain(arm: str, metric: str = "greedy", since: int = 0, at: int = -1) -> Quantity:
    """How much an arm's policy p_at is better than its p_since."""
    return minus(of(arm, metric, at), of(arm, metric, since))
