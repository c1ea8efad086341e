"""Programs with the verdicts that they should get: our own table, and one of public threads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, checked_job
from sandbox.verdict import Test as Case
from tasks.score.code.pool import code_job
from tasks.score.code.tests import read_in_place, read_tests
from tests.needs import lacking

# Rows of the public table where we judge otherwise, each with its reason in docs/sandbox.md. Rows
# that need another image are right in that image.
ARGUED = {
    "p-any-order": "order of tokens",
    "p-several-answers": "several right answers",
    "p-tokens-other-lines": "lines",
    "p-yes-case": "case",
    "a-stdin-nomath": "forgotten imports",
    "h-py312-batched": "another image",
    "h-sortedcontainers": "another image",
    "h-sympy": "another image",
}


class Row(TypedDict):
    """A program, its tests, and the statuses that are right."""

    id: str
    flow: str
    program: str
    tests: object
    expect: list[str]
    time_limit: NotRequired[float]
    memory_mb: NotRequired[int]


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def job_of(row: Row) -> Job:
    """The job, as `restem execute` or the scorer of code makes it."""
    limits = Limits(cpu=row.get("time_limit", 2.0), memory=row.get("memory_mb", 256) * 2**20)
    tests = row["tests"]
    if row["id"] == "inputs-60x8MB":
        return Job(row["program"], (Case("1\n" * 4194304, "8388608"),) * 60, limits=limits)
    if isinstance(tests, dict) and "check" in tests:
        given = cast(dict[str, str], tests)
        return checked_job(row["program"], given["entry_point"], given["check"], limits)
    if row["flow"] == "apps":
        reference = tests if isinstance(tests, dict) else {"tests": tests}
        return code_job(json.dumps(reference), row["program"], limits)
    entry, cases = read_tests(tests)
    return Job(row["program"], cases, entry, limits, in_place=read_in_place(tests))


def wrong(pool: SandboxPool, rows: list[Row]) -> dict[str, str]:
    """What became of the rows that did not become what they should."""
    verdicts = zip(rows, pool.run(map(job_of, rows)), strict=True)
    return {
        row["id"]: f"{verdict.status.value} {verdict.detail[-100:]}"
        for row, verdict in verdicts
        if verdict.status.value not in row["expect"]
    }


@pytest.fixture(scope="module")
def wide_pool(image: str) -> Iterator[SandboxPool]:
    with SandboxPool(image, workers=os.cpu_count() or 1) as pool:
        yield pool


def test_our_programs_get_their_verdicts(wide_pool: SandboxPool) -> None:
    assert wrong(wide_pool, read(Path(__file__).with_name("programs.jsonl"))) == {}


def test_programs_of_public_threads_get_their_verdicts(wide_pool: SandboxPool, data: Path) -> None:
    path = data.parent / "cases" / "programs.jsonl"
    if not path.is_file():
        lacking(f"no programs of public threads in {path.parent}")
    rows = read(path)
    assert len(ARGUED) <= 0.05 * len(rows)
    found = wrong(wide_pool, rows)
    assert {name: said for name, said in found.items() if name not in ARGUED} == {}
