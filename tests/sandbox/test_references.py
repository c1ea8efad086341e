"""Reference solutions of APPS pass their own tests in the sandbox; those that do not are known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits, Status
from tasks.filter.code import code_job
from tasks.problems.apps import load_split

LIMITS = Limits(cpu=4.0, memory=512 * 2**20)
# Problems with several right answers, of which the data set holds one: telling them apart needs a
# checker for each problem, which APPS does not have. The first reference solution gives another.
SEVERAL_ANSWERS = {"0033", "2023", "2029", "2378", "2386", "2398", "2400"}


@pytest.fixture(scope="module")
def wide_pool(image: str) -> Iterator[SandboxPool]:
    with SandboxPool(image, workers=os.cpu_count() or 1, memory=LIMITS.memory) as pool:
        yield pool


def test_reference_solutions_of_apps_pass(wide_pool: SandboxPool, data: Path):
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = (code_job(row["reference"], row["solution"], LIMITS) for row in rows)
    failed = {
        row["id"].rsplit("/", 1)[1]: verdict
        for row, verdict in zip(rows, wide_pool.run(jobs), strict=True)
        if verdict.status is not Status.CORRECT
    }
    assert len(rows) >= 150
    assert set(failed) <= SEVERAL_ANSWERS, failed
    assert all(verdict.status is Status.WRONG_ANSWER for verdict in failed.values())


def test_reference_solutions_that_were_changed_fail(wide_pool: SandboxPool, data: Path):
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = [
        # Prints a line more than the reference solution does.
        code_job(row["reference"], row["solution"] + "\nprint('and one more')", LIMITS)
        for row in rows
        if "entry_point" not in row["reference"]
    ]
    assert len(jobs) > 50
    passed = [v for v in wide_pool.run(jobs) if v.status is Status.CORRECT]
    assert len(passed) <= 1  # one ends itself before its last line
