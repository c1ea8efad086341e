"""JSON lines over a pair of pipes: how a step talks to its child process.

This file imports the standard library alone, because the vLLM engine runs it under another
environment's Python. A child serves one request after another; while it works on one it may report
progress and may ask its parent something (the trainer asks for rewards of validation samples).

Child to parent, one of: {"progress": [done, total]}, {"alive": true}, {"ask": {...}},
{"done": {...}}, {"error": "text", "mistake": whether it is the user's}. Parent to child: a request,
or {"answer": {...}} after an ask. Where a request has an "id", all that is said about it has it
too, so that several may be under way (tasks/generate/connection.py).
Standard output and error of a child go to its log, so a chatty library cannot break the wire.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import traceback
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

# Signs of life that come faster are not sent.
ALIVE_SECONDS = 1.0


class Wire:
    """One end of the pair of pipes."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._reader = os.fdopen(read_fd, "r", encoding="utf-8", errors="surrogatepass")
        self._writer = os.fdopen(write_fd, "w", encoding="utf-8", errors="surrogatepass")
        self._about: Message = {}
        self._told_alive = -math.inf

    def read(self) -> Message | None:
        """The next message, or None when the other end is gone."""
        line = self._reader.readline()
        return json.loads(line) if line.endswith("\n") else None

    def about(self, request: Message) -> None:
        """What is written from now on is about this request."""
        self._about = {"id": request["id"]} if "id" in request else {}

    def write(self, message: Message) -> None:
        """Send one message. Raises BrokenPipeError when the other end is gone."""
        self._writer.write(json.dumps(message | self._about) + "\n")
        self._writer.flush()

    def progress(self, done: int, total: int) -> None:
        """Tell the parent how far the current request is."""
        self.write({"progress": [done, total]})

    def alive(self) -> None:
        """Tell the parent that the work goes on; as often as one likes."""
        if (now := time.monotonic()) - self._told_alive >= ALIVE_SECONDS:
            self._told_alive = now
            self.write({"alive": True})

    def ask(self, question: Message) -> Message:
        """Ask the parent and wait for its answer. Raises EOFError when the parent is gone."""
        self.write({"ask": question})
        message = self.read()
        if message is None:
            raise EOFError("the parent process is gone")
        return message["answer"]

    def hang_up(self) -> None:
        """Say that no more requests come: the other end reads None."""
        with contextlib.suppress(BrokenPipeError):
            self._writer.close()

    def close(self) -> None:
        """Close both pipes. Blocks while another thread reads, so end the other side before."""
        for end in (self._writer, self._reader):
            with contextlib.suppress(BrokenPipeError):
                end.close()


def answer_requests(wire: Wire, handle: Callable[[Message, Wire], Message]) -> None:
    """Answer requests until the parent closes the wire; an exception becomes an error message."""
    while (request := wire.read()) is not None:
        wire.about(request)
        try:
            reply: Message = {"done": handle(request, wire)}
        except Exception as error:
            reply = failure(error)
        wire.write(reply)


def failure(error: Exception) -> Message:
    """The message that tells the parent of an exception; its traceback goes to the log."""
    traceback.print_exception(error)
    name = type(error).__name__
    # By name, because this file imports nothing of ours.
    mistake = name == "UserError"
    return {"error": str(error) if mistake else f"{name}: {error}", "mistake": mistake}


def wire_from_argv(argv: list[str]) -> Wire:
    """The child's end; its two file descriptors are the last two arguments."""
    return Wire(int(argv[-2]), int(argv[-1]))
