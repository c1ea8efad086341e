"""Whatever a function of the user's does, an answer comes and nothing is left running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import psutil
import pytest

from tasks.errors import UserError
from tasks.processes.function_worker import TRACE_CHARS
from tasks.processes.functions import Answer, FunctionPool
from tasks.settings.filter import SCORE
from tasks.settings.find_function import find_function
from tests.tasks.processes.test_child import gone

# Longer than any of them needs on a busy machine, but for those that never end.
PLENTY = 120.0


def pool_of(folder: Path, body: str, seconds: float = PLENTY) -> FunctionPool:
    """One process of a reward with this body."""
    path = folder / "reward.py"
    path.write_text(f"import os, sys, time\ndef reward(completion):\n{indent(body, '    ')}\n")
    return FunctionPool(find_function(SCORE, f"{path}:reward"), 1, seconds)


def ask(pool: FunctionPool, text: str = "") -> Answer:
    return pool.submit({"completion": text}).result()


@pytest.fixture(scope="module")
def obeying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionPool]:
    """A process of a reward that does what the completion says; it is used again and again."""
    body = (
        "scope = dict(globals())\nexec('def run():\\n ' + completion, scope)\nreturn scope['run']()"
    )
    with pool_of(tmp_path_factory.mktemp("obeying"), body) as pool:
        yield pool


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("sys.exit('bye')", "SystemExit: bye"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise BaseException('base')", "BaseException: base"),
        ("return run()", "RecursionError: maximum recursion depth exceeded"),
        ("return float(input())", "EOFError: EOF when reading a line"),
        ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("os._exit(3)", "it ended its process (exit code 3)"),
        ("os.abort()", "its process was ended by SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "its process was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
        ("return None", "it returned NoneType (None); expected a number in [0, 1]"),
        ("return '1.0'", "it returned str ('1.0'); expected a number in [0, 1]"),
        ("return 1j", "it returned complex (1j); expected a number in [0, 1]"),
        ("return float('nan')", "it returned nan; expected a number in [0, 1]"),
        ("return float('inf')", "it returned inf; expected a number in [0, 1]"),
        ("return 1.5", "it returned 1.5; expected a number in [0, 1]"),
        ("return -0.1", "it returned -0.1; expected a number in [0, 1]"),
        ("return [1.0]", "it returned list ([1.0]); expected a number in [0, 1]"),
        ("import numpy; return numpy.ones(2)", "it returned ndarray (array([1., 1.]))"),
    ],
)
def test_a_call_that_gives_no_reward_says_why(body: str, error: str, obeying: FunctionPool) -> None:
    answer = ask(obeying, body)
    assert answer.value is None and answer.error.startswith(error)
    assert "\n" not in answer.error and len(answer.error) < 400
    assert len(answer.trace) <= TRACE_CHARS


@pytest.mark.parametrize(
    ("body", "reward"),
    [
        ("return 1", 1.0),
        ("return 1 == 1", 1.0),
        ("from fractions import Fraction; return Fraction(1, 2)", 0.5),
        ("import numpy; return numpy.float32(0.5)", 0.5),
        ("import numpy; return numpy.bool_(True)", 1.0),
        ("import numpy; return numpy.array(0.25)", 0.25),
        ("print('x' * 100_000_000); return 0.5", 0.5),
        ("sys.stderr.write('x' * 10**6); os.write(1, b'{}\\n'); return 0.5", 0.5),
        ("sys.setrecursionlimit(10**6); os.chdir('/'); os.environ.clear(); return 1.0", 1.0),
    ],
)
def test_a_number_is_a_reward_whatever_its_type_and_however_much_is_printed(
    body: str, reward: float, obeying: FunctionPool
) -> None:
    assert [ask(obeying, body).value for _ in range(2)] == [reward, reward]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "time.sleep(1000)",
        "while True:\n    try: time.sleep(1000)\n    except BaseException: pass",
        "return sum(range(10**12))",  # holds the interpreter's lock
    ],
)
def test_a_call_that_never_ends_is_ended(body: str, tmp_path: Path) -> None:
    with pool_of(tmp_path, f"if completion: return 1.0\n{body}", seconds=0.5) as pool:
        assert ask(pool).error == "it took more than 0.5 s"
        pool._seconds = PLENTY
        assert ask(pool, "quick").value == 1.0  # by another process


def test_an_error_names_the_line_of_the_users_file_and_no_line_of_ours(tmp_path: Path) -> None:
    with pool_of(tmp_path, "return helper(completion)") as pool:
        answer = ask(pool)
    assert f'File "{tmp_path}/reward.py", line 3, in reward' in answer.trace
    assert "return helper(completion)" in answer.trace
    assert "function_worker" not in answer.trace


def test_a_process_that_forks_gives_one_answer_and_leaves_no_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    body = f"""pid = os.fork()
if pid == 0:
    if completion == "answer": return 1.0
    time.sleep(1000)
open({str(note)!r}, "w").write(str(pid))
return 0.25"""
    with pool_of(tmp_path, body) as pool:
        assert [ask(pool, "answer").value for _ in range(5)] == [0.25] * 5
        assert ask(pool, "stay").value == 0.25
        child = int(note.read_text())
    assert gone([child])


@pytest.mark.slow
def test_noise_in_the_pipe_is_no_answer(obeying: FunctionPool) -> None:
    for noise in ("noise", "[]", '{"value": 1.0}', '{"id": true, "value": 1.0}'):
        body = f"[os.write(fd, {noise + chr(10)!r}.encode()) for fd in (3, 4, 5) if _is_open(fd)]"
        found = ask(obeying, f"{_IS_OPEN}\n {body}\n return 1.0")
        assert found.value is None and found.error == "it wrote to the pipe of its process", noise


_IS_OPEN = "_is_open = lambda fd: os.path.exists(f'/proc/self/fd/{fd}')"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", r"it ended its process \(exit code 3\)"),
        ("del reward", "AttributeError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_said_before_anything_is_asked(
    source: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "reward.py"
    path.write_text(f"def reward(completion): ...\n{source}\n")
    with (
        FunctionPool(find_function(SCORE, f"{path}:reward"), 1, PLENTY) as pool,
        pytest.raises(UserError, match=f"^filter.score: reward.py:reward: .*{said}") as caught,
    ):
        pool.check()
    assert "\n" not in str(caught.value)


def test_a_call_runs_the_text_that_was_found_and_not_what_is_there_now(tmp_path: Path) -> None:
    with pool_of(tmp_path, "return 0.25") as pool:
        (tmp_path / "reward.py").unlink()
        assert ask(pool).value == 0.25


def test_an_installed_module_that_was_changed_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "changed_rewards.py"
    module.write_text("def reward(completion): return 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    found = find_function(SCORE, "changed_rewards:reward")
    with FunctionPool(found, 1, PLENTY) as pool:
        assert ask(pool).value == 1.0
    module.write_text("def reward(completion): return 0.0\n")
    with (
        FunctionPool(found, 1, PLENTY) as pool,
        pytest.raises(UserError, match="is not the one that the run began with"),
    ):
        pool.check()


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    with pool_of(tmp_path, "time.sleep(1000)") as pool:
        asked = pool.submit({"completion": ""})
        while not pool.pids():
            time.sleep(0.01)
        processes = [psutil.Process(pid) for pid in pool.pids()]
    assert asked.done() or asked.cancelled()
    # By more than its id, which another process may have by now.
    assert processes and not any(process.is_running() for process in processes)
