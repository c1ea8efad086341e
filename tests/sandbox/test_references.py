"""Reference solutions of APPS pass their own tests in the sandbox; those that do not are known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits, ProgramStatus
from tasks.problems.apps import APPS_ORIGIN, load_split
from tasks.problems.ungradable import several_answers
from tasks.score.code.pool import code_job

LIMITS = Limits(cpu=4.0, memory=512 * 2**20)
# The numbers of the reference solutions that fail; docs/sandbox.md says why each does. Statements
# that say that there are several right answers, of which the data set holds one:
SAID = {
    *(("0002", 1), ("0005", 2), ("0024", 1), ("2023", 0), ("2023", 1), ("2023", 2), ("2029", 0)),
    *(("2365", 2), ("2378", 0), ("2378", 1), ("2398", 0), ("2398", 1)),
    *(("2400", 0), ("2400", 1), ("2400", 2)),
}
# Statements that leave it open; and a solution that is wrong.
UNSAID = {("0033", 0), ("0033", 2), ("2033", 2), ("2391", 1), ("2391", 2)}
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
            names.append((own, number, several_answers(row["question"])))
            jobs.append(code_job(row["reference"], program, LIMITS))
    verdicts = dict(zip(names, wide_pool.run(jobs), strict=True))
    failed = {name: v for name, v in verdicts.items() if v.status is not ProgramStatus.CORRECT}
    assert len(verdicts) == 436
    assert {name[:2] for name in failed if name[2]} == SAID
    assert {name[:2] for name in failed if not name[2]} == UNSAID | WRONG
    assert all(verdict.status is ProgramStatus.WRONG_ANSWER for verdict in failed.values())
    compared = sum(not said for _, _, said in verdicts)
    assert 1 - len(UNSAID | WRONG) / compared >= 0.98


def test_reference_solutions_that_were_changed_fail(wide_pool: SandboxPool, data: Path):
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = [
        # Prints a line more than the reference solution does.
        code_job(row["reference"], row["solution"] + "\nprint('and one more')", LIMITS)
        for row in rows
        if "entry_point" not in row["reference"]
    ]
    assert len(jobs) > 50
    passed = [v for v in wide_pool.run(jobs) if v.status is ProgramStatus.CORRECT]
    assert len(passed) <= 1  # one ends itself before its last line
