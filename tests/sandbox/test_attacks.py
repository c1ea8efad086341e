"""What programs try, one property each; after each an honest job must pass in the same worker."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

import sandbox.owner as owner
from sandbox.check import ATTACKS, HONEST, Attack, run_attack
from sandbox.container import Container
from sandbox.owner import POOL_LABEL, labelled_containers
from sandbox.pool import SandboxPool, connect
from sandbox.verdict import Job, Limits, ProgramStatus, Report, Verdict
from sandbox.verdict import Test as Case

FAST = Limits(cpu=1.0)
SECRET = "9418263750"


def one(pool: SandboxPool, job: Job) -> Verdict:
    return next(iter(pool.run([job])))


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack["name"] for attack in ATTACKS])
def test_an_attack_fails_and_the_next_job_passes(pool: SandboxPool, attack: Attack):
    outcome = run_attack(pool, attack)
    assert outcome.held, outcome


@pytest.mark.parametrize(
    "program",
    [
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        open('/tmp/alive', 'w').close()\n        time.sleep(100)\n    os._exit(0)\n"
        "print(42)",
        "import os, time\nif os.fork() == 0:\n    time.sleep(100)\nprint(42)",
    ],
    ids=["double fork", "child keeps stdout"],
)
def test_nothing_outlives_its_job(pool: SandboxPool, program: str):
    # Waiting for the child would end at the time limit, and not be correct.
    assert one(pool, Job(program, (Case("", "42"),))).status is ProgramStatus.CORRECT
    look = (
        "import os\nn = [p for p in os.listdir('/proc') if p.isdigit()]\n"
        "print(len(n), os.listdir('/tmp') == ['home'])"
    )
    # Process 1 and this program.
    assert one(pool, Job(look, (Case("", "2 True"),))).status is ProgramStatus.CORRECT


@pytest.mark.parametrize(
    "leave",
    [
        "for _ in range(900):\n    os.mkdir('d')\n    os.chdir('d')",
        "os.mkdir('s')\nopen('s/f', 'w').close()\nos.chmod('s', 0o1777)\nos.chmod('.', 0o1777)",
        "os.makedirs('a/b')\nopen('a/b/f', 'w').close()\nos.chmod('a/b', 0)\nos.chmod('a', 0)",
        "os.symlink('/etc', 'l')\nos.mkdir('/tmp/0')\nos.symlink('/tmp/0', '/tmp/0/1')",
        "open('/tmp/\\udcff\\n', 'w').close()",
    ],
    ids=["deep", "sticky", "closed", "links", "name"],
)
def test_whatever_files_are_left_the_container_goes_on(pool: SandboxPool, leave: str):
    started = one(pool, HONEST) and pool.started
    assert one(pool, Job(f"import os\n{leave}\nprint(42)", (Case("", "42"),))).passed == 1
    look = Job("import os\nprint(os.listdir('/tmp'), os.listdir())", (Case("", "['home'] []"),))
    assert one(pool, look).status is ProgramStatus.CORRECT
    assert pool.started == started


def test_no_job_sees_what_another_left(pool: SandboxPool):
    leave = (
        "import builtins, sys, os\nbuiltins.left = sys.left = 1\nos.environ['LEFT'] = '1'\n"
        f"import math\nmath.left = '{SECRET}'\nopen('/tmp/left', 'w').write('{SECRET}')\nprint(42)"
    )
    assert one(pool, Job(leave, (Case("", "42"),))).status is ProgramStatus.CORRECT
    look = (
        "import builtins, sys, os, math\nprint(hasattr(builtins, 'left'), hasattr(sys, 'left'), "
        "'LEFT' in os.environ, hasattr(math, 'left'), os.path.exists('/tmp/left'))"
    )
    expected = "False False False False False"
    assert one(pool, Job(look, (Case("", expected),))).status is ProgramStatus.CORRECT


# Prints what in the process's writable memory begins with the first line of the input and goes on
# with six digits; reads nothing that would itself put such a text there.
SCAN = """import ctypes, re
start = input().encode()
areas = []
with open('/proc/self/maps') as maps:
    for line in maps:
        if ' rw' in line and '[v' not in line:
            areas.append([int(end, 16) for end in line.split()[0].split('-')])
found = set()
for low, high in areas:
    found |= set(re.findall(start + rb'\\d{6}', ctypes.string_at(low, high - low)))
print(sorted(found))"""


LARGE = f"import time\nprint('{SECRET}' * 20000, flush=True)\ntime.sleep(0.1)"
EARLIER = {
    "an input": Job("print(input())", (Case(SECRET, SECRET),)),
    "inputs of two tests": Job("print(input())", (Case(SECRET, SECRET),) * 2),
    "a program and much output": Job(LARGE, (Case("", SECRET * 20000),)),
    "errors": Job(f"raise ValueError('{SECRET}')", (Case("", SECRET),)),
    "a call": Job("def f(x): return x", (Case(args=(SECRET,), value=SECRET),), entry="f"),
}


@pytest.mark.parametrize("earlier", EARLIER.values(), ids=list(EARLIER))
def test_nothing_of_a_job_is_in_the_memory_of_the_next(pool: SandboxPool, earlier: Job):
    assert one(pool, earlier).status in (ProgramStatus.CORRECT, ProgramStatus.RUNTIME_ERROR)
    verdict = one(pool, Job(SCAN, (Case(SECRET[:4], "[]"),)))
    assert verdict.status is ProgramStatus.CORRECT, verdict


def test_the_search_of_the_memory_finds_what_is_there(pool: SandboxPool):
    given = Case(f"{SECRET[:4]}\n{SECRET}", f"[b'{SECRET}']")
    assert one(pool, Job(SCAN, (given,))).status is ProgramStatus.CORRECT


def test_a_test_does_not_see_the_other_tests_of_its_job(pool: SandboxPool):
    tests = (Case("none", "[]"), Case(SECRET, "[]"), Case("none", "[]"))
    look = (
        "import os\nassert len(os.listdir('/proc/self/fd')) == 4  # three and that of listdir\n"
        "if input() != 'none':\n    print([])\n    raise SystemExit\n"
    )
    scan = SCAN.replace("input().encode()", f"b'{SECRET[:4]}'")
    verdict = one(pool, Job(look + scan, tests, stop_at_failure=False))
    assert (verdict.status, verdict.passed) == (ProgramStatus.CORRECT, 3), verdict


def test_the_expected_output_is_not_in_the_container(pool: SandboxPool):
    hunt = (
        "import gc, sys\nhalf = input()\nfound = []\n"
        "def look(text):\n    if isinstance(text, str) and text.startswith(half) and len(text) > "
        "len(half): found.append(text)\n"
        "frame = sys._getframe()\n"
        "while frame:\n    for v in list(frame.f_locals.values()): look(v)\n"
        "    frame = frame.f_back\n"
        "for thing in gc.get_objects():\n    if isinstance(thing, dict):\n"
        "        for v in list(thing.values()): look(v)\n"
        "print(found[0] if found else 'nothing')"
    )
    verdict = one(pool, Job(hunt, (Case(SECRET[:5], SECRET),)))
    assert verdict.status is ProgramStatus.WRONG_ANSWER


@pytest.mark.parametrize(
    "value",
    [
        "class A:\n    def __eq__(self, other): return True\ndef f(): return A()",
        "class A(int):\n    def __eq__(self, other): return True\ndef f(): return A(3)",
        "class A(list):\n    __class__ = int\ndef f(): return A()",
        "import pickle\ndef f(): return pickle.dumps(42)",
        "def f(): return [42]",
        "def f(): return '42'",
        "def f(): return True",
        "def f(): print(42)",
    ],
)
def test_only_the_value_itself_is_right(pool: SandboxPool, value: str):
    verdict = one(pool, Job(value, (Case(args=(), value=42),), entry="f"))
    assert verdict.status in (ProgramStatus.WRONG_ANSWER, ProgramStatus.RUNTIME_ERROR)
    good = Job("def f(): return 42", (Case(args=(), value=42),), entry="f")
    assert one(pool, good).status is ProgramStatus.CORRECT


@pytest.mark.parametrize(
    "read",
    [
        "input()",
        "sys.stdin.readline()",
        "sys.stdin.read()",
        "sys.stdin.buffer.read()",
        "open(0).read()",
        "os.read(0, 100)",
        "next(iter(sys.stdin))",
        "list(fileinput.input())[0]",
        "io.TextIOWrapper(sys.stdin.buffer).readline()",
    ],
)
def test_every_honest_way_to_read(pool: SandboxPool, read: str):
    program = f"import sys, os, io, fileinput\nprint(int({read}) + 1)"
    assert one(pool, Job(program, (Case("41\n", "42"),))).status is ProgramStatus.CORRECT


def test_much_honest_output_and_unread_input(pool: SandboxPool):
    text = "\n".join(str(i) for i in range(40000))
    big = Job("print('\\n'.join(map(str, range(40000))))", (Case("x" * 5_000_000, text),))
    assert one(pool, big).status is ProgramStatus.CORRECT
    noisy = "import sys\nsys.stderr.write('x' * 200000)\nprint(42)"
    assert one(pool, Job(noisy, (Case("", "42"),))).status is ProgramStatus.CORRECT


def test_threads_within_the_limit_all_start(pool: SandboxPool):
    work = (
        "import threading\nall_here = threading.Barrier(21)\nfor _ in range(20):\n"
        "    threading.Thread(target=all_here.wait).start()\nall_here.wait()\nprint(42)"
    )
    for verdict in pool.run([Job(work, (Case("", "42"),))] * 10):
        assert verdict.status is ProgramStatus.CORRECT, verdict.detail


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("1 2\\n3 4", "correct"),
        ("1 2  \\n3  4\\n\\n", "correct"),
        ("1 2", "wrong_answer"),
        ("3 4\\n1 2", "wrong_answer"),
        ("2 1\\n3 4", "wrong_answer"),
        ("1 2\\n3 4\\n3 4", "wrong_answer"),
        ("1 2 3 4", "wrong_answer"),
    ],
)
def test_order_and_number_are_never_ignored(pool: SandboxPool, printed: str, status: str):
    verdict = one(pool, Job(f"print('{printed}')", (Case("", "1 2\n3 4\n"),)))
    assert verdict.status.value == status


def test_jobs_beside_each_other_do_not_meet(image: str):
    hunter = (
        "import os, time\nend = time.time() + 1\nseen = set()\nwhile time.time() < end:\n"
        "    seen |= {p for p in os.listdir('/proc') if p.isdigit()}\n"
        "    for p in seen:\n        try: os.kill(int(p), 0)\n        except OSError: pass\n"
        "print(len(seen))"
    )
    with SandboxPool(image, workers=2) as pool:
        verdicts = list(pool.run([Job(hunter, (Case("", "2"),))] * 2))
    assert [v.status for v in verdicts] == [ProgramStatus.CORRECT] * 2


def test_a_busy_machine_does_not_fail_an_honest_program(image: str):
    work = "t = 0\nfor i in range(9_000_000): t += i\nprint(t)"
    job = Job(work, (Case("", str(sum(range(9_000_000)))),), limits=Limits(cpu=4.0))
    loops = [os.posix_spawn("/bin/sh", ["sh", "-c", "while :; do :; done"], {}) for _ in range(4)]
    try:
        with SandboxPool(image, workers=2) as pool:
            verdicts = list(pool.run([job] * 2))
    finally:
        for pid in loops:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    assert [v.status for v in verdicts] == [ProgramStatus.CORRECT] * 2


def test_a_killed_container_loses_no_job(image: str, monkeypatch: pytest.MonkeyPatch):
    client, run = connect(), Container.run

    def killed_amid(container: Container, job: Job, seen: Callable[[int, Report], bool]) -> None:
        monkeypatch.setattr(Container, "run", run)
        # It would go on for long: what kills it may be late.
        endless = replace(job, program="import time\ntime.sleep(900)", limits=Limits(cpu=300.0))
        killer = threading.Timer(0.5, client.api.kill, [container.id])
        killer.start()
        try:
            run(container, endless, seen)
        finally:
            killer.join()

    with SandboxPool(image, workers=1) as pool:
        assert one(pool, HONEST).status is ProgramStatus.CORRECT
        monkeypatch.setattr(Container, "run", killed_amid)
        assert one(pool, Job("print(42)", (Case("", "42"),))).status is ProgramStatus.CORRECT
        assert Container.run is run and pool.started == 2
    client.close()


def test_a_job_that_failed_is_stopped_in_its_next_test(pool: SandboxPool):
    """Else the job after it would wait for the test at work, which here overruns its time."""
    program = "if input() == '1':\n    while True: pass"
    job = Job(program, (Case("0", "42"), Case("1", "42")), limits=Limits(cpu=60.0))
    assert one(pool, job).status is ProgramStatus.WRONG_ANSWER
    assert one(pool, HONEST).status is ProgramStatus.CORRECT


@pytest.mark.parametrize(
    "tricks",
    [
        "fcntl.fcntl(1, fcntl.F_SETFL, os.O_WRONLY | os.O_DIRECT)",
        "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)",
        "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)\n"
        "fcntl.fcntl(1, fcntl.F_SETFL, os.O_WRONLY | os.O_DIRECT)",
        "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)",
    ],
    ids=["packets", "a large pipe", "a large pipe of packets", "a small pipe"],
)
@pytest.mark.parametrize("wait", ["", "time.sleep(0.05)"], ids=["short", "long"])
def test_what_a_program_does_to_its_pipe_does_not_matter(pool: SandboxPool, tricks: str, wait: str):
    started = one(pool, HONEST) and pool.started
    write = f"for i in range(200):\n    os.write(1, b'123 ')\n    if i == 9: {wait or 'pass'}"
    program = f"import fcntl, os, time\n{tricks}\n{write}"
    assert one(pool, Job(program, (Case("", "123 " * 200),))).status is ProgramStatus.CORRECT
    assert one(pool, HONEST).status is ProgramStatus.CORRECT
    assert pool.started == started


def test_a_flood_of_a_job_that_was_stopped_does_not_stop_the_next(pool: SandboxPool):
    """Both ways at once are full: the answer of the first, the input of the second."""
    started = one(pool, HONEST) and pool.started
    flood = Job("print('x' * 8_000_000)", (Case("", "42"),) * 5)
    big = Job("print(len(input()))", (Case("x" * 5_000_000, "5000000"),))
    for _ in range(3):
        assert one(pool, flood).status is ProgramStatus.WRONG_ANSWER
        assert one(pool, big).status is ProgramStatus.CORRECT
    assert pool.started == started


def test_closing_the_pool_removes_its_containers(image: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner, "GONE_SECONDS", 300.0)  # a busy engine may take long
    client = connect()
    with SandboxPool(image, workers=2) as pool:
        list(pool.run([HONEST] * 8))
        assert labelled_containers(client, POOL_LABEL, pool._name)
    assert not labelled_containers(client, POOL_LABEL, pool._name)
