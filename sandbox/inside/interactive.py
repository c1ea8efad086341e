"""The part of the runner for interactive problems: a judge talks to the program.

Judge and program are two processes under two uids, connected by two pipes: what the one prints the
other reads. The judge is of the data set and trusted; it alone has the test's input. The program's
process is forked before the judge is read, as with a check function (checking.py), and the limits
hold for both. A test is passed if the judge ended well and said so, on a pipe that the program does
not hold, and if the program ended well after it or before. Where both wait for each other the wall
limit ends it. This file has process 1's part, judging.py the judge's.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import NamedTuple, NoReturn

from sandbox.inside.calls import GONE, TOLD
from sandbox.inside.checking import CHECK_UIDS, become_trusted
from sandbox.inside.frames import (
    ANSWER,
    COMPILE_ERROR,
    ENDED,
    HEAD,
    NO_COMPILE,
    OFFSET,
    PARTS_BEFORE_TESTS,
    PASSED,
    STOPPED,
    TIME_LIMIT,
    WRONG,
    Head,
    exactly,
    part_of,
    stopped,
)
from sandbox.inside.judging import INPUT, run_judge
from sandbox.inside.limits import (
    DETAIL_BYTES,
    END_GRACE_SECONDS,
    LOOK_MS,
    STDERR_BYTES,
    STDERR_KEPT,
)
from sandbox.inside.meters import ended, memory_kills
from sandbox.inside.moving import NULL, memory_file, move, unread
from sandbox.inside.watching import Use, WatchedProcess, program_cpu, reap

DIED = b"the judge did not survive what it was given"
WAITING = b"program and judge waited for each other, or one of them slept"


class _Pair(NamedTuple):
    """Processes of the program and of the judge, and what says that each has ended."""

    pids: tuple[int, int]
    handles: tuple[int, int]


def receive_judge() -> int:
    """A file in memory with the judge, which stays for all tests of the job."""
    judge = os.memfd_create("judge")
    move(0, judge, OFFSET.unpack(exactly(OFFSET.size))[0])
    return judge


def attempt_interactive(
    child: WatchedProcess, head: Head, test: int, files: tuple[int, int, int], uid: int
) -> bool:
    """Let a judge talk to a program, and report; whether the job goes on.

    Args:
        child: The program's process, which has been forked and waits.
        files: Of the job, of what its program is compiled to, and of its judge.
        uid: The program's.
    """
    began, kills = time.monotonic(), memory_kills()
    os.write(child.go, OFFSET.pack(test) + HEAD.pack(*head))
    output, errors, result = child.streams
    told = os.pipe()
    judge = os.fork()
    if judge == 0:
        _judge(head, test, (files[0], files[2]), (output.fd, child.go, told[1]), uid + CHECK_UIDS)
    for fd in (child.go, told[1]):
        os.close(fd)
    output.close()  # else the program would not learn that the judge has ended
    pids = (child.pid, judge)
    pair = _Pair(pids, (os.pidfd_open(child.pid), os.pidfd_open(judge)))
    reason, judged = _watch(pair, head, began, errors.fd, told[0], child)
    used = program_cpu(judge)
    os.kill(-1, signal.SIGKILL)
    _, status, usage = os.wait4(child.pid, 0)
    reap()
    wall, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    detail, more = b"", 0
    if reason == ENDED:
        reason = judged
        more = min(unread(told[0]), DETAIL_BYTES)
        detail = b"" if judged != WRONG or more else DIED
    elif reason == TIME_LIMIT and max(cpu, used) < head.cpu:
        detail = WAITING
    if reason == PASSED and status:
        reason = ENDED
    if reason == GONE:
        reason = ENDED if status else WRONG
    reason = ended(head, reason, kills, status, usage.ru_maxrss)
    if reason == ENDED and status == NO_COMPILE << 8 and not os.fstat(files[1]).st_size:
        reason = COMPILE_ERROR
    size = min(errors.kept(), STDERR_BYTES)
    if reason != STOPPED:
        sizes = (0, size + len(detail) + more)
        os.write(1, ANSWER.pack(head.number, test, reason, status, cpu, wall, *sizes))
        errors.send(1, errors.kept() - size, size)
        os.write(1, detail)
        move(told[0], 1, more)
    for fd in (*pair.handles, told[0]):
        os.close(fd)
    errors.close()
    result.close()
    return reason not in (STOPPED, COMPILE_ERROR)


def _watch(
    pair: _Pair, head: Head, began: float, errors: int, told: int, child: WatchedProcess
) -> tuple[int, int]:
    """Wait until both have ended or one overruns a limit; why, and what the judge says."""
    program, judge = pair.handles
    poll = select.poll()
    for fd in (0, program, judge, errors):
        poll.register(fd, select.POLLIN)
    alive, judged = {program, judge}, WRONG
    use = Use(pair.pids[0], began, pair.pids[1])
    while True:
        for fd, _ in poll.poll(min(use.wait_for(head), _wait_for(pair, head))):
            if fd == 0:
                if stopped(head.number):
                    return STOPPED, judged
            elif fd == errors:
                if not child.streams[1].drain(STDERR_KEPT):
                    poll.unregister(fd)
            else:
                poll.unregister(fd)
                alive.discard(fd)
                if fd == judge:
                    judged = os.read(told, 1)[0] if unread(told) else WRONG
                    if judged == GONE and program in alive:
                        over = select.select([program], [], [], END_GRACE_SECONDS)[0]
                        judged = GONE if over else WRONG  # it has closed its pipes, and runs
                    if judged != PASSED:
                        return ENDED, judged
        if not alive:
            return ENDED, judged
        use.look()
        if use.overrun(head) or program_cpu(pair.pids[1]) > head.cpu:
            return TIME_LIMIT, judged


def _wait_for(pair: _Pair, head: Head) -> float:
    """Milliseconds for which the judge cannot overrun its limit of processor time."""
    return min(LOOK_MS, max(5.0, 1000.0 * (head.cpu - program_cpu(pair.pids[1]))))


def _judge(
    head: Head, test: int, files: tuple[int, int], pipes: tuple[int, int, int], uid: int
) -> NoReturn:
    """Become the judge's process; never returns."""
    try:
        job, source = files
        text = os.pread(source, os.fstat(source).st_size, 0)
        given = memory_file(part_of(job, PARTS_BEFORE_TESTS + test))
        output, go, told = pipes
        become_trusted(head, {0: output, 1: go, 2: NULL, TOLD: told, INPUT: given}, uid)
        run_judge(text.decode("utf-8", "surrogatepass"))
        os._exit(0)
    finally:
        os._exit(1)
