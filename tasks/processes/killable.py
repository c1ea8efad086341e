"""A process of this program that answers questions in JSON lines and can be killed.

It is a module whose `main` writes one line when it is ready, then one line for each line it reads,
and ends at end of file, which the kernel delivers however this process ends (`serve`). It may call
what users wrote, so that names like `tasks` are theirs there (restem/__init__.py).

Not covered: order, several processes, retries; see the pools that use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from sandbox.awake import awake
from tasks.metering import CpuWatch
from tasks.paths import PACKAGE_PLACE, ROOT
from tasks.rows import Json

# A worker imports sympy, or what a user's function needs: seconds, more on a busy machine.
_START_SECONDS = 120.0
# A process whose pipe is closed is ending by itself, and has so long until it is killed.
_END_SECONDS = 1.0
_CHUNK = 1 << 16
# Last on the path: in an installed restem the place is site-packages, where it is already.
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from restem import run_beside_yours; run_beside_yours(sys.argv.pop(1))"
)

# What is asked: the texts of a pair, or the arguments of a function.
Question = list[str] | Json


class KillableProcess:
    """The parent's end: one process and its two pipes."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start a module's `main` in a process; wait for it with `ready`."""
        self.jobs = 0
        self.late = False
        self._ready = self._gone = False
        # A session of its own keeps the terminal's Ctrl-C away: the parent decides, then closes.
        self._process = subprocess.Popen(
            # -P: the folder in which it starts is no place to import from.
            [sys.executable, "-P", "-c", _START, str(PACKAGE_PLACE), module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._buffer = b""
        self.cpu = CpuWatch(self.pid, family=False)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ready(self, seconds: float = _START_SECONDS) -> bool:
        """Whether the process lives; waits until it has imported what it needs."""
        if self._process.poll() is not None:
            return False
        self._ready = self._ready or self._read(awake() + seconds) is not None
        return self._ready

    def ask(
        self,
        question: Question,
        seconds: float,
        slow: float | None = None,
        on_slow: Callable[[], None] = lambda: None,
    ) -> Json | None:
        """The reply, or None where the process is gone, or gave none in time (then `late`).

        Args:
            question: What the module's function is given.
            seconds: Wall seconds after which there will be no reply.
            slow: Seconds after which `on_slow` is called, once.
            on_slow: Told that it takes long.
        """
        self.jobs += 1
        start = awake()
        try:
            self._requests.write(json.dumps(question).encode() + b"\n")
            self._requests.flush()
        except (BrokenPipeError, ValueError):  # it, or (closed by another thread) its pipe, is gone
            return None
        if slow is not None and not self._waits(start + slow):
            on_slow()
        return self._read(start + seconds)

    @property
    def code(self) -> int | None:
        """Exit code of a process that `end` was called for; negative: the signal that ended it."""
        return self._process.returncode

    def died_of(self, number: int) -> bool:
        """Whether the process, which `end` was called for, was ended by a signal."""
        return self.code == -number

    def end(self) -> None:
        """End the process with what it started, and wait until it is gone; from any thread."""
        if self._gone:  # keep its own exit code
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_END_SECONDS)
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def release(self) -> None:
        """Close the pipes; only by the thread that uses them."""
        for end in (self._requests, self._replies):
            with contextlib.suppress(BrokenPipeError):
                end.close()

    def _waits(self, deadline: float) -> bool:
        """Whether something is there to be read before the deadline, the end included."""
        poll = select.poll()  # select() cannot take descriptors over 1023
        poll.register(self._replies.fileno(), select.POLLIN | select.POLLHUP)
        while not (found := poll.poll(max(0.0, deadline - awake()) * 1000)):
            if awake() >= deadline:  # else this process was stopped, and the other one with it
                break
        return bool(found)

    def _read(self, deadline: float) -> Json | None:
        while b"\n" not in self._buffer:
            if not self._waits(deadline):
                self.late = True
                return None
            data = os.read(self._replies.fileno(), _CHUNK)
            if not data:
                self._gone = True
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def serve(prepare: Callable[[], Callable[[Question], dict[str, object]]]) -> None:
    """The process's end: prepare, say so, then answer in the main thread until the parent is gone.

    Args:
        prepare: Imports what is needed and gives the function that answers one question. It must
            not raise for a question: the process would end without a reply.
    """
    # Private copies of both pipes, so that no library can write into the one or read the other.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    pipe = os.fdopen(os.dup(0), encoding="ascii")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    answer = prepare()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, requests), daemon=True).start()
    reply: dict[str, object] = {"ready": True}
    while True:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
        reply = answer(json.loads(requests.get()))


def _listen(pipe: TextIO, requests: queue.SimpleQueue[str]) -> None:
    """Take requests off the pipe; at its end the process ends, in the middle of a job too."""
    for line in pipe:
        requests.put(line)
    os._exit(0)
