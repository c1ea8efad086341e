"""A stream of jobs with known verdicts, and the process that runs it and may be killed.

Job n is the same in every process, so a journal of verdicts alone says where to go on.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sandbox.image import TAG
from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, ProgramStatus, Test, Verdict

LIMITS = Limits(cpu=4.0, memory=128 * 2**20, output=1 << 18)
# The same verdict long before the limit of the others.
SHORT = Limits(cpu=0.2, memory=128 * 2**20)
_BASE = "a, b = map(int, input().split())\n"
# Kind of program: how many of a thousand, its text, the verdict's status and first failure.
KINDS: dict[str, tuple[int, str, ProgramStatus, int | None]] = {
    "honest": (600, "print(a * b)", ProgramStatus.CORRECT, None),
    "writes files": (
        60,
        "open('x', 'w').write('y' * 9999)\nprint(a * b)",
        ProgramStatus.CORRECT,
        None,
    ),
    "forks": (
        30,
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        time.sleep(99)\n"
        "print(a * b)",
        ProgramStatus.CORRECT,
        None,
    ),
    "daemons": (
        10,
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(99)\n    os._exit(0)\nprint(a * b)",
        ProgramStatus.CORRECT,
        None,
    ),
    "threads": (
        10,
        "import threading, time\nfor _ in range(9):\n"
        "    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\nprint(a * b)",
        ProgramStatus.CORRECT,
        None,
    ),
    "wrong": (120, "print(a * b + (a > 5000))", ProgramStatus.WRONG_ANSWER, 1),
    "raises": (80, "print(a * b // (a < 5000))", ProgramStatus.RUNTIME_ERROR, 1),
    "segfault": (20, "import os\nos.abort()", ProgramStatus.RUNTIME_ERROR, 0),
    "no program": (20, "print(a * b", ProgramStatus.COMPILE_ERROR, 0),
    "memory": (25, "x = bytearray(1 << 30)\nprint(a * b)", ProgramStatus.MEMORY_LIMIT, 0),
    "flood": (20, "while True: print('x' * 5000)", ProgramStatus.OUTPUT_LIMIT, 0),
    "loop": (3, "while True: pass", ProgramStatus.TIME_LIMIT, 0),
    "sleep": (2, "import time\ntime.sleep(99)", ProgramStatus.TIME_LIMIT, 0),
}


def kind(number: int) -> str:
    """Which kind of program job `number` is."""
    dice = random.Random(number)
    return dice.choices(list(KINDS), [weight for weight, *_ in KINDS.values()])[0]


def job(number: int) -> Job:
    """Job `number`; no two honest ones have the same answer to print."""
    _, text, status, _ = KINDS[kind(number)]
    # The second input is above 5000, the first is not.
    pairs = [(1 + number % 4000, number), (5001 + number % 4000, number)]
    tests = tuple(Test(f"{a} {b}\n", str(a * b)) for a, b in pairs)
    return Job(_BASE + text, tests, limits=SHORT if status is ProgramStatus.TIME_LIMIT else LIMITS)


def known(number: int) -> list[object]:
    """What the verdict on job `number` must say."""
    _, _, status, first = KINDS[kind(number)]
    return [status.value, 2 if first is None else first, 2, first]


def told(verdict: Verdict) -> list[object]:
    """What a verdict says, but for times."""
    return [verdict.status.value, verdict.passed, verdict.total, verdict.first_failure]


def recover(journal: Path) -> int:
    """How many verdicts a journal has; a line that a kill cut off is removed."""
    data = journal.read_bytes() if journal.exists() else b""
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with journal.open("r+b") as file:
            file.truncate(whole)
    return data.count(b"\n")


def stream(start: int, count: int) -> Iterator[Job]:
    """The jobs from `start` on, `count` in all since the first."""
    return (job(number) for number in range(start, count))


def main(path: str, count: str) -> None:
    """Write the verdict on every job that the journal lacks, a line each: number and verdict."""
    journal = Path(path)
    start = recover(journal)
    with (
        journal.open("a", encoding="utf-8") as file,
        SandboxPool(TAG, memory=LIMITS.memory) as pool,
    ):
        verdicts = pool.run(stream(start, int(count)))
        for number, verdict in zip(range(start, int(count)), verdicts, strict=True):
            file.write(json.dumps([number, *told(verdict)]) + "\n")
            file.flush()


if __name__ == "__main__":
    main(*islice(sys.argv, 1, 3))
