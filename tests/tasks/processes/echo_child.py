"""A child process for tests: answers, asks, fails, or leaves a mess, as told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tasks.processes.wire import Message, Wire, answer_requests


def handle(request: Message, wire: Wire) -> Message:
    what = request["do"]
    if what == "ask":
        wire.progress(1, 2)
        return {"heard": wire.ask({"question": 1})}
    if what == "raise":
        raise ValueError("told to")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "spawn":
        code = "import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=False)
        return {"pids": [os.getpid(), child.pid]}
    if what == "print":
        print("noise on standard output", flush=True)
        os.write(2, b"noise on standard error\n")
    if what == "work slowly":
        for _ in range(30):
            time.sleep(0.1)
        wire.alive()
    if what == "beat":
        for _ in range(request["beats"]):
            time.sleep(0.2)
            wire.alive()
    if what == "hang":
        wire.alive()
        signal.pause()
    if what == "move bytes":
        _move_bytes(Path(request["until"]))
    if what == "sleep":
        time.sleep(600)
    return {}


def _move_bytes(until: Path) -> None:
    """Write a file until another one is there, without a word, as a checkpoint is saved."""
    with tempfile.TemporaryFile() as file:
        while not until.exists():
            file.seek(0)
            file.write(b"0" * 2**22)
            time.sleep(0.05)


def main(wire: Wire) -> None:
    answer_requests(wire, handle)


def hang_early(wire: Wire) -> None:
    """In the place of a trainer: it comes to its first step and no further."""

    def begin(request: Message, wire: Wire) -> Message:
        wire.progress(1, 9)
        signal.pause()
        return {}

    answer_requests(wire, begin)
