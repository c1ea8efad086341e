"""Rewards beside the checker's own: how much a training sample is worth (`filter.score`).

The checker says whether a sample is right, and gives 1 or 0 (of a program, with `tests`, the share
of tests passed). A reward of the user's own is a function of the sample, its problem and that
grade, in [0, 1]; the status of the verdict stays the checker's, so what is measured of a policy
does not change. A sample on which a function failed has the status checker_error, and reward 0.

Of several rewards r_i with weights w_i and gates g_i (`filter.rewards`) the whole is

    0 if any r_i < g_i, else  sum(w_i r_i) / sum(w_i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.rows import Json
from tasks.settings import FilterSettings
from tasks.settings.user_function import UserFunction


@dataclass(frozen=True)
class Part:
    """One reward.

    Attributes:
        name: correct, tests, or for people the function.
        function: None: the checker's own.
    """

    name: str
    function: UserFunction | None
    weight: float = 1.0
    at_least: float = 0.0

    def to_json(self) -> dict[str, object]:
        """For another process or machine."""
        function = self.function and self.function.to_json()
        return {**vars(self), "function": function}


@dataclass(frozen=True)
class Rewards:
    """What a sample is worth, where that is not for the checker alone to say.

    Attributes:
        several: Whether each one's value is kept beside the verdicts.
        seconds: Limit of a call.
    """

    parts: tuple[Part, ...]
    several: bool
    seconds: float

    @property
    def key(self) -> dict[str, object]:
        """As it stands in cache keys."""
        if not self.several:
            (part,) = self.parts
            assert part.function is not None
            return {**part.function.key, "seconds": self.seconds}
        parts = [
            {
                "reward": part.function.key if part.function else part.name,
                "weight": part.weight,
                "at_least": part.at_least,
            }
            for part in self.parts
        ]
        return {"rewards": parts, "seconds": self.seconds}

    @property
    def label(self) -> str:
        """For people."""
        return ", ".join(part.name for part in self.parts if part.function)

    @property
    def checker(self) -> Literal["correct", "tests"]:
        """What the checker itself is asked for."""
        return "tests" if any(part.name == "tests" for part in self.parts) else "correct"

    def asks_for(self, argument: str) -> bool:
        """Whether one of the functions does."""
        return any(part.function and argument in part.function.arguments for part in self.parts)

    def combined(self, values: Sequence[float]) -> float:
        """The whole reward of a sample."""
        pairs = list(zip(self.parts, values, strict=True))
        if any(value < part.at_least for part, value in pairs):
            return 0.0
        total = sum(part.weight for part in self.parts)
        return min(1.0, sum(part.weight * value for part, value in pairs) / total)

    def to_json(self) -> dict[str, object]:
        """For another process or machine."""
        parts = [part.to_json() for part in self.parts]
        return {"parts": parts, "several": self.several, "seconds": self.seconds}

    @classmethod
    def from_json(cls, raw: Json) -> Rewards:
        """The inverse of `to_json`."""
        parts: list[Part] = []
        for one in raw["parts"]:
            function = one["function"] and UserFunction.from_json(one["function"])
            parts.append(Part(one["name"], function, one["weight"], one["at_least"]))
        return cls(tuple(parts), raw["several"], raw["seconds"])


def rewards_of(settings: FilterSettings) -> Rewards | None:
    """What the settings ask for; None where the checker alone decides.

    Raises:
        UserError: a function is nowhere, or not to be called.
    """
    found = settings.functions
    if settings.rewards:
        parts: list[Part] = []
        for place, one in enumerate(settings.rewards):
            function = found.get(f"rewards[{place}]")
            name = function.label if function else one.reward
            parts.append(Part(name, function, one.weight, one.at_least))
        return Rewards(tuple(parts), True, settings.function_seconds)
    if (function := found.get("score")) is None:
        return None
    return Rewards((Part(function.label, function),), False, settings.function_seconds)
