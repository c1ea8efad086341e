"""What crosses between the pool and the runner, as bytes, and how the runner reads it.

A job is HEAD and as many bytes as that says: an OFFSET for each part and for the end; the program;
the name to be called, and in a second line the number of the argument that holds the result of a
call that returns None; and for each test what the program reads or, as JSON, the arguments of the
call. The answer to each test is ANSWER, what was printed (or returned), and the end of the errors.
HEAD with no tests stops the job of that number; a last ANSWER says so. After a job of which a check
function is the test come an OFFSET, its length, and the check (checking.py). So does the judge of
an interactive problem (interactive.py).
"""

from __future__ import annotations

import os
import select
import struct
from typing import Any, NamedTuple

HEAD = struct.Struct("!IIQ????dQQQI")
OFFSET, OFFSETS = struct.Struct("!Q"), struct.Struct("!QQ")
PARTS_BEFORE_TESTS = 2  # before the tests: program, entry
# Between the name to be called and the number of the argument that is the result.
IN_PLACE = "@"
ANSWER = struct.Struct("!IIBiddQQ")
ENDED, TIME_LIMIT, OUTPUT_LIMIT, COMPILE_ERROR, STOPPED, READY = range(6)
# What a check function says of the program that it called.
PASSED, WRONG, FAILED, NO_CHECK = range(6, 10)
# The kernel ended the program for want of memory, or it had more than it may.
MEMORY_LIMIT = 10
# Exit code of a program that cannot be compiled.
NO_COMPILE = 97
# Exit code of a program that a MemoryError ended.
NO_MEMORY = 98

Names = dict[str, Any]


class Head(NamedTuple):
    """What a job is, and its limits: seconds, bytes, processes."""

    number: int
    tests: int
    size: int
    call: bool
    checked: bool
    wrap: bool
    compiled: bool  # C++
    cpu: float
    memory: int
    output: int
    file: int
    processes: int

    @property
    def interactive(self) -> bool:
        """Whether a judge talks to the program (interactive.py)."""
        return self.checked and not self.call


class Answer(NamedTuple):
    """What became of a test; the last two say how many bytes follow."""

    job: int
    test: int
    reason: int
    status: int  # of wait(2)
    cpu: float
    wall: float
    output: int
    errors: int


def receive() -> Head:
    """The next HEAD; ends the container at the end of the input.

    A stop is answered here, so that it is once, and after all else that is said of its job.
    """
    head = Head(*HEAD.unpack(exactly(HEAD.size)))
    if not head.tests:
        os.write(1, ANSWER.pack(head.number, 0, STOPPED, 0, 0.0, 0.0, 0, 0))
    return head


def stopped(number: int) -> bool:
    """Whether the pool wants no more tests of this job."""
    while select.select([0], [], [], 0)[0]:
        head = receive()
        if head.tests:
            os._exit(3)  # another job before the end of this one
        if head.number == number:
            return True
    return False


def exactly(count: int) -> bytes:
    """So many bytes of the standard input: a head or a length, and nothing of a job."""
    data = b""
    while len(data) < count:
        part = os.read(0, count - len(data))
        if not part:
            os._exit(4)
        data += part
    return data


def part_of(job: int, number: int) -> bytes:
    """A part of the job."""
    low, high = OFFSETS.unpack(os.pread(job, OFFSETS.size, OFFSET.size * number))
    return os.pread(job, high - low, low)


def copy_part(job: int, number: int, target: int) -> None:
    """Copy a part of the job into a file, which is then at its beginning; past our own memory."""
    at, high = OFFSETS.unpack(os.pread(job, OFFSETS.size, OFFSET.size * number))
    while at < high:
        at += os.sendfile(target, job, at, high - at)
    os.lseek(target, 0, os.SEEK_SET)
