"""The same verdicts on an idle machine and on one whose cores are busy with something else."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, ProgramStatus, Verdict
from sandbox.verdict import Test as Case
from tasks.problems.apps import load_split
from tasks.score.code.pool import code_job

LIMITS = Limits(cpu=8.0, memory=512 * 2**20)
SHORT = Limits(cpu=1.0, memory=64 * 2**20, output=1 << 16)
# Far beyond a limit, or well within it: nothing here depends on how fast the machine is. There is
# more wall time left than the longest pause that is not taken for a freeze (sandbox/inside/limits).
WRONG = {
    "while True: pass": ProgramStatus.TIME_LIMIT,
    "import time\ntime.sleep(60)": ProgramStatus.TIME_LIMIT,
    "x = bytearray(1 << 30)": ProgramStatus.MEMORY_LIMIT,
    "x = []\nwhile True: x.append(bytearray(1 << 20))": ProgramStatus.MEMORY_LIMIT,
    "while True: print('x' * 1000)": ProgramStatus.OUTPUT_LIMIT,
    "import os, time\nfor _ in range(9):\n    try: os.fork()\n    except OSError: pass\n"
    "time.sleep(60)": ProgramStatus.TIME_LIMIT,
    "print(1 / 0)": ProgramStatus.RUNTIME_ERROR,
    "def": ProgramStatus.COMPILE_ERROR,
    "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)": ProgramStatus.RUNTIME_ERROR,
    "print(42, end='')\nimport os\nos._exit(0)": ProgramStatus.WRONG_ANSWER,
    "print(43)": ProgramStatus.WRONG_ANSWER,
    # Near its limits, with room: a quarter of the time, half of the memory, most of the output.
    "import time\nwhile time.process_time() < 0.25: pass\nprint(42)": ProgramStatus.CORRECT,
    "import time\ntime.sleep(0.5)\nprint(42)": ProgramStatus.CORRECT,
    "x = bytearray(32 << 20)\nprint(42)": ProgramStatus.CORRECT,
}


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Two loops for each core."""
    command = ["sh", "-c", "while :; do :; done"]
    loops = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
        assert all(loop.poll() is None for loop in loops)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def essence(verdict: Verdict) -> tuple[ProgramStatus, int, int, int | None]:
    return verdict.status, verdict.passed, verdict.total, verdict.first_failure


def judged(pool: SandboxPool, jobs: list[Job]) -> list[tuple[ProgramStatus, int, int, int | None]]:
    return [essence(verdict) for verdict in pool.run(jobs)]


def test_wrong_programs_end_the_same_way_twice(image: str) -> None:
    jobs = [Job(program, (Case("", "42"),), limits=SHORT) for program in WRONG]
    with SandboxPool(image, workers=os.cpu_count() or 1) as pool:
        calm = judged(pool, jobs)
        with busy_cores():
            busy = judged(pool, jobs)
    assert [one[0] for one in calm] == list(WRONG.values())
    assert busy == calm


def test_all_of_apps_is_judged_the_same_twice(image: str, data: Path) -> None:
    rows = [row for row in load_split("train", source=str(data)) if row["solution"]]
    jobs = [code_job(row["reference"], row["solution"], LIMITS) for row in rows]
    # The solution of another problem: mostly it fails, each in its own way.
    for row, other in zip(rows[::2], rows[1::2], strict=False):
        jobs.append(code_job(row["reference"], other["solution"], LIMITS))
    with SandboxPool(image, workers=os.cpu_count() or 1, memory=LIMITS.memory) as pool:
        calm = judged(pool, jobs)
        with busy_cores():
            busy = judged(pool, jobs)
    assert busy == calm
    assert sum(status is ProgramStatus.CORRECT for status, *_ in calm) >= 140
    assert sum(status is not ProgramStatus.CORRECT for status, *_ in calm) >= 70
