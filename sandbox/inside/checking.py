"""The part of the runner for tests that are a function `check(candidate)` with asserts in it.

Its asserts hold the expected values, so check and program run in two processes under two uids that
no other process has had. The program's is forked before the check is read, and that is read by the
check's process alone, out of a file in memory that only it opens: no memory that the program ever
had holds a word of it. The check calls a stand-in for the function; arguments and values cross as
plain data (plain.py), on the pipes by which a program else learns its test and returns a
value.

A job has passed if the check returned and its process said so, on a pipe that the program does not
hold. Whatever else ends the check, its own death included, is a failed test. This file has process
1's part, calls.py those of the other two.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from typing import NoReturn

from sandbox.inside.calls import ASKS, GONE, TOLD, run_check
from sandbox.inside.frames import (
    ANSWER,
    COMPILE_ERROR,
    ENDED,
    HEAD,
    NO_COMPILE,
    OFFSET,
    OUTPUT_LIMIT,
    STOPPED,
    TIME_LIMIT,
    WRONG,
    Head,
    exactly,
    part_of,
    stopped,
)
from sandbox.inside.limits import (
    DETAIL_BYTES,
    END_GRACE_SECONDS,
    STDERR_BYTES,
    STDERR_KEPT,
)
from sandbox.inside.meters import ended, memory_kills
from sandbox.inside.moving import NULL, Stream, move, unread
from sandbox.inside.program import Mine, inside, lower, lower_all, mapped
from sandbox.inside.watching import Use, WatchedProcess, program_cpu, reap

# Above all uids that a container gives to programs.
CHECK_UIDS = 1 << 15
DIED = b"the check did not survive what it was given"


def attempt_check(child: WatchedProcess, head: Head, mine: Mine, uid: int) -> bool:
    """Let a check test a program, and report; whether the job goes on.

    Args:
        child: The program's process, which has been forked and waits.
        mine: Files of the job; `go` is the pipe to the program.
        uid: The program's.
    """
    began = time.monotonic()
    kills = memory_kills()
    os.write(child.go, OFFSET.pack(0) + HEAD.pack(*head))
    source, told = os.memfd_create("check"), os.pipe()
    move(0, source, OFFSET.unpack(exactly(OFFSET.size))[0])
    output, errors, answers = child.streams
    check = os.fork()
    if check == 0:
        _check(head, source, mine.job, (answers.fd, told[1], child.go), uid + CHECK_UIDS)
    for fd in (source, told[1], child.go):
        os.close(fd)
    answers.close()
    pids = (child.pid, check)
    handles = [os.pidfd_open(pid) for pid in pids]
    reason = _watch(head, began, pids, handles, (output, errors))
    # The end of its pipes is known a moment before its own.
    wait = 0.0 if reason != ENDED else END_GRACE_SECONDS / 4
    gone = bool(select.select(handles[:1], [], [], wait)[0])
    os.kill(-1, signal.SIGKILL)  # everything but this process; there is at least the program
    _, status, usage = os.wait4(child.pid, 0)
    _, checked = os.waitpid(check, 0)
    reap()
    if reason == TIME_LIMIT:
        reason = ended(head, reason, kills, status, usage.ru_maxrss)
    detail, more = b"", 0  # of the check: ours, and what its process told
    if reason == ENDED and output.total() > head.output:
        reason = OUTPUT_LIMIT
    if reason == ENDED:
        if checked or not unread(told[0]):
            reason, detail = WRONG, DIED
        else:
            reason = os.read(told[0], 1)[0]
            more = min(unread(told[0]), DETAIL_BYTES)
    if reason == GONE:
        reason = ended(head, ENDED, kills, status, usage.ru_maxrss) if gone else WRONG
        if gone and status == NO_COMPILE << 8 and not os.fstat(mine.code).st_size:
            reason = COMPILE_ERROR
    size = min(errors.kept(), STDERR_BYTES)
    if reason != STOPPED:
        wall, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
        sizes = (0, size + len(detail) + more)
        os.write(1, ANSWER.pack(head.number, 0, reason, status, cpu, wall, *sizes))
        errors.send(1, errors.kept() - size, size)
        os.write(1, detail)
        move(told[0], 1, more)
    for fd in (*handles, told[0]):
        os.close(fd)
    output.close()
    errors.close()
    return False


def _watch(
    head: Head,
    began: float,
    pids: tuple[int, int],
    handles: list[int],
    streams: tuple[Stream, Stream],
) -> int:
    """Take what the program prints until the check ends or one of them overruns a limit."""
    program, check = handles
    output, errors = streams
    caps = {output.fd: (output, head.output), errors.fd: (errors, STDERR_KEPT)}
    poll = select.poll()
    for fd in (0, *handles, *caps):
        poll.register(fd, select.POLLIN)
    use, end = Use(pids[0], began, pids[1]), float("inf")
    while True:
        wait = min(use.wait_for(head), max(5.0, 1000.0 * (end - time.monotonic())))
        for fd, _ in poll.poll(wait):
            if fd == check:
                return ENDED
            if fd == program:
                poll.unregister(fd)  # the check finds its pipe closed, unless a child holds it
                end = time.monotonic() + END_GRACE_SECONDS
            elif fd == 0:
                if stopped(head.number):
                    return STOPPED
            elif not caps[fd][0].drain(caps[fd][1]):
                poll.unregister(fd)
        if output.size > head.output:
            return OUTPUT_LIMIT
        end += use.look()
        late = time.monotonic() > end or program_cpu(pids[1]) > head.cpu
        if late or use.overrun(head):
            return TIME_LIMIT


def _check(head: Head, source: int, job: int, pipes: tuple[int, int, int], uid: int) -> NoReturn:
    """Become the check's process; never returns."""
    try:
        text = os.pread(source, os.fstat(source).st_size, 0)
        entry = part_of(job, 1).decode()
        become_trusted(head, dict(zip((0, 1, 2, TOLD, ASKS), _in_order(pipes), strict=True)), uid)
        run_check(text.decode("utf-8", "surrogatepass"), entry)
        os._exit(0)
    finally:
        os._exit(1)


def become_trusted(head: Head, files: dict[int, int], uid: int) -> None:
    """Be a process that judges a program: of a uid of its own, under the program's limits.

    Args:
        head: Of the job.
        files: Descriptor from 0 on, without a gap -> what it becomes a copy of; no other stays.
        uid: Of the process.
    """
    os.setsid()
    for fd, like in files.items():
        os.dup2(like, fd)
    os.closerange(len(files), 256)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    lower_all(head, mapped[0])
    lower(resource.RLIMIT_FSIZE, head.file)
    inside.append(True)


def _in_order(pipes: tuple[int, int, int]) -> tuple[int, int, int, int, int]:
    """For descriptors 0 to 4: the answers, nothing twice, what is told, the questions."""
    answers, told, asks = pipes
    return answers, NULL, NULL, told, asks
