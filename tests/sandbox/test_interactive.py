"""Interactive problems: a judge and a program, connected by pipes inside the sandbox."""

from __future__ import annotations

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, Verdict, interactive_job
from sandbox.verdict import Test as Case

pytestmark = pytest.mark.docker
LIMITS = Limits(cpu=1.0, memory=128 * 2**20)
INPUTS = ("37", "1", "100")
# Find a number of 1 to 100 in 8 guesses.
JUDGE = """
import sys
secret = int(open(sys.argv[1]).read())
print(100)
for _ in range(8):
    kind, number = input().split()
    if kind == "!":
        assert int(number) == secret, "another number"
        sys.exit(0)
    print("<" if secret < int(number) else ">=")
sys.exit("too many guesses")
"""
HONEST = """
low, high = 1, int(input())
while low < high:
    middle = (low + high + 1) // 2
    print("?", middle, flush=True)
    if input() == "<": high = middle - 1
    else: low = middle
print("!", low)
"""
# name: program, status, tests passed, what the detail has
PROGRAMS = {
    "right": (HONEST, "correct", 3, ""),
    "with input() alone": (HONEST.replace(", flush=True", ""), "correct", 3, ""),
    "wrong": (HONEST.replace('"!", low', '"!", 37'), "wrong_answer", 1, "another number"),
    "too many": ("while True: print('? 5'); input()", "wrong_answer", 0, "too many guesses"),
    "says nothing": ("input()", "wrong_answer", 0, "EOFError"),
    "no form": ("input(); print('maybe'); input()", "wrong_answer", 0, "ValueError"),
    "fails first": ("1 / 0", "runtime_error", 0, "ZeroDivisionError"),
    "fails in between": (HONEST.replace("low = middle", "1 / 0"), "runtime_error", 0, "Zero"),
    "fails at the end": (HONEST + "1 / 0", "runtime_error", 0, "Zero"),
    "no program": ("print(", "compile_error", 0, "SyntaxError"),
    "both wait": ("input(); input()", "time_limit", 0, "waited for each other"),
    "does not end": (HONEST + "while True: pass", "time_limit", 0, ""),
    "sleeps at the end": (HONEST + "import time; time.sleep(60)", "time_limit", 0, "slept"),
    "does not flush": (
        "import sys\nprint('? 5')\nsys.stdin.readline()\nsys.stdin.readline()",
        "time_limit",
        0,
        "waited",
    ),
    "floods": ("while True: print('? 5')", "wrong_answer", 0, "too many"),
    "a line without end": (
        "import sys\nwhile True: sys.stdout.write('5' * 2**20)",
        "time_limit wrong_answer runtime_error",
        0,
        "",
    ),
    "kills": ("import os, signal\nos.kill(-1, 9)\n", "runtime_error wrong_answer", 0, ""),
    "closes its pipes": (
        "import os, time\nos.close(0); os.close(1)\ntime.sleep(60)",
        "wrong_answer",
        0,
        "",
    ),
    "a child holds the pipes": (
        "import os\nif os.fork() == 0:\n    import time; time.sleep(60)\n" + HONEST,
        "correct",
        3,
        "",
    ),
}
# What a program may not find: the secret is in a file that the judge alone has, and in its memory.
SPY = """
import glob, os
input()
found = []
for path in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/[0-9]*/mem") + glob.glob("/tmp/*"):
    if path.startswith(f"/proc/{os.getpid()}/") and path[-2:] not in ("/3", "/4", "/5", "/6"):
        continue
    try: found.append(open(path, "rb").read(1000))
    except OSError: pass
import re
numbers = re.findall(rb"73058149", b" ".join(found))
print("!", int(numbers[0]) if numbers else 0)
"""


def judge(pool: SandboxPool, program: str, source: str = JUDGE) -> Verdict:
    return pool.submit(interactive_job(program, source, INPUTS, LIMITS)).result()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gets_its_verdict_and_the_next_is_alone(pool: SandboxPool, name: str):
    program, status, passed, said = PROGRAMS[name]
    found = judge(pool, program)
    assert found.status.value in status.split() and found.passed == passed, found
    assert said in found.detail
    after = Job("print(int(input()) + 1)", (Case("41", "42"),))
    assert pool.submit(after).result().status.value == "correct"


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("print(", "sandbox_error", "the judge cannot be run"),
        ("raise SystemExit(3)", "sandbox_error", "the judge failed"),
        ("while True: pass", "time_limit", ""),
        ("import os; os._exit(0)", "wrong_answer", "did not survive"),
        ("import os; os.kill(os.getpid(), 9)", "wrong_answer", "did not survive"),
    ],
)
def test_a_judge_that_fails_passes_nothing(pool: SandboxPool, source: str, status: str, said: str):
    found = judge(pool, "input()" if "while" in source else HONEST, source)
    assert found.status.value == status and found.passed == 0
    assert said in found.detail
    assert judge(pool, HONEST).status.value == "correct"


def test_the_secret_is_nowhere_that_a_program_can_look(pool: SandboxPool):
    job = interactive_job(SPY, JUDGE, ("73058149",), LIMITS)
    found = pool.submit(job).result()
    assert found.status.value == "wrong_answer" and "another number" in found.detail


def test_every_test_is_judged_where_all_are_asked_for(pool: SandboxPool):
    program = HONEST.replace('"!", low', '"!", 100')
    job = interactive_job(program, JUDGE, INPUTS, LIMITS, stop_at_failure=False)
    found = pool.submit(job).result()
    assert (found.passed, found.total, found.first_failure) == (1, 3, 0)
