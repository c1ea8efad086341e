"""The part of the runner for tests that are a function `check(candidate)` with asserts in it.

Its asserts hold the expected values, so check and program run in two processes under two uids that
no other process has had. The program's is forked before the check is read, by the check's process
alone, from the runner's input: no memory that the program ever had holds a word of it. The check
calls a stand-in for the function; arguments and values cross as plain data (sandbox/plain.py).

A job has passed if the check returned and its process said so, on a pipe that the program does not
hold. Whatever else ends the check, its own death included, is a failed test. This file has the
supervisor's part, calls.py those of the other two.

The job's frame has {"checked": true}; a frame {"id", "source"} with the check follows it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import time

from sandbox.calls import run_check
from sandbox.runner import (
    CHUNK,
    STARVED_FACTOR,
    STDERR_BYTES,
    WALL_FACTOR,
    Json,
    _become,
    _task,
    classify,
    cpu_of,
    drain,
    reap,
    receive,
    starved,
)

# Above all uids that a container gives to programs.
CHECK_UIDS = 1 << 15
# For the end of a process to become known after that of the other.
GRACE_SECONDS = 1.0


def attempt(job: Json, uid: int) -> Json | None:
    """Fork program and check and watch them; None in the program itself."""
    began = time.monotonic()
    asks, answers = _pipe(), _pipe()
    kept = [_pipe() for _ in range(3)]  # output, errors, compiled code
    program = os.fork()
    if program == 0:
        output, errors, code = (write for _, write in kept)
        _become(job, {}, uid, b"", asks[0], [output, errors, answers[1], code])
        return None
    for fd in (asks[0], answers[1], *(write for _, write in kept)):
        os.close(fd)
    told = _pipe()
    check = os.fork()
    if check == 0:
        source = _receive_check(job["id"], told[1])
        nowhere = _high(os.open(os.devnull, os.O_RDWR))
        _become(job, {}, uid + CHECK_UIDS, b"", answers[0], [nowhere, nowhere, told[1], asks[1]])
        _task.clear()
        run_check(source, job["entry"])
        os._exit(0)
    for fd in (asks[1], answers[0], told[1]):
        os.close(fd)
    if os.read(told[0], 1) != b"+":  # until then the runner's input is the check's to read
        os._exit(4)
    return _watch(program, check, [*(read for read, _ in kept), told[0]], job["limits"], began)


def _receive_check(job: str, told: int) -> str:
    """The check's source; from here on its process alone has it."""
    message = receive()
    if message is None or message.get("id") != job:
        os._exit(4)
    os.write(told, b"+")
    return message["source"]


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    return _high(read), _high(write)


def _high(fd: int) -> int:
    """The same above the numbers that `_become` gives away."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return moved


def _watch(program: int, check: int, fds: list[int], limits: Json, began: float) -> Json:
    """Read what both write, bounded, until the check ends or one overruns a limit."""
    handles = {pid: os.pidfd_open(pid) for pid in (program, check)}
    kept = {fd: bytearray() for fd in fds}
    caps = dict(zip(fds, (limits["output"], STDERR_BYTES, 1 << 24, STDERR_BYTES), strict=True))
    poll = select.poll()
    for fd in (*handles.values(), *fds):
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    reason, over, end = "", False, began + limits["cpu"] * STARVED_FACTOR
    while not over and not reason:
        for fd, _ in poll.poll(_wait_for(handles, limits, end)):
            if fd == handles[check]:
                over = True
            elif fd == handles[program]:
                poll.unregister(fd)  # the check finds its pipe closed, unless a child holds it
                end = min(end, time.monotonic() + GRACE_SECONDS)
            elif not drain(fd, kept[fd], caps[fd], 1):
                poll.unregister(fd)
        if len(kept[fds[0]]) > limits["output"]:
            reason = "output_limit"
        elif not over:
            reason = _overrun(handles, limits, began, end)
    # The end of its pipes is known a moment before its own.
    gone = bool(select.select([handles[program]], [], [], 0.0 if reason else GRACE_SECONDS / 4)[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    _, status, usage = os.wait4(program, 0)
    _, checked = os.waitpid(check, 0)
    reap()
    for fd in fds:
        drain(fd, kept[fd], caps[fd], caps[fd] // CHUNK + 2)
        os.close(fd)
    for handle in handles.values():
        os.close(handle)
    output, errors, code, told = (bytes(kept[fd]) for fd in fds)
    if not reason and len(output) > limits["output"]:
        reason = "output_limit"
    cpu = usage.ru_utime + usage.ru_stime
    said, detail = _verdict(told, checked)
    if said == "ended":
        said = classify(status, errors, cpu, limits, code) if gone else "wrong_answer"
        said = "wrong_answer" if said == "ok" else said
    return {
        "status": reason or said,
        "output": "true" if said == "ok" else "",
        "stderr": errors[-STDERR_BYTES:].decode("utf-8", "replace") + detail,
        "cpu": round(cpu, 4),
        "wall": round(time.monotonic() - began, 4),
        "signal": os.WTERMSIG(status) if gone and os.WIFSIGNALED(status) else 0,
        "code": code,
    }


def _verdict(told: bytes, status: int) -> tuple[str, str]:
    """What the check's process said, if it ended as it should."""
    if status == 0:
        with contextlib.suppress(ValueError):
            said = json.loads(told)
            return said["status"], said["detail"]
    return "wrong_answer", "the check did not survive what it was given"


def _wait_for(handles: dict[int, int], limits: Json, end: float) -> float:
    """Milliseconds for which no limit can be overrun."""
    left = limits["cpu"] - max(cpu_of(pid) for pid in handles)
    return max(5.0, 1000.0 * min(left, end - time.monotonic()))


def _overrun(handles: dict[int, int], limits: Json, began: float, end: float) -> str:
    if any(cpu_of(pid) > limits["cpu"] for pid in handles):
        return "time_limit"
    now = time.monotonic()
    waited = sum(starved(pid) for pid in handles)
    if now > end or now - began - waited > limits["cpu"] * WALL_FACTOR:
        return "time_limit"
    return ""
