"""Reference solutions of APPS pass their own tests in the sandbox; those that do not are known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits, ProgramStatus
from tasks.checkers.known import judged_reference
from tasks.problems.apps import APPS_ORIGIN, load_split
from tasks.score.code.pool import code_job

LIMITS = Limits(cpu=4.0, memory=512 * 2**20)
# The one reference solution that fails, which is wrong (docs/sandbox.md).
WRONG = {("2386", 0)}


@pytest.fixture(scope="module")
def wide_pool(image: str) -> Iterator[SandboxPool]:
    with SandboxPool(image, workers=os.cpu_count() or 1, memory=LIMITS.memory) as pool:
        yield pool


def test_reference_solutions_of_apps_pass(wide_pool: SandboxPool, data: Path):
    solutions = {
        record.data["id"][-4:]: record.data["solutions"] or []
        for record in APPS_ORIGIN.records("train", str(data))
    }
    names, jobs = [], []
    for row in load_split("train", source=str(data)):
        own = row["id"][-4:]
        for number, program in enumerate(solutions[own]):
            names.append((own, number))
            jobs.append(code_job(judged_reference(row), program, LIMITS))
    verdicts = dict(zip(names, wide_pool.run(jobs), strict=True))
    failed = {name: v for name, v in verdicts.items() if v.status is not ProgramStatus.CORRECT}
    assert len(verdicts) == 436
    assert failed.keys() == WRONG
    assert all(verdict.status is ProgramStatus.WRONG_ANSWER for verdict in failed.values())


def test_reference_solutions_that_were_changed_fail(wide_pool: SandboxPool, data: Path):
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = [
        # Prints a line more than the reference solution does.
        code_job(judged_reference(row), row["solution"] + "\nprint('and one more')", LIMITS)
        for row in rows
        if "entry_point" not in row["reference"]
    ]
    assert len(jobs) > 50
    passed = [v for v in wide_pool.run(jobs) if v.status is ProgramStatus.CORRECT]
    assert len(passed) <= 1  # one ends itself before its last line
