"""A child process for test_stage.py: answers, asks, fails, or leaves a mess, as told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

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
    if what == "sleep":
        time.sleep(600)
    return {}


def main(wire: Wire) -> None:
    answer_requests(wire, handle)
