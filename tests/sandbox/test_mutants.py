"""Reference solutions of APPS with one small fault each: a checker that is too lenient passes them.

Many rows have one test, often a small one, and a fault that none of a row's tests brings out passes
any checker. So that a fault passes is held against the sandbox only if the program printed
something else than the reference solution. The others are listed in mutants.json, each with what a
reader found: it is the `same` program for every input of the problem, or `untested`, which no test
of its row brings out.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, ProgramStatus, judge_test
from tasks.problems.apps import load_split
from tasks.score.code.pool import code_job
from tests.sandbox.mutate import Mutant, mutants, plain, statements_ran, traced
from tests.sandbox.reports import reports

LIMITS = Limits(cpu=4.0, memory=512 * 2**20)
EACH = 3
LEAST = 300
REVIEWED = json.loads(Path(__file__).with_name("mutants.json").read_text())


@dataclass(frozen=True)
class Fault:
    """A mutant, the job that judges it, and what its original printed on each test."""

    mutant: Mutant
    job: Job
    right: list[str]


@pytest.fixture(scope="module")
def faults(image: str, data: Path) -> list[Fault]:
    """Of every row whose reference solution passes, but for those with a single call as test."""
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = [code_job(row["reference"], traced(row["solution"]), LIMITS) for row in rows]
    found = []
    for row, job, seen in zip(rows, jobs, reports(image, LIMITS.memory, jobs), strict=True):
        call = job.entry is not None
        if call and len(job.tests) == 1:
            continue
        verdicts = [
            judge_test(test, one, call=call) for test, one in zip(job.tests, seen, strict=True)
        ]
        if any(status is not ProgramStatus.CORRECT for status in verdicts):
            continue
        ran = set.union(*(statements_ran(one["stderr"]) for one in seen))
        # A fault may end in an endless loop, so the limit is near what the original needs.
        limits = dataclasses.replace(LIMITS, cpu=0.3 + 3 * max(one["cpu"] for one in seen))
        right = [one["output"] for one in seen]
        for mutant in mutants(row["solution"], EACH, row["id"].rsplit("/", 1)[1], ran):
            found.append(Fault(mutant, code_job(row["reference"], mutant.program, limits), right))
    return found


@pytest.fixture(scope="module")
def passed(image: str, faults: list[Fault]) -> list[Fault]:
    """Those that the sandbox judged correct."""
    with SandboxPool(image, workers=os.cpu_count() or 1, memory=LIMITS.memory) as pool:
        verdicts = pool.run(fault.job for fault in faults)
        pairs = list(zip(faults, verdicts, strict=True))
    assert not [v for _, v in pairs if v.status is ProgramStatus.SANDBOX_ERROR]
    return [fault for fault, verdict in pairs if verdict.status is ProgramStatus.CORRECT]


def test_no_fault_that_shows_in_the_output_passes(
    image: str, faults: list[Fault], passed: list[Fault]
) -> None:
    assert len(faults) >= LEAST
    # They ended within their own limits; that the machine is busier now says nothing of them.
    again = [dataclasses.replace(fault.job, limits=LIMITS) for fault in passed]
    found = reports(image, LIMITS.memory, again)
    other = [
        fault.mutant
        for fault, seen in zip(passed, found, strict=True)
        if [report["output"] for report in seen] != fault.right
    ]
    assert not other


def test_a_fault_that_passes_was_looked_at(faults: list[Fault], passed: list[Fault]) -> None:
    known = REVIEWED["same"] | REVIEWED["untested"]
    new = [fault.mutant for fault in passed if fault.mutant.name not in known]
    assert len(new) < 0.02 * len(faults), "\n\n".join(f"{m.name}\n{m.program}" for m in new)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("print(1 < 2)", {"Lt becomes LtE", "a constant +1", "a constant -1", "Expr deleted"}),
        ("x = y + 2 if z else []", {"Add becomes Sub", "branches swapped", "Assign deleted"}),
        ("for i in range(n):\n    x += s[i:]", {"range argument 1 Add 1", "slice's lower Add 1"}),
        ("while a and b:\n    break", {"And becomes Or", "Break deleted"}),
        ("import sys\nsys.setrecursionlimit(9)", {"Expr deleted"}),
    ],
)
def test_the_faults(program: str, words: set[str]) -> None:
    found = mutants(program, 100, "x")
    assert words <= {one.name.split(" ", 1)[1] for one in found}
    assert len({one.program for one in found} | {plain(program)}) == len(found) + 1
    assert mutants(program, 100, "x") == found


def test_faults_are_put_only_where_the_program_ran(pool: SandboxPool, image: str) -> None:
    program = "x = int(input())\nif x:\n    print(1)\nelse:\n    print(2)\n"
    job = code_job(json.dumps({"tests": [{"input": "5", "output": "1"}]}), traced(program), LIMITS)
    ((report,),) = reports(image, LIMITS.memory, [job])
    assert report["output"] == "1\n"
    ran = statements_ran(report["stderr"])
    assert {one.name.split()[0] for one in mutants(program, 100, "x", ran)} == {"x:1", "x:2", "x:3"}
