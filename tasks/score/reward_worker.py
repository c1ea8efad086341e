"""The process of a reward of the user's own: what it is given, and what it may return."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from tasks.dag.contracts import Grade
from tasks.processes.function_worker import Function, WrongReturn, serve_function
from tasks.rows import Json, Status

_SHOWN = 80


@dataclass(frozen=True)
class Problem:
    """What a reward may know of a problem beside its question and its reference."""

    id: str
    level: str
    subject: str


def call_reward(function: Function, given: Json) -> float:
    """Call a reward with the arguments that it asks for, as they came over the pipe.

    Raises:
        WrongReturn: it gave no number in [0, 1].
    """
    arguments = dict(given)
    if grade := arguments.get("grade"):
        status = Status(grade["status"])
        arguments["grade"] = Grade(
            grade["reward"], status, grade["extracted"], grade["first_failure"]
        )
    if problem := arguments.get("problem"):
        arguments["problem"] = Problem(**problem)
    return checked_reward(function(**arguments))


def checked_reward(value: object) -> float:
    """A reward as a float; a truth value is 1 or 0, a scalar of a library its number.

    Raises:
        WrongReturn: it is no finite number in [0, 1].
    """
    item = getattr(value, "item", None)
    plain = item() if item is not None and getattr(value, "ndim", None) == 0 else value
    if not isinstance(plain, Real):
        raise WrongReturn(
            f"it returned {type(value).__name__} ({value!r:.{_SHOWN}}); expected a number in [0, 1]"
        )
    number = float(plain)
    if not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise WrongReturn(f"it returned {number}; expected a number in [0, 1]")
    return number


def main() -> None:
    """The body of the process."""
    serve_function(call_reward)
