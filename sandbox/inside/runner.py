"""The part of the sandbox that runs inside the container, as process 1, with Python alone.

Its text is handed to the container's Python with those of its neighbours: the image holds nothing
of ours. What crosses is in frames.py; tests that are a check function are in checking.py.

Process 1 forks a *program* for each test and watches it. It never holds anything of a job in its
memory, which every later program is a copy of: what comes in goes from its standard input into a
file in memory, and what a program prints from the pipe to its standard output, both inside the
kernel. The program reads the job for itself, under its own uid, before it becomes what the job
says. A program is a fork of a prepared interpreter that has seen nothing but its own job; it is
forked before the job comes, and compiled once in a job.

A program runs under a uid that no other job has had, with the limits of its job. When it ends, or
overruns, process 1 kills every other process in the container, reaps them, and removes the files.
Expected outputs never enter the container, but for those in a check function: what is reported is
what was printed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

from sandbox.inside.cleaning import remove_files
from sandbox.inside.compiling import compile_job
from sandbox.inside.frames import (
    ANSWER,
    COMPILE_ERROR,
    ENDED,
    HEAD,
    NO_COMPILE,
    OFFSET,
    OUTPUT_LIMIT,
    READY,
    STOPPED,
    Head,
    receive,
    stopped,
)
from sandbox.inside.interactive import attempt_interactive, receive_judge
from sandbox.inside.limits import SMALL_ANSWER_BYTES, STDERR_BYTES
from sandbox.inside.meters import ended, memory_kills
from sandbox.inside.moving import Stream, move
from sandbox.inside.prepare import BOX_IN, BOX_OUT, prepare_interpreter
from sandbox.inside.program import Mine, become, run_program
from sandbox.inside.watching import WatchedProcess, reap, watch_program


def main() -> None:
    """Serve jobs until the input ends."""
    uid = int(sys.argv[1]) + 1
    prepare_interpreter()
    os.write(1, ANSWER.pack(0, 0, READY, 0, 0.0, 0.0, 0, 0))
    while (mine := run_job(uid)) is None:
        uid += 1
    run_program(mine)  # at the bottom of the stack: no frame under the program's holds anything


def run_job(uid: int) -> Mine | None:
    """Run a job; comes back with something in the programs of it alone."""
    job, code = os.memfd_create("job"), os.memfd_create("code")
    child = spawn(uid, job, code)  # the first program waits for the job
    if isinstance(child, Mine):
        return child
    head = receive()
    while not head.tests:  # a stop of a job that has ended since
        head = receive()
    move(0, job, head.size)
    judge = receive_judge() if head.interactive else -1
    compiled = head.compiled and compile_job(child, head, code)
    if head.compiled and not remove_files(uid):
        os._exit(3)
    for test in range(head.tests if compiled or not head.compiled else 0):
        if test or compiled:
            if stopped(head.number):
                break
            child = spawn(uid, job, code)
            if isinstance(child, Mine):
                return child
        if head.interactive:
            going = attempt_interactive(child, head, test, (job, code, judge), uid)
        elif head.checked:
            from sandbox.inside.checking import attempt_check as attempt_check

            going = attempt_check(child, head, Mine(child.go, job, code, -1), uid)
        else:
            going = attempt(child, head, test, code)
        if not remove_files(uid):
            os._exit(3)  # not to be trusted any more; the pool replaces the container
        if not going:
            break
    for fd in (job, code, *([judge] if judge >= 0 else [])):
        os.close(fd)
    return None


def spawn(uid: int, job: int, code: int) -> WatchedProcess | Mine:
    """Fork a program, which waits to be told its test; Mine in the program itself."""
    output, errors, result, go = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        become(uid, output[1], errors[1])
        return Mine(go[0], job, code, result[1])
    for fd in (output[1], errors[1], result[1], go[0]):
        os.close(fd)
    return WatchedProcess(pid, go[1], [Stream(output[0]), Stream(errors[0]), Stream(result[0])])


def attempt(child: WatchedProcess, head: Head, test: int, code: int) -> bool:
    """Let a program do its test, and report; whether the job goes on."""
    began, kills = time.monotonic(), memory_kills()
    os.write(child.go, OFFSET.pack(test) + HEAD.pack(*head))
    os.close(child.go)
    reason = watch_program(child, head, began)
    os.kill(-1, signal.SIGKILL)  # everything but this process; there is at least the program
    _, status, usage = os.wait4(child.pid, 0)
    reap()
    wall = time.monotonic() - began
    output, errors, result = child.streams
    reason = ended(head, reason, kills, status, usage.ru_maxrss)
    if reason == ENDED and max(output.total(), result.total()) > head.output:
        reason = OUTPUT_LIMIT
    if reason == ENDED and status == NO_COMPILE << 8 and not os.fstat(code).st_size:
        reason = COMPILE_ERROR
    if reason != STOPPED:
        printed = result if head.call else output
        size = 0 if reason == OUTPUT_LIMIT else printed.kept()
        told = min(errors.kept(), STDERR_BYTES)
        cpu = usage.ru_utime + usage.ru_stime
        # A pipe before the engine's stream: so a small answer is one message on all of its way.
        small = ANSWER.size + size + told <= SMALL_ANSWER_BYTES and fits_in_box(printed, errors)
        into = BOX_IN if small else 1
        os.write(into, ANSWER.pack(head.number, test, reason, status, cpu, wall, size, told))
        printed.send(into, 0, size)
        errors.send(into, errors.kept() - told, told)
        if small:
            move(BOX_OUT, 1, ANSWER.size + size + told)
    for stream in child.streams:
        stream.close()
    return reason not in (STOPPED, COMPILE_ERROR)


def fits_in_box(*streams: Stream) -> bool:
    """Whether all that these pipes can hold has room in the box, in however small pieces it is."""
    held = sum(fcntl.fcntl(stream.fd, fcntl.F_GETPIPE_SZ) for stream in streams)
    return held + SMALL_ANSWER_BYTES <= fcntl.fcntl(BOX_IN, fcntl.F_GETPIPE_SZ)
