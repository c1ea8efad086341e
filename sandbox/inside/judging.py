"""In the judge's process of an interactive problem: see interactive.py.

A judge is a Python program. Its standard streams are the program's, the other way round, and its
first argument is the path of the test's input. It accepts by ending well, and refuses by an exit
code other than 0 or by any exception. Exit code 3 says that the judge itself failed.
"""

from __future__ import annotations

import builtins
import gc
import select
import sys
import traceback
import types

from sandbox.inside.calls import GONE, TOLD
from sandbox.inside.frames import NO_CHECK, PASSED, WRONG
from sandbox.inside.limits import DETAIL_BYTES
from sandbox.inside.moving import write_all

# Of the test's input.
INPUT = 4
# Exit code of a judge that failed, as of testlib.
FAILED_JUDGE = 3


def run_judge(source: str) -> None:
    """Run a judge and say what came of it."""
    gc.enable()
    sys.argv = ["judge.py", f"/proc/self/fd/{INPUT}"]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="judge.py")
    sys.modules["__main__"] = module
    try:
        code = compile(source, "judge.py", "exec", dont_inherit=True)
    except BaseException as error:
        return _tell(NO_CHECK, f"the judge cannot be run: {_last(error)}")
    word, detail = PASSED, ""
    try:
        exec(code, module.__dict__)
        sys.stdout.flush()
    except SystemExit as end:
        if end.code not in (None, 0):
            word, detail = WRONG, "" if isinstance(end.code, int) else str(end.code)
        if end.code == FAILED_JUDGE:
            word, detail = NO_CHECK, "the judge failed"
    except BaseException as error:  # of an assert, or of what the program said
        word, detail = WRONG, _last(error)
        if isinstance(error, BrokenPipeError):
            word = GONE
    if word == WRONG and _hung_up():
        word = GONE  # what the program ended by may say more
    _tell(word, detail)


def _hung_up() -> bool:
    """Whether the program had ended, or closed its output, before the judge did."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _last(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error))[-500:]


def _tell(word: int, detail: str) -> None:
    write_all(TOLD, bytes([word]) + detail.encode("utf-8", "replace")[:DETAIL_BYTES])
