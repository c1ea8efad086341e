"""Making the interpreter that programs are forks of."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import marshal
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from types import CodeType

from sandbox.inside.limits import BOX_BYTES
from sandbox.inside.moving import NULL, memory_file
from sandbox.inside.program import (
    HOME,
    compile_program,
    hard,
    hooks,
    inside,
    lower,
    mapped,
    text_streams,
)

# What programs commonly import costs each of them nothing. numpy is left to those that use it: it
# would make every fork a tenth slower.
PRELOADED_MODULES = (
    *("array", "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools"),
    *("heapq", "io", "itertools", "json", "math", "operator", "queue", "random", "re"),
    *("statistics", "string", "threading", "typing"),
)
# Descriptors of process 1: a pipe in which small answers are put together.
BOX_OUT, BOX_IN = 4, 5
LIMITED = (
    *(resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_STACK, resource.RLIMIT_NPROC),
    *(resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE),
    *(resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING),
)
# Of these process 1 needs no more than a program may have.
FIXED = (
    (resource.RLIMIT_NOFILE, 256),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 0),
    (resource.RLIMIT_MSGQUEUE, 0),
    (resource.RLIMIT_SIGPENDING, 64),
)
# What a program looks like, to make what Python makes at the first use of it.
SAMPLE_PROGRAM = """
import sys, math
from collections import defaultdict
class A:
    def __init__(self, n: int = 0):
        self.n = n
def f(a, *b, c=1, **d):
    if a < 0 and not b:
        return None
    return [x * 2 for x in range(a) if x % 2] + list(b)
counts = defaultdict(int)
a, b = map(int, read().split())
for i in range(3):
    counts[str(i)] += i
    while True:
        break
try:
    total = sum(f(a)) / b
except ZeroDivisionError as error:
    total = math.inf
same = [(lambda x: x)(A(1).n), max(a, b), {k: v for k, v in counts.items()}]
print(f"{total:.2f}", sorted({a, b}), *same, sep=" ", file=out)
"""


def prepare_interpreter() -> None:
    """Make the interpreter that programs are forks of."""
    register = os.register_at_fork

    def later(
        *, after_in_child: Callable[[], None] | None = None, **others: Callable[[], object]
    ) -> None:
        if after_in_child is not None:
            hooks.append(after_in_child)
        if others:
            register(**others)

    os.register_at_fork = later  # type: ignore[assignment]
    for name in PRELOADED_MODULES:
        with contextlib.suppress(ImportError):
            __import__(name)
    os.register_at_fork = register
    register(after_in_child=_forked)
    while os.open(os.devnull, os.O_RDWR) < NULL:
        pass
    os.pipe()  # BOX_OUT, BOX_IN
    with contextlib.suppress(OSError):
        fcntl.fcntl(BOX_IN, fcntl.F_SETPIPE_SZ, BOX_BYTES)
    for what in LIMITED:
        hard[what] = resource.getrlimit(what)[1]
    for what, most in FIXED:
        lower(what, most)
    with contextlib.suppress(OSError):  # where semaphores are; goes with the program's folder
        os.symlink(HOME, "/dev/shm")
    os.setgroups([])
    os.environ.clear()
    os.environ.update(HOME=HOME, PATH="/usr/bin:/bin", LANG="C.UTF-8", PYTHONHASHSEED="0")
    sys.argv = ["main.py"]
    sys.set_int_max_str_digits(0)  # numbers of any length; the limit on time holds
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rehearse()
    make_streams()
    with open("/proc/self/statm") as file:
        mapped.append(int(file.read().split()[0]) * resource.getpagesize())
    gc.disable()
    gc.collect()
    gc.freeze()  # the garbage collector would touch, and so copy, every page in each fork


def _forked() -> None:
    """What modules want done, in the forks of programs alone.

    Process 1 has one thread, so in its own forks there is nothing to repair; and what random and
    threading would do there costs as much as the rest of the fork.
    """
    if inside:
        for hook in hooks:
            hook()


def make_streams() -> None:
    """Give Python's streams the form that they have in programs, so that no program need do it."""
    own = [os.dup(fd) for fd in range(3)]
    given, ends = memory_file(b""), os.pipe()
    for fd, like in enumerate((given, ends[1], ends[1])):
        os.dup2(like, fd)
    sys.stdin, sys.stdout, sys.stderr = text_streams(0, 1, 2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    for fd, like in enumerate(own):
        os.dup2(like, fd)
    for fd in (*own, given, *ends):
        os.close(fd)


def rehearse() -> None:
    """Do what programs do, so that what Python makes at the first use is there before the forks."""
    sample: CodeType | str = ""
    for _ in range(10):  # after eight runs a function has its final form
        sample = marshal.loads(marshal.dumps(compile_program(SAMPLE_PROGRAM, False)))
        given = memory_file(b"3 4\n")
        streams = text_streams(given, NULL, NULL)
        exec(sample, {"read": streams[0].readline, "out": streams[1]})
        for stream in streams:
            stream.flush()
        os.close(given)
    try:
        exec(sample, {"read": str})
    except Exception:
        traceback.format_exc()
