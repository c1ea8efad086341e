"""Heavy steps in child processes: memory is free before the next stage, nothing is left behind.

A `Child` is started under tasks/guard.py in a session of its own and spoken to over tasks/wire.py.
Whatever ends this process, SIGKILL included, ends the child and all that it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

from tasks.errors import StepError
from tasks.wire import Message, Wire

ROOT = Path(__file__).resolve().parent.parent
GUARD = Path(__file__).resolve().parent / "guard.py"
# A child that was asked to end gets so long to flush its log before its group is killed.
CLOSE_SECONDS = 2.0

_LIVE: weakref.WeakSet[Child] = weakref.WeakSet()


class Child:
    """A child process that answers requests; a context manager that ends it."""

    def __init__(
        self, command: list[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `command` with the wire's two descriptors as its last two arguments.

        Args:
            command: Program and arguments.
            log: File that its standard output and error are appended to.
            env: Variables added to this process's environment.
        """
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        child_read, self_write = os.pipe()
        self_read, child_write = os.pipe()
        guard_end, self._lifeline = os.pipe()
        passed = f"{child_read},{child_write}"
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                # -S -E: the guard needs no site-packages, and starts three times as fast without.
                [sys.executable, "-SE", str(GUARD), str(guard_end), passed]
                + [*command, str(child_read), str(child_write)],
                pass_fds=[guard_end, child_read, child_write],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
            )
        for fd in (guard_end, child_read, child_write):
            os.close(fd)
        self._wire = Wire(self_read, self_write)
        _LIVE.add(self)

    @classmethod
    def module(cls, target: str, *, log: Path, env: Mapping[str, str] | None = None) -> Child:
        """Start `module:function` of this environment; the function gets the wire."""
        module, function = target.split(":")
        code = (
            f"import sys; from {module} import {function} as f; "
            "from tasks.wire import wire_from_argv; f(wire_from_argv(sys.argv))"
        )
        return cls([sys.executable, "-c", code], log=log, env=env)

    @classmethod
    def script(
        cls, python: Path, script: Path, *, log: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start a script under another environment's Python."""
        return cls([str(python), str(script)], log=log, env=env)

    @property
    def pid(self) -> int:
        """Process id of the guard, which leads the child's process group."""
        return self._process.pid

    def call(
        self,
        request: Message,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        on_ask: Callable[[Message], Message] | None = None,
    ) -> Message:
        """Send a request and wait for its answer, serving progress and questions on the way.

        Raises:
            StepError: the child reported an error or died; the message names its log.
        """
        try:
            self._wire.write(request)
            while (message := self._wire.read()) is not None:
                if "progress" in message:
                    if on_progress:
                        on_progress(*message["progress"])
                elif "ask" in message:
                    if on_ask is None:
                        raise StepError(f"the child process asked {message['ask']!r}, unexpected")
                    self._wire.write({"answer": on_ask(message["ask"])})
                elif "error" in message:
                    raise StepError(f"{message['error']} (log: {self.log})")
                else:
                    return message["done"]
        except BrokenPipeError:
            pass
        self.close()
        code = self._process.returncode
        raise StepError(f"the child process died ({_end_of(code)}; log: {self.log})")

    def close(self) -> None:
        """End the child and everything it started, and wait until it is gone."""
        self._wire.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=CLOSE_SECONDS)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        _LIVE.discard(self)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def close_all() -> None:
    """End every child of this process; the last resort of a signal handler."""
    for child in list(_LIVE):
        child.close()


def _end_of(code: int | None) -> str:
    if code is None:
        return "still running"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
