"""From a problem's reference and a program to a job for the sandbox.

References are JSON: {"tests": [{"input", "output"}]} or {"entry_point", "cases": [{"args",
"expected"}]} (tasks/problems). HumanEval's, which are code with a check function, are not covered
yet: its asserts hold the expected values, and those stay outside the sandbox.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, Verdict
from tasks.artifacts import Json
from tasks.errors import StepError
from tasks.filter.answers import Grade
from tasks.filter.execute_file import read_tests
from tasks.filter.program import extract_program
from tasks.rows import Status

# Programs handed to the sandbox ahead of the verdict that is awaited; bounds memory.
WINDOW = 64

# Who writes a function for a site that calls it counts on these; the authors of APPS put them
# before every program too. One line, so that the line numbers of messages are off by one alone.
PRELUDE = (
    "import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, "
    "string, sys; from collections import *; from functools import *; from heapq import *; "
    "from itertools import *; from math import *; from typing import *\n"
)


def code_job(reference: str, program: str, limits: Limits) -> Job:
    """The job that tests a program.

    Raises:
        StepError: the reference has a form that cannot be tested here.
    """
    tests = json.loads(reference)
    if "check" in tests:
        raise StepError("references with a check function cannot be tested yet")
    entry, cases = read_tests(tests if "entry_point" in tests else tests["tests"])
    return Job(PRELUDE + program if entry else program, cases, entry, limits, wrap=True)


def limits_of(settings: Json) -> Limits:
    """The limits in what `sandbox_settings` (step.py) made."""
    return Limits(cpu=settings["time_limit"], memory=settings["memory_mb"] * 2**20)


class CodePool:
    """Grades completions by running the programs in them; what GradePool is for math."""

    def __init__(self, sandbox: SandboxPool, limits: Limits) -> None:
        """Grade in a sandbox that the caller closes."""
        self._sandbox, self._limits = sandbox, limits
        self.image = sandbox.image

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[Grade, float]]:
        """Yield each pair's grade and the seconds it took, in order; pairs are (reference, text).

        Raises:
            StepError: a reference has a form that cannot be tested here.
        """
        waiting: deque[tuple[str, Future[Verdict] | None]] = deque()
        for reference, text in pairs:
            program = extract_program(text)
            job = code_job(reference, program, self._limits) if program.strip() else None
            waiting.append((program, self._sandbox.submit(job) if job else None))
            while waiting and (len(waiting) >= WINDOW or _ready(waiting[0][1])):
                yield _grade(*waiting.popleft())
        while waiting:
            yield _grade(*waiting.popleft())


def _ready(future: Future[Verdict] | None) -> bool:
    return future is None or future.done()


def _grade(program: str, future: Future[Verdict] | None) -> tuple[Grade, float]:
    if future is None:
        return Grade(0.0, Status.NO_ANSWER, ""), 0.0
    verdict = future.result()
    status = Status(verdict.status.value)
    reward = 1.0 if status is Status.CORRECT else 0.0
    failed = -1 if verdict.first_failure is None else verdict.first_failure
    return Grade(reward, status, program, failed), verdict.seconds
