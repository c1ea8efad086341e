"""Heavy steps in child processes: memory is free before the next stage, nothing is left behind.

A `Child` is a process in a session of its own that is spoken to over tasks/processes/wire.py. Those
of this environment are forked by tasks/processes/fork_server.py, those of another environment are
started under tasks/processes/guard.py. Whatever ends this process, SIGKILL included, ends them all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tasks.errors import StepError, UserError
from tasks.metering import CpuWatch, helping, meter
from tasks.paths import GUARD, ROOT
from tasks.processes.fork_server import ForkServer
from tasks.processes.watchdog import Watchdog
from tasks.processes.wire import Message, Wire

# A child whose wire was closed gets so long to end by itself before its group is killed.
CLOSE_SECONDS = 2.0

_fork_server: ForkServer | None = None
_preload: list[str] = []
_lock = threading.Lock()


def preload(modules: list[str]) -> None:
    """Say what the fork server imports before it forks; counts until it is started."""
    _preload[:] = modules


def fork_server(log: Path) -> ForkServer:
    """This process's fork server, started at the first call."""
    global _fork_server
    with _lock:
        if _fork_server is None or not _fork_server.alive():
            _fork_server = ForkServer(_preload, log)
        return _fork_server


def close_fork_server() -> None:
    """End the fork server, if there is one, and every child forked from it."""
    global _fork_server
    with _lock:
        if _fork_server is not None:
            _fork_server.close()
        _fork_server = None


class Silent(StepError):
    """A child gave no sign of life and was killed; the message says for how long."""


class Child:
    """A child process that answers requests; a context manager that ends it."""

    def __init__(self, wire: Wire, pid: int, end: Callable[[], int], log: Path) -> None:
        """Use `Child.module` or `Child.script`."""
        self._wire, self._end = wire, end
        self.pid, self.log = pid, log
        self._code: int | None = None
        self.busy = False
        self._closing = threading.Lock()
        self.cpu = CpuWatch(pid)  # read after each request, by whoever sent it

    @classmethod
    def module(cls, target: str, *, log: Path, env: Mapping[str, str] | None = None) -> Child:
        """Fork a process that calls `module:function` of this environment with its wire."""
        home = fork_server(log.parent / "fork_server.log")
        wire, theirs = _pipes()
        log.parent.mkdir(parents=True, exist_ok=True)
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            pid = home.fork(target, [*theirs, sink], dict(env or {}))
        except OSError as error:
            raise StepError(f"no child process could be started: {error}") from None
        finally:
            for fd in (*theirs, sink):
                os.close(fd)

        def end() -> int:
            # Itself first: a child that was only just forked may not lead its group yet.
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
            return home.wait(pid)

        return cls(wire, pid, end, log)

    @classmethod
    def script(
        cls, python: Path, script: Path, *, log: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start a script under another environment's Python.

        Its last two arguments are the descriptors of its wire.
        """
        wire, theirs = _pipes()
        guard_end, lifeline = os.pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        ends = [str(fd) for fd in theirs]
        with log.open("ab") as sink:
            process = subprocess.Popen(
                # -S -E: the guard needs no site-packages, and starts faster without.
                [
                    sys.executable,
                    "-SE",
                    str(GUARD),
                    str(guard_end),
                    ",".join(ends),
                    str(python),
                    str(script),
                    *ends,
                ],
                pass_fds=[guard_end, *theirs],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
            )
        for fd in (guard_end, *theirs):
            os.close(fd)

        def end() -> int:
            os.close(lifeline)  # the guard kills the script and all that it started
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)  # unless it was stopped, as they may be
            return process.wait()

        return cls(wire, process.pid, end, log)

    def call(
        self,
        request: Message,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        on_ask: Callable[[Message], Message] | None = None,
        stall: float = 0.0,
    ) -> Message:
        """Send a request and wait for its answer, serving progress and questions on the way.

        Args:
            request: What is asked.
            on_progress: Told how far it is.
            on_ask: Answers what the child asks.
            stall: Seconds without a sign of life after which it is killed; 0: never.

        Raises:
            UserError: the child found a mistake of the user's.
            Silent: it was killed for its silence.
            StepError: the child reported an error or died; the message names its log.
        """
        with helping():
            if not stall:
                return self._converse(request, on_progress, on_ask)
            with Watchdog(self.pid, stall, self.close) as watch:
                try:
                    return self._converse(request, on_progress, on_ask, watch)
                except (StepError, OSError, ValueError):  # its wire was closed as we read
                    if not watch.bit:
                        raise
            raise Silent(f"no sign of life for {stall:g} s; log: {self.log}")

    def _converse(
        self,
        request: Message,
        on_progress: Callable[[int, int], None] | None,
        on_ask: Callable[[Message], Message] | None,
        watch: Watchdog | None = None,
    ) -> Message:
        self.busy = True
        try:
            self._wire.write(request)
            while (message := self._wire.read()) is not None:
                if watch:
                    watch.hear()
                if "progress" in message:
                    if on_progress:
                        on_progress(*message["progress"])
                elif "alive" in message:
                    continue
                elif "ask" in message:
                    if on_ask is None:
                        raise StepError(f"the child process asked {message['ask']!r}, unexpected")
                    with watch.waited_for() if watch else contextlib.nullcontext():
                        answer = on_ask(message["ask"])
                    self._wire.write({"answer": answer})
                elif message.get("mistake"):
                    raise UserError(message["error"])
                elif "error" in message:
                    raise StepError(f"{message['error']} (log: {self.log})")
                else:
                    return message["done"]
        except BrokenPipeError:
            pass
        finally:
            self.busy = False
            self.cpu.read(meter())
        raise StepError(f"the child process died ({self.ending()})")

    def send(self, message: Message) -> None:
        """Send one message; whoever does so reads with `receive` (tasks/generate/connection.py).

        Raises:
            BrokenPipeError: the child is gone.
        """
        self._wire.write(message)

    def receive(self) -> Message | None:
        """The next message; None when the child is gone."""
        return self._wire.read()

    def ending(self) -> str:
        """How it ended, in words; waits until it is gone."""
        self.close()
        return f"{_end_of(self._code)}; log: {self.log}"

    def close(self) -> None:
        """End the child and everything it started, and wait until it is gone.

        A child that is idle may end by itself; one that works for another thread is killed, and
        that thread's call then fails.
        """
        with self._closing:  # two threads may find it dead at once
            if self._code is not None:
                return
            if not self.busy:
                self._wire.hang_up()
                _wait_a_little(self.pid)
            try:
                self._code = self._end()
            except OSError:
                self._code = -signal.SIGKILL  # the fork server is gone, and its children with it
            self._wire.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pipes() -> tuple[Wire, list[int]]:
    """Our wire, and the child's [read, write] descriptors."""
    child_read, self_write = os.pipe()
    self_read, child_write = os.pipe()
    return Wire(self_read, self_write), [child_read, child_write]


def _wait_a_little(pid: int) -> None:
    """Until the process ended, or its time to do so is over."""
    import select

    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        select.select([handle], [], [], CLOSE_SECONDS)
        os.close(handle)


def _end_of(code: int | None) -> str:
    return f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
