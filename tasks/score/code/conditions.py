"""What decides beside the tests whether a program is right: limits, and how outputs are compared.

A run says it for all of its problems (section `execution`), and a problem for itself, in its
reference: a time limit in seconds, memory in megabytes, a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.images import Language
from sandbox.rule import EXACT, Rule
from sandbox.verdict import Limits
from tasks.rows import Json

# Fields of a reference, beside its tests.
CHECKER, IN_PLACE = "checker", "in_place"
TIME_LIMIT, MEMORY_MB, FLOAT_ERROR = "time_limit", "memory_mb", "float_error"


@dataclass(frozen=True)
class Conditions:
    """Of a run, or of a problem in it.

    Attributes:
        limits: For each test.
        rule: How outputs are compared.
        time_factor: What a problem's own time limit is multiplied by.
        language: Of the programs, where a problem names none.
    """

    limits: Limits
    rule: Rule = EXACT
    time_factor: float = 1.0
    language: Language = "python"

    @classmethod
    def of(cls, settings: Json) -> Conditions:
        """What is in what `sandbox_settings` (step.py) made."""
        return cls(
            Limits(cpu=settings["time_limit"], memory=settings["memory_mb"] * 2**20),
            Rule(
                float_error=settings.get("float_error", EXACT.float_error),
                any_case=settings.get("any_case", EXACT.any_case),
                blank_lines=settings.get("blank_lines", EXACT.blank_lines),
            ),
            settings.get("time_factor", 1.0),
            settings.get("language", "python"),
        )

    def of_problem(self, reference: Json) -> Conditions:
        """The same with what a problem says itself.

        No program gets more memory than the run allows, as containers have no more.
        """
        limits, rule = self.limits, self.rule
        if TIME_LIMIT in reference:
            limits = replace(limits, cpu=reference[TIME_LIMIT] * self.time_factor)
        if MEMORY_MB in reference:
            limits = replace(limits, memory=min(limits.memory, reference[MEMORY_MB] * 2**20))
        if FLOAT_ERROR in reference:
            rule = replace(rule, float_error=reference[FLOAT_ERROR])
        return replace(self, limits=limits, rule=rule)
