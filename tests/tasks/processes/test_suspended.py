"""A machine that sleeps is no crash: nobody is taken for silent or late for that time.

The sleep is simulated by SIGSTOP to a parent and its children (bench/recovery/_suspension.py).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.recovery._suspension import suspend
from tasks.paths import ROOT

# Longer than any limit below.
ASLEEP_SECONDS = 8.0

ENGINE = """
import sys
from pathlib import Path
from tasks.decoding.request import Sampling
from tasks.generate.replicas import ChildEngine
from tasks.processes.child import Child

def start(_):
    return Child.module("tests.tasks.generate.dying_engine:main", log=Path(sys.argv[1]))

said = []
engine = ChildEngine(start, {"model": ""}, replicas=1, stall=5.0, say=said.append)
engine.sample(["a"], [(0, 0)], Sampling())
print("asking", flush=True)
found = engine.sample(["slow"], [(0, 0)], Sampling())
engine.close()
print(found[0].finish, *said, flush=True)
"""

FUNCTION = """
import sys
from tests.tasks.processes.test_functions import Path, pool_of

busy = "for _ in range(30): time.sleep(0.1)\\nreturn 1.0"
with pool_of(Path(sys.argv[1]).parent, busy, 5.0) as pool:
    pool.check()
    print("asking", flush=True)
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
    child.call({"do": "work slowly"}, stall=5.0)
print("stop", flush=True)
"""


@pytest.mark.engine
@pytest.mark.parametrize("code", [ENGINE, FUNCTION, TRAINER], ids=["engine", "function", "trainer"])
def test_nobody_was_silent(tmp_path: Path, code: str) -> None:
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "asking\n"
        suspend(process.pid, seconds=ASLEEP_SECONDS)
        assert process.stdout.readline() == "stop\n"
    assert process.returncode == 0
