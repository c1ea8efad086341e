"""A child process of this program that is asked in JSON lines and can be killed at any time.

The child is a module that writes one line when it is ready, then one line for each line it reads,
and ends at end of file, which the kernel delivers however this process ends (`serve`).

Not covered: order, several children, retries; see the pools that use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from tasks.paths import ROOT
from tasks.rows import Json

_CHUNK = 1 << 16


class Child:
    """The parent's end: one process and its two pipes."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start `python -m module`; wait for it with `ready`."""
        self.jobs = 0
        # A session of its own keeps the terminal's Ctrl-C away: the parent decides, then closes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._buffer = b""
        self.late = False

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ready(self, seconds: float) -> bool:
        """Whether the child came up within so many seconds of wall time."""
        return self._read(seconds) is not None

    def ask(self, message: Any, seconds: float) -> Json | None:
        """The reply, or None where the child is gone, or gave none in `seconds` (then `late`)."""
        self.jobs += 1
        try:
            self._requests.write(json.dumps(message).encode() + b"\n")
            self._requests.flush()
        except (BrokenPipeError, ValueError):  # the child, or (by another thread) its pipe, is gone
            return None
        return self._read(seconds)

    def kill(self) -> None:
        """End the process and wait until it is gone; from any thread."""
        self._process.kill()
        self._process.wait()

    def release(self) -> None:
        """Close the pipes; only by the thread that uses them."""
        for end in (self._requests, self._replies):
            with contextlib.suppress(BrokenPipeError):
                end.close()

    def _read(self, seconds: float) -> Json | None:
        deadline = time.monotonic() + seconds
        poll = select.poll()  # select() cannot take descriptors over 1023
        poll.register(self._replies.fileno(), select.POLLIN | select.POLLHUP)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                self.late = True
                return None
            data = os.read(self._replies.fileno(), _CHUNK)
            if not data:
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def serve(prepare: Callable[[], Callable[[Any], Json]]) -> None:
    """The child's end: prepare, say so, then answer in the main thread until the parent is gone.

    Args:
        prepare: Imports what is needed and gives the function that answers one message. It must
            not raise for a message: the child would end without a reply.
    """
    # Replies go to a private copy of standard output, so that no library can write into them.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    answer = prepare()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    reply: Json = {"ready": True}
    while True:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
        reply = answer(json.loads(requests.get()))


def _listen(requests: queue.SimpleQueue[str]) -> None:
    """Take requests off the pipe; at its end the process ends, in the middle of a job too."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)
