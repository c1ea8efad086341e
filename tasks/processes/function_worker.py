"""The process of one function of the user's: loads it, then calls it with what it is asked.

It may raise anything, print, read its standard input, end the process or never return: a reply says
what it raised, and the parent's clock (tasks/processes/functions.py) does the rest. Should the
parent be gone meanwhile, the kernel's alarm ends a call that holds the interpreter.

Not covered: memory. The kernel is told to end this process first when the machine has none left.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import importlib
import linecache
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType

from tasks.processes.killable import Question, serve
from tasks.rows import Json
from tasks.settings.find_function import find_source
from tasks.settings.user_function import UserFunction

# Of a traceback the end is kept, of an error's own line the beginning.
TRACE_CHARS = 4000
LINE_CHARS = 300
# Beyond the parent's limit.
_ALARM_SECONDS = 5.0

Function = Callable[..., object]


class WrongReturn(Exception):
    """What a function returned is not what its kind has to; the message says what was expected."""


def serve_function(call: Callable[[Function, Json], object]) -> None:
    """Serve one function until the parent is gone.

    Args:
        call: Calls the function with what a question has, and gives what is JSON; it raises
            WrongReturn where the function returned something else.
    """
    serve(lambda: _Worker(call).answer)


class _Worker:
    def __init__(self, call: Callable[[Function, Json], object]) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
        self._call, self._pid = call, os.getpid()
        self._file = ""

    def answer(self, question: Question) -> dict[str, object]:
        assert isinstance(question, dict)
        reply: dict[str, object] = {"id": question["id"]}
        try:
            if "load" in question:
                self._function = self._load(UserFunction.from_json(question["load"]))
                return reply
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, question["seconds"] + _ALARM_SECONDS)
            reply["value"] = self._call(self._function, question["given"])
        except WrongReturn as wrong:
            reply["error"] = str(wrong)[:LINE_CHARS]
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            reply["error"] = _line(error)
            reply["trace"] = self._trace(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if os.getpid() != self._pid:  # a copy that the function forked answers nothing
                os._exit(0)
        return reply

    def _load(self, asked: UserFunction) -> Function:
        self._file = asked.file
        if asked.module:
            found = find_source(asked.module)
            text = Path(found).read_bytes() if found else b""
            if hashlib.sha256(text).hexdigest() != asked.sha256:
                raise ImportError(
                    f"{asked.module} is missing here, or is not the one that the run began with"
                )
            self._file = found or ""
            return getattr(importlib.import_module(asked.module), asked.name)
        module = ModuleType(f"restem_user_{asked.sha256[:12]}")
        module.__file__ = asked.file
        vars(module)["__builtins__"] = builtins  # exec would hand on ours (restem/__init__.py)
        sys.modules[module.__name__] = module  # where dataclasses look for it
        lines = asked.source.splitlines(keepends=True)
        linecache.cache[asked.file] = (len(asked.source), None, lines, asked.file)
        exec(compile(asked.source, asked.file, "exec"), module.__dict__)
        return getattr(module, asked.name)

    def _trace(self, error: BaseException) -> str:
        """The traceback from the user's file on."""
        start: TracebackType | None = error.__traceback__
        while start is not None and start.tb_frame.f_code.co_filename != self._file:
            start = start.tb_next
        lines = traceback.format_exception(type(error), error, start or error.__traceback__)
        return "".join(lines)[-TRACE_CHARS:]


def _line(error: BaseException) -> str:
    text = " ".join(traceback.format_exception_only(error)[-1].split())
    return text[:LINE_CHARS]
