"""Tests that are a check function: every HumanEval reference, and what programs try against it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits, Verdict, checked_job
from tasks.problems.humaneval import load_split
from tasks.score.code.pool import code_job, find_program

FAST = Limits(cpu=1.0, memory=128 * 2**20)
SECRET = "7305814926"
CHECK = f"def check(candidate):\n    assert candidate('{SECRET[:4]}') == '{SECRET}'\n"
HONEST = f"def f(x): return x + '{SECRET[4:]}'"
WRONG_BODIES = {
    "nothing": "    return None\n",
    "raises": "    raise ValueError('42')\n",
    "equals everything": (
        "    class A:\n        def __eq__(self, other): return True\n"
        "        __lt__ = __gt__ = __sub__ = __abs__ = __bool__ = __eq__\n    return A()\n"
    ),
    "a list that equals everything": (
        "    class A(list):\n        def __eq__(self, other): return True\n    return A([1])\n"
    ),
    "a number that equals everything": (
        "    class A(int):\n        def __eq__(self, other): return True\n    return A(-77)\n"
    ),
    "ends well": "    import os\n    os._exit(0)\n",
}
# As what the first bytes that it writes are taken depends on how far the check has come.
FORGED = "wrong_answer output_limit"
# Writes what a judge might like on every descriptor there is.
FORGE = (
    "import os, struct\n"
    "def forge():\n    for fd in range(3, 64):\n        for text in (b'+', b'vtrue', "
    'b\'{"status": "ok", "detail": ""}\', b\'{"id": 1, "test": 0, "status": "ok"}\'):\n'
    "            for data in (text, struct.pack('>I', len(text)) + text):\n"
    "                try: os.write(fd, data)\n                except OSError: pass\n"
)
SCAN = f"""import ctypes, re
def f(start, *more):
    areas = []
    with open('/proc/self/maps') as maps:
        for line in maps:
            if ' rw' in line and '[v' not in line:
                areas.append([int(end, 16) for end in line.split()[0].split('-')])
    for low, high in areas:
        for found in re.findall(start.encode() + rb'\\d{{{len(SECRET) - 4}}}', ctypes.string_at(low, high - low)):
            return found.decode()
"""  # noqa: E501
OBJECTS = f"""import gc, re, sys
def f(start, *more):
    frame, seen = sys._getframe(), []
    while frame:
        seen += [*frame.f_locals.values(), *frame.f_globals.values()]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict): seen += list(thing.values())
        elif isinstance(thing, (list, tuple)): seen += thing
    for one in seen:
        found = re.search(start + r'\\d{{{len(SECRET) - 4}}}', str(one)) if type(one) in (str, tuple) else 0
        if found: return found[0]
"""  # noqa: E501
ATTACKS = {
    "exits at once": ("import sys; sys.exit(0)", "runtime_error"),
    "exits at once, hard": ("import os; os._exit(0)", "wrong_answer"),
    "exits in the call": ("import sys\ndef f(x): sys.exit(0)", "wrong_answer"),
    "exits in the call, hard": ("import os\ndef f(x): os._exit(0)", "wrong_answer"),
    "fails in the call, hard": ("import os\ndef f(x): os._exit(3)", "runtime_error"),
    "is ended by a signal": ("import os\ndef f(x): os.kill(os.getpid(), 11)", "runtime_error"),
    "defines nothing": ("x = 1", "runtime_error"),
    "is no program": ("def f(x:", "compile_error"),
    "raises its own failure": ("def f(x): assert x == 1", "runtime_error"),
    "forges and exits": (FORGE + "forge(); os._exit(0)", FORGED),
    "forges in the call": (FORGE + "def f(x):\n    forge()\n    os._exit(0)", FORGED),
    "forges in a thread": (
        FORGE + "import threading\ndef g():\n    while True: forge()\n"
        "def f(x):\n    threading.Thread(target=g).start()\n    return 42",
        FORGED,
    ),
    "leaves the answers to a child": (
        "import os, time\ndef f(x):\n    if os.fork() == 0: time.sleep(100)\n    os._exit(0)",
        "time_limit",
    ),
    "closes the answers": (
        "import os, time\ndef f(x):\n    os.closerange(3, 64)\n    time.sleep(100)",
        "wrong_answer",
    ),
    "never answers": ("import time\ndef f(x): time.sleep(1000)", "time_limit"),
    "never ends": ("while True: pass", "time_limit"),
    "answers at great length": ("def f(x): return 'x' * (1 << 23)", "output_limit"),
    "threatens a long answer": (
        "import os, time\ndef f(x):\n    os.write(3, b'\\xff' * 4)\n    time.sleep(100)",
        "output_limit",
    ),
    "prints without end": ("def f(x):\n    while True: print('x' * 10000)", "output_limit"),
    "takes all memory": ("def f(x): return [0] * (1 << 33)", "memory_limit"),
    "a deep value": (
        "import os\ndef f(x):\n    t = b'v' + b'[' * 99999 + b']' * 99999\n"
        "    os.write(3, len(t).to_bytes(4, 'big') + t)\n    os._exit(0)",
        "wrong_answer",
    ),
    "a number of many digits": (
        "import os\ndef f(x):\n    t = b'v' + b'9' * 99999\n"
        "    os.write(3, len(t).to_bytes(4, 'big') + t)\n    os._exit(0)",
        "wrong_answer",
    ),
    "no value at all": (
        'import os\ndef f(x):\n    t = b\'v{"exec": ["1"]}\'\n'
        "    os.write(3, len(t).to_bytes(4, 'big') + t)\n    os._exit(0)",
        "wrong_answer",
    ),
    "a pickle": (
        "import pickle\ndef f(x): return pickle.dumps('" + SECRET + "')",
        "wrong_answer",
    ),
    "patches what it finds": (
        "import sys, builtins, json\nbuiltins.AssertionError = builtins.Exception = ValueError\n"
        'json.dumps = lambda *a, **k: \'{"status": "ok"}\'\n'
        "for name in ('calls', 'checking', 'plain', 'runner', 'frames'):\n"
        "    module = sys.modules['sandbox.inside.' + name]\n"
        "    module.dump = module.load = lambda *a: b'true'\n"
        "    module.ENDED = module.WRONG = module.FAILED = 6\n"
        "def f(*x): return 42",
        "wrong_answer",
    ),
    "kills all it may": (
        "import os, signal\nfor p in os.listdir('/proc'):\n"
        "    if p.isdigit() and int(p) != os.getpid():\n"
        "        try: os.kill(int(p), signal.SIGKILL)\n        except OSError: pass\n"
        "def f(x): return 42",
        "wrong_answer",
    ),
    "looks for the value in its memory": (SCAN, "wrong_answer"),
    "looks for the value in objects": (OBJECTS, "wrong_answer"),
}


@pytest.fixture(scope="module")
def wide_pool(image: str) -> Iterator[SandboxPool]:
    with SandboxPool(image, workers=os.cpu_count() or 1) as pool:
        yield pool


def grade(pool: SandboxPool, program: str, check: str = CHECK) -> Verdict:
    return pool.judge_now(checked_job(program, "f", check, FAST))


def test_every_humaneval_solution_passes(wide_pool: SandboxPool, data: Path):
    rows = list(load_split("test", source=str(data)))
    jobs = [
        code_job(row["reference"], find_program(row["reference"], row["solution"]), Limits())
        for row in rows
    ]
    verdicts = zip(rows, wide_pool.run(jobs), strict=True)
    assert len(rows) == 164
    assert {row["id"]: v for row, v in verdicts if v.status.value != "correct"} == {}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_no_humaneval_problem_takes_a_wrong_body(wide_pool: SandboxPool, data: Path, body: str):
    rows = list(load_split("test", source=str(data)))
    programs = [find_program(row["reference"], body) for row in rows]
    jobs = [
        code_job(row["reference"], program, Limits())
        for row, program in zip(rows, programs, strict=True)
    ]
    found = {verdict.status.value for verdict in wide_pool.run(jobs)}
    assert found <= {"wrong_answer", "runtime_error"}


@pytest.mark.parametrize(("program", "status"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_on_a_check_fails_and_an_honest_job_passes(
    pool: SandboxPool, program: str, status: str
):
    assert grade(pool, program).status.value in status.split()
    assert grade(pool, HONEST).status.value == "correct"
    assert pool.started == 1


@pytest.mark.parametrize("search", [SCAN, OBJECTS], ids=["memory", "objects"])
def test_the_searches_find_what_is_there(pool: SandboxPool, search: str):
    given = CHECK.replace("')", f"', '{SECRET}')")
    assert grade(pool, search, given).status.value == "correct"


def test_the_program_may_not_look_into_the_other_processes(pool: SandboxPool):
    look = (
        "import os\ndef f():\n    seen = []\n    for p in os.listdir('/proc'):\n"
        "        if p.isdigit() and int(p) != os.getpid():\n"
        "            for name in ('mem', 'environ', 'maps', 'fd', 'cwd'):\n"
        "                path = f'/proc/{p}/{name}'\n"
        "                try: seen.append(os.listdir(path) if name == 'fd' else os.readlink(path) "
        "if name == 'cwd' else open(path, 'rb').read(1))\n"
        "                except OSError: pass\n"
        "    return [len([p for p in os.listdir('/proc') if p.isdigit()]), seen]"
    )
    # Process 1, the check and this program.
    check = "def check(candidate):\n    assert candidate() == [3, []]\n"
    assert grade(pool, look, check).status.value == "correct"


def test_random_expectations_cannot_be_foretold(pool: SandboxPool):
    check = "import random\ndef check(f):\n    x = random.random()\n    assert f() == x"
    assert grade(pool, "import random\ndef f(): return random.random()", check).passed == 0


def test_values_cross_as_they_are(pool: SandboxPool):
    values = (
        "[None, True, 1, 1.5, -0.0, float('inf'), 'a\\u00e9\\ud800', b'\\xff', (1, (2,)), "
        "{1, 'a'}, frozenset([2]), {1: 'a', (2, 3): {4}, 'dict': []}, [], {}, 2**200, 1j]"
    )
    check = (
        "def kinds(v):\n    if isinstance(v, dict): v = [*v, *v.values()]\n"
        "    if isinstance(v, (list, tuple, set, frozenset)): return [type(v), *map(kinds, v)]\n"
        "    return type(v)\n"
        f"def check(candidate):\n    for v in {values}:\n        got = candidate(v, [v])\n"
        "        assert got == (v, [v]) and kinds(got) == kinds((v, [v]))\n"
        "        assert repr(got) == repr((v, [v])) or isinstance(v, (set, dict))\n"
    )
    assert grade(pool, "def f(x, y): return x, y", check).status.value == "correct"
    assert grade(pool, "def f(x, y): return x, y[0]", check).status.value == "wrong_answer"


def test_a_check_may_expect_an_exception_but_not_the_end(pool: SandboxPool):
    check = (
        "def check(candidate):\n    try: candidate()\n    except ValueError: return\n"
        "    assert False"
    )
    assert grade(pool, "def f(): raise ValueError", check).status.value == "correct"
    assert grade(pool, "def f(): raise KeyError", check).status.value == "runtime_error"
    lenient = "def check(candidate):\n    try: candidate()\n    except: pass"
    assert grade(pool, "import os\ndef f(): os._exit(0)", lenient).status.value == "wrong_answer"


def test_arguments_are_as_the_program_left_them(pool: SandboxPool):
    check = (
        "def check(candidate):\n    given = [3, 1]\n    assert candidate(given) == [1, 3]\n"
        "    assert given == [1, 3]"
    )
    program = "def f(x):\n    x.sort()\n    print(x, input.__name__)\n    return x"
    assert grade(pool, program, check).status.value == "correct"


def test_the_standard_input_is_empty(pool: SandboxPool):
    program = "import sys\nleft = sys.stdin.read()\ndef f(): return left"
    check = "def check(candidate):\n    assert candidate() == ''"
    assert grade(pool, program, check).status.value == "correct"


@pytest.mark.parametrize(
    "check", ["def check(", "x = 1", "import nothing_of_this_name", CHECK + "# \ud800"]
)
def test_a_check_that_cannot_run_is_no_statement_about_the_program(pool: SandboxPool, check: str):
    verdict = grade(pool, HONEST, check)
    assert verdict.status.value == "sandbox_error"
    assert "the check cannot be run" in verdict.detail


def test_what_the_check_told_is_no_part_of_the_errors(pool: SandboxPool):
    # Whether the limit is seen before or after the end of the check is a matter of chance.
    program = "import os\ndef f(x):\n    os.write(1, b'y' * 100)\n    return x"
    check = "def check(candidate):\n    assert candidate(1) == 1"
    limits = Limits(cpu=1.0, memory=128 * 2**20, output=50)
    jobs = [checked_job(program, "f", check, limits)] * 80
    found = {(verdict.status.value, verdict.detail) for verdict in pool.run(jobs)}
    assert found == {("output_limit", "")}


LIMITED = {
    "loops": ("def check(f):\n    while True: pass", "time_limit"),
    "loops before it is there": ("while True: pass", "time_limit"),
    "sleeps": ("import time\ndef check(f): time.sleep(100)", "time_limit"),
    "takes all memory": ("def check(f): return [0] * (1 << 33)", "wrong_answer"),
    "exits": ("import os\ndef check(f): os._exit(0)", "wrong_answer"),
    "is ended by a signal": ("import os\ndef check(f): os.kill(os.getpid(), 9)", "wrong_answer"),
}


@pytest.mark.parametrize(("check", "status"), LIMITED.values(), ids=LIMITED)
def test_the_limits_hold_for_the_check_and_its_death_is_a_failure(
    pool: SandboxPool, check: str, status: str
):
    assert grade(pool, HONEST, check).status.value == status
    assert grade(pool, HONEST).status.value == "correct"
