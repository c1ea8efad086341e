"""A machine that sleeps is no crash: nobody is taken for silent or late for that time.

The sleep is simulated by SIGSTOP to a parent and its children (bench/recovery/_suspension.py).
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.recovery._suspension import suspend
from tasks.paths import ROOT

# Longer than any limit below, which are long enough for three seconds of work on a busy machine.
ASLEEP_SECONDS = 28.0

ENGINE = """
import sys
from pathlib import Path
from tasks.decoding.request import Sampling
from tasks.generate.replicas import ChildEngine
from tasks.processes.child import Child

def start(_):
    return Child.module("tests.tasks.generate.dying_engine:main", log=Path(sys.argv[1]))

said = []
engine = ChildEngine(start, {"model": ""}, replicas=1, stall=25.0, say=said.append)
engine.sample(["a"], [(0, 0)], Sampling())
print("asking", flush=True)
sys.stdin.readline()
found = engine.sample(["slow"], [(0, 0)], Sampling())
engine.close()
print(found[0].finish, *said, flush=True)
"""

FUNCTION = """
import sys
from tests.tasks.processes.test_functions import Path, pool_of

busy = "for _ in range(30): time.sleep(0.1)\\nreturn 1.0"
with pool_of(Path(sys.argv[1]).parent, busy, 25.0) as pool:
    pool.check()
    print("asking", flush=True)
    sys.stdin.readline()
    found = pool.submit({"completion": ""}).result()
print(found.error or "stop", flush=True)
"""

TRAINER = """
import sys
from pathlib import Path
from tasks.processes.child import Child

with Child.module("tests.tasks.processes.echo_child:main", log=Path(sys.argv[1])) as child:
    child.call({"do": "nothing"})
    print("asking", flush=True)
    sys.stdin.readline()
    child.call({"do": "work slowly"}, stall=25.0)
print("stop", flush=True)
"""


CODES = {"engine": ENGINE, "function": FUNCTION, "trainer": TRAINER}


@pytest.mark.engine
def test_nobody_was_silent(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        found: dict[str, subprocess.Popen[str]] = {}
        for name, code in CODES.items():
            (tmp_path / name).mkdir()
            command = [sys.executable, "-c", code, str(tmp_path / name / "log")]
            process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
            found[name] = stack.enter_context(process)
        for name, process in found.items():
            assert process.stdout and process.stdout.readline() == "asking\n", name
        for process in found.values():
            assert process.stdin
            print(file=process.stdin, flush=True)
        time.sleep(0.5)  # so that they are at work
        suspend(*(process.pid for process in found.values()), seconds=ASLEEP_SECONDS)
        for name, process in found.items():
            assert process.stdout and process.stdout.readline() == "stop\n", name
    assert {name: process.returncode for name, process in found.items()} == dict.fromkeys(found, 0)
