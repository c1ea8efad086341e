"""Programs in C++: compiled once in a job, by a process like any program, then run for each test.

The compiler runs under the job's uid, with limits of its own (limits.py), and everything that it
started is killed when it ends. What it made goes into a file in memory that every test executes;
the scratch folder can hold nothing that runs. Process 1 makes that file read-only before the first
test, so that no test can leave anything in it for another.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from typing import NoReturn

from sandbox.inside.frames import (
    ANSWER,
    COMPILE_ERROR,
    ENDED,
    HEAD,
    NO_CHECK,
    NO_COMPILE,
    OFFSET,
    PARTS_BEFORE_TESTS,
    STOPPED,
    TIME_LIMIT,
    Head,
    part_of,
)
from sandbox.inside.limits import (
    COMPILE_MEMORY,
    COMPILE_SECONDS,
    COMPILED_BYTES,
    CPP_MAPPED,
    STDERR_BYTES,
)
from sandbox.inside.moving import NULL, memory_file
from sandbox.inside.program import Mine, lower, lower_all
from sandbox.inside.watching import WatchedProcess, reap, watch_program

# In the place of a test's number: compile.
COMPILE = 1 << 40
COMPILER = "/usr/bin/g++"
COMMAND = (COMPILER, "-std=gnu++20", "-O2", "-pipe", "-o", "main", "main.cpp")
# Exit code where there is no compiler.
NO_COMPILER = 96
_SAY_NO_COMPILER = b"this image has no C++ compiler"
_SLOW = b"error: the compiler took more than %d s of processor time" % COMPILE_SECONDS


# ---- in process 1 ----
def compile_job(child: WatchedProcess, head: Head, code: int) -> bool:
    """Let a process compile the program; whether there is one. If not, that is reported."""
    began = time.monotonic()
    os.write(child.go, OFFSET.pack(COMPILE) + HEAD.pack(*head))
    os.close(child.go)
    reason = watch_program(child, head._replace(cpu=COMPILE_SECONDS), began)
    os.kill(-1, signal.SIGKILL)
    _, status, usage = os.wait4(child.pid, 0)
    reap()
    errors = child.streams[1]
    made = reason == ENDED and not status and os.fstat(code).st_size > 0
    if made:
        os.fchmod(code, 0o555)
    elif reason != STOPPED:
        missing = reason == ENDED and status == NO_COMPILER << 8
        detail = _SAY_NO_COMPILER if missing else _SLOW if reason == TIME_LIMIT else b""
        told = 0 if detail else min(errors.kept(), STDERR_BYTES)
        word = NO_CHECK if missing else COMPILE_ERROR
        times = (usage.ru_utime + usage.ru_stime, time.monotonic() - began)
        os.write(1, ANSWER.pack(head.number, 0, word, status, *times, 0, told + len(detail)))
        errors.send(1, 0, told)
        os.write(1, detail)
    for stream in child.streams:
        stream.close()
    return made


# ---- in the program's process ----
def run_compiled(head: Head, test: int, mine: Mine) -> NoReturn:
    """Compile the program, or execute what was made of it; never returns."""
    try:
        if test == COMPILE:
            _compile(mine)
        _execute(head, test, mine)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _compile(mine: Mine) -> NoReturn:
    with open("main.cpp", "wb") as file:
        file.write(part_of(mine.job, 0))
    os.dup2(NULL, 0)
    os.close(mine.job)  # nothing of the tests is in a process beside a compiler's
    if not os.access(COMPILER, os.X_OK):
        os._exit(NO_COMPILER)
    compiler = os.fork()
    if compiler == 0:
        try:
            lower(resource.RLIMIT_CPU, int(COMPILE_SECONDS) + 1)
            lower(resource.RLIMIT_AS, COMPILE_MEMORY)
            lower(resource.RLIMIT_FSIZE, COMPILED_BYTES)
            _exec(COMPILER, COMMAND)
        finally:
            os._exit(1)
    _, status = os.waitpid(compiler, 0)
    if status:
        os._exit(NO_COMPILE)
    made = os.open("main", os.O_RDONLY | os.O_NOFOLLOW)
    left, at = os.fstat(made).st_size, 0
    while left > at:
        at += os.sendfile(mine.code, made, at, left - at)
    os._exit(0)


def _execute(head: Head, test: int, mine: Mine) -> NoReturn:
    if head.interactive:
        os.dup2(mine.go, 0)
    else:
        os.dup2(memory_file(part_of(mine.job, PARTS_BEFORE_TESTS + test)), 0)
    lower_all(head, CPP_MAPPED)
    lower(resource.RLIMIT_FSIZE, head.file)
    _exec(mine.code, ("main",))


def _exec(what: str | int, command: tuple[str, ...]) -> NoReturn:
    """Execute a file, or what a descriptor is of, with descriptors 0 to 2 alone."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    kept = -1
    if isinstance(what, int):
        kept = 3
        os.dup2(what, kept, inheritable=False)
        what = kept
    os.closerange(kept + 1 if kept > 0 else 3, 256)
    sys.stdout.flush()
    os.execve(what, command, dict(os.environ))
