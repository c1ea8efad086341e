"""The part of the sandbox that runs inside the container, as process 1, with Python alone.

Its text is handed to the container's Python, with those of plain.py, calls.py and checking.py
(tests that are a check function): the image holds nothing of ours.

Process 1 forks a *program* for each test and watches it. It never holds anything of a job in its
memory, which every later program is a copy of: what comes in goes from its standard input into a
file in memory, and what a program prints from the pipe to its standard output, both inside the
kernel. The program reads the job for itself, under its own uid, before it becomes what the job
says. A program is a fork of a prepared interpreter that has seen nothing but its own job; it is
forked before the job comes, and compiled once in a job.

A program runs under a uid that no other job has had, with the limits below. When it ends, or
overruns, process 1 kills every other process in the container, reaps them, and removes the files.
Expected outputs never enter the container: what is reported is what was printed.

A job is HEAD and as many bytes as that says: an OFFSET for each part and for the end; the program;
the name to be called; and for each test what the program reads or, as JSON, the arguments of the
call. The answer to each test is ANSWER, what was printed (or returned), and the end of the errors.
HEAD with no tests stops the job of that number; a last ANSWER says so. After a job of which a check
function is the test come an OFFSET, its length, and the check (checking.py).
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import errno
import fcntl
import gc
import io
import json
import marshal
import os
import resource
import select
import signal
import struct
import sys
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, NamedTuple

# What programs commonly import costs each of them nothing. numpy is left to those that use it: it
# would make every fork a tenth slower.
PRELOAD = (
    *("array", "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools"),
    *("heapq", "io", "itertools", "json", "math", "operator", "queue", "random", "re"),
    *("statistics", "string", "threading", "typing"),
)
SCRATCH = "/tmp"
# Wall time is no measure of a program, only a bound on one that sleeps; time spent waiting for a
# busy core does not count, up to the second factor.
WALL_FACTOR, STARVED_FACTOR = 3.0, 20.0
STDERR_BYTES, STDERR_KEPT = 16384, 1 << 16
CHUNK = 1 << 20
# Within this time a program is only awaited; most end, and have printed less than a pipe holds.
QUICK_MS = 5
NO_COMPILE = 97
HEAD = struct.Struct("!IIQ???dQQQI")
OFFSET, OFFSETS = struct.Struct("!Q"), struct.Struct("!QQ")
PARTS = 2  # before the tests: program, entry
ANSWER = struct.Struct("!IIBiddQQ")
ENDED, TIME_LIMIT, OUTPUT_LIMIT, COMPILE_ERROR, STOPPED, READY = range(6)
# What a check function says of the program that it called.
PASSED, WRONG, FAILED, NO_CHECK = range(6, 10)
FIONREAD = 0x541B  # of termios, a module that would only make forks larger
# Descriptors: of process 1, and of a program in its place where it is to return a value.
NULL = RESULT = 3
QUESTIONS = 4  # and this where a check asks it for values
BOX_OUT, BOX_IN = 4, 5
SMALL, BOX_BYTES = 1 << 12, 1 << 18
# A program's own folder. It has one name for all, as there is one program at a time.
HOME = f"{SCRATCH}/home"
LIMITED = (
    *(resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_STACK, resource.RLIMIT_NPROC),
    *(resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE),
    *(resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING),
)
# Of these process 1 needs no more than a program may have.
FIXED = (
    (resource.RLIMIT_NOFILE, 64),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 0),
    (resource.RLIMIT_MSGQUEUE, 0),
    (resource.RLIMIT_SIGPENDING, 64),
)
# What a program looks like, to make what Python makes at the first use of it.
SAMPLE = """
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

Json = dict[str, Any]


class Head(NamedTuple):
    """What a job is, and its limits: seconds, bytes, processes."""

    number: int
    tests: int
    size: int
    call: bool
    checked: bool
    wrap: bool
    cpu: float
    memory: int
    output: int
    file: int
    processes: int


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


class Child(NamedTuple):
    """A program's process and our ends of its pipes."""

    pid: int
    go: int
    streams: list[Stream]  # output, errors, result


class Stream:
    """What a program writes: in its pipe, and in a file in memory where it is much."""

    def __init__(self, fd: int) -> None:
        self.fd, self.spool, self.size = fd, -1, 0

    def drain(self, cap: int) -> bool:
        """Empty the pipe, beyond the cap into nothing; False once it has ended."""
        waiting = unread(self.fd)
        if not waiting:
            return False  # woken although there is nothing to read: its other ends are closed
        if self.spool < 0:
            self.spool = os.memfd_create("spool")
        move(self.fd, self.spool if self.size <= cap else NULL, waiting)
        self.size += waiting
        return True

    def total(self) -> int:
        """Bytes written, once nobody writes any more."""
        return self.size + unread(self.fd)

    def send(self, target: int, skip: int, count: int) -> None:
        """Move some of the bytes on."""
        source = self.fd
        if self.spool >= 0:
            source = self.spool
            os.lseek(source, skip, os.SEEK_SET)
        else:
            move(source, NULL, skip)
        move(source, target, count)

    def kept(self) -> int:
        """Bytes that can be sent, once nobody writes any more."""
        if self.spool < 0:
            return unread(self.fd)
        move(self.fd, self.spool, unread(self.fd))
        return os.fstat(self.spool).st_size

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.fd)
        if self.spool >= 0:
            os.close(self.spool)


class Mine(NamedTuple):
    """The descriptors by which a program's process learns what it is to do."""

    go: int
    job: int
    code: int
    result: int


def main() -> None:
    """Serve jobs until the input ends."""
    uid = int(sys.argv[1]) + 1
    prepare()
    os.write(1, ANSWER.pack(0, 0, READY, 0, 0.0, 0.0, 0, 0))
    while (mine := serve(uid)) is None:
        uid += 1
    run_program(mine)  # at the bottom of the stack: no frame under the program's holds anything


# What modules want done in every fork, and whether this is a program's process.
_hooks: list[Callable[[], None]] = []
_inside: list[bool] = []
_hard: dict[int, int] = {}
_mapped: list[int] = []


def prepare() -> None:
    """Make the interpreter that programs are forks of."""
    register = os.register_at_fork

    def later(*, after_in_child: Callable[[], None] | None = None, **others: Any) -> None:
        if after_in_child is not None:
            _hooks.append(after_in_child)
        if others:
            register(**others)

    os.register_at_fork = later  # type: ignore[assignment]
    for name in PRELOAD:
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
        _hard[what] = resource.getrlimit(what)[1]
    for what, most in FIXED:
        lower(what, most)
    os.setgroups([])
    os.environ.clear()
    os.environ.update(HOME=HOME, PATH="/usr/bin:/bin", LANG="C.UTF-8", PYTHONHASHSEED="0")
    sys.argv = ["main.py"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rehearse()
    make_streams()
    with open("/proc/self/statm") as file:
        _mapped.append(int(file.read().split()[0]) * resource.getpagesize())
    gc.disable()
    gc.collect()
    gc.freeze()  # the garbage collector would touch, and so copy, every page in each fork


def _forked() -> None:
    """What modules want done, in the forks of programs alone.

    Process 1 has one thread, so in its own forks there is nothing to repair; and what random and
    threading would do there costs as much as the rest of the fork.
    """
    if _inside:
        for hook in _hooks:
            hook()


def make_streams() -> None:
    """Give Python's streams the form that they have in programs, so that no program need do it."""
    own = [os.dup(fd) for fd in range(3)]
    given, ends = memory_file(b""), os.pipe()
    for fd, like in enumerate((given, ends[1], ends[1])):
        os.dup2(like, fd)
    sys.stdin, sys.stdout, sys.stderr = _streams(0, 1, 2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    for fd, like in enumerate(own):
        os.dup2(like, fd)
    for fd in (*own, given, *ends):
        os.close(fd)


def rehearse() -> None:
    """Do what programs do, so that what Python makes at the first use is there before the forks."""
    sample: Any = None
    for _ in range(10):  # after eight runs a function has its final form
        sample = marshal.loads(marshal.dumps(_compile(SAMPLE, False)))
        given = memory_file(b"3 4\n")
        streams = _streams(given, NULL, NULL)
        exec(sample, {"read": streams[0].readline, "out": streams[1]})
        for stream in streams:
            stream.flush()
        os.close(given)
    try:
        exec(sample, {"read": str})
    except Exception:
        traceback.format_exc()


def serve(uid: int) -> Mine | None:
    """Run a job; comes back with something in the programs of it alone."""
    job, code = os.memfd_create("job"), os.memfd_create("code")
    child = spawn(uid, job, code)  # the first program waits for the job
    if isinstance(child, Mine):
        return child
    head = receive()
    while not head.tests:  # a stop of a job that has ended since
        head = receive()
    move(0, job, head.size)
    for test in range(head.tests):
        if test:
            if stopped(head.number):
                break
            child = spawn(uid, job, code)
            if isinstance(child, Mine):
                return child
        if head.checked:
            from sandbox.checking import attempt as attempt_check

            going = attempt_check(child, head, Mine(child.go, job, code, -1), uid)
        else:
            going = attempt(child, head, test, code)
        if not sweep(uid):
            os._exit(3)  # not to be trusted any more; the pool replaces the container
        if not going:
            break
    os.close(job)
    os.close(code)
    return None


def receive() -> Head:
    """The next HEAD; ends the container at the end of the input.

    A stop is answered here, so that it is once, and after all else that is said of its job.
    """
    data = b""
    while len(data) < HEAD.size:
        part = os.read(0, HEAD.size - len(data))
        if not part:
            os._exit(4)
        data += part
    head = Head(*HEAD.unpack(data))
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


def spawn(uid: int, job: int, code: int) -> Child | Mine:
    """Fork a program, which waits to be told its test; Mine in the program itself."""
    output, errors, result, go = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(uid, output[1], errors[1])
        return Mine(go[0], job, code, result[1])
    for fd in (output[1], errors[1], result[1], go[0]):
        os.close(fd)
    return Child(pid, go[1], [Stream(output[0]), Stream(errors[0]), Stream(result[0])])


def attempt(child: Child, head: Head, test: int, code: int) -> bool:
    """Let a program do its test, and report; whether the job goes on."""
    began = time.monotonic()
    os.write(child.go, OFFSET.pack(test) + HEAD.pack(*head))
    os.close(child.go)
    reason = watch(child, head, began)
    os.kill(-1, signal.SIGKILL)  # everything but this process; there is at least the program
    _, status, usage = os.wait4(child.pid, 0)
    reap()
    wall = time.monotonic() - began
    output, errors, result = child.streams
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
        small = ANSWER.size + size + told <= SMALL and fits(printed, errors)
        into = BOX_IN if small else 1
        os.write(into, ANSWER.pack(head.number, test, reason, status, cpu, wall, size, told))
        printed.send(into, 0, size)
        errors.send(into, errors.kept() - told, told)
        if small:
            move(BOX_OUT, 1, ANSWER.size + size + told)
    for stream in child.streams:
        stream.close()
    return reason not in (STOPPED, COMPILE_ERROR)


def fits(*streams: Stream) -> bool:
    """Whether all that these pipes can hold has room in the box, in however small pieces it is."""
    held = sum(fcntl.fcntl(stream.fd, fcntl.F_GETPIPE_SZ) for stream in streams)
    return held + SMALL <= fcntl.fcntl(BOX_IN, fcntl.F_GETPIPE_SZ)


def watch(child: Child, head: Head, began: float) -> int:
    """Wait until a program ends, overruns a limit or is not wanted any more."""
    handle = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    reason = ENDED if poll.poll(QUICK_MS) else watch_longer(child, head, began, handle, poll)
    os.close(handle)
    return reason


def watch_longer(child: Child, head: Head, began: float, handle: int, poll: Any) -> int:
    """Watch a program that does not end at once: take what it prints, look at its limits."""
    output, errors, result = child.streams
    caps = ((output, head.output), (errors, STDERR_KEPT), (result, head.output))
    streams = {stream.fd: (stream, cap) for stream, cap in caps}
    for fd in (0, *streams):
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll(wait_for(child.pid, head, began)):
            if fd == handle:
                return ENDED
            if fd == 0:
                if stopped(head.number):
                    return STOPPED
            elif not streams[fd][0].drain(streams[fd][1]):
                poll.unregister(fd)
        if max(output.size, result.size) > head.output:
            return OUTPUT_LIMIT
        if overrun(child.pid, head, began):
            return TIME_LIMIT


def wait_for(pid: int, head: Head, began: float) -> float:
    """Milliseconds for which no limit can be overrun."""
    left = head.cpu - cpu_of(pid)
    return max(5.0, 1000.0 * min(left, head.cpu * WALL_FACTOR - (time.monotonic() - began)))


def overrun(pid: int, head: Head, began: float) -> bool:
    """Whether a running program has overrun its time."""
    if cpu_of(pid) > head.cpu:
        return True
    wall = time.monotonic() - began
    if wall <= head.cpu * WALL_FACTOR:
        return False
    return wall > head.cpu * STARVED_FACTOR or wall - starved(pid) > head.cpu * WALL_FACTOR


def cpu_of(pid: int) -> float:
    """Processor time of a process with all its threads, in seconds."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    return 0.0


def starved(pid: int) -> float:
    """Seconds that a process was ready to run while others had the cores."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[1]) / 1e9
    return 0.0


def reap() -> None:
    """Wait for all children; orphans of programs are among them."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def sweep(uid: int) -> bool:
    """Remove the files of a program that has ended; whether none is left."""
    with contextlib.suppress(OSError):
        os.rmdir(HOME)  # few programs leave anything in it
    if not os.listdir(SCRATCH):
        return True
    pid = os.fork()
    if pid == 0:
        try:
            clear(uid)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return not os.listdir(SCRATCH)


def clear(uid: int) -> None:
    """Remove all files, as their owner: what is in a sticky folder may not even root remove.

    Folders in folders are moved up first, so that no depth of them is too much.
    """
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    pending, moved = [f"{SCRATCH}/{name}" for name in os.listdir(SCRATCH)], 0
    while pending:
        path = pending.pop()
        try:
            os.unlink(path)
        except IsADirectoryError:
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                inner = f"{path}/{name}"
                if os.path.isdir(inner) and not os.path.islink(inner):
                    os.chmod(inner, 0o700)  # else it could not be moved
                while os.path.lexists(up := f"{SCRATCH}/{moved}"):
                    moved += 1
                os.rename(inner, up)
                pending.append(up)
            os.rmdir(path)


def move(source: int, target: int, count: int) -> None:
    """Move bytes from a descriptor to another, one of them a pipe, past our own memory."""
    while count:
        try:
            moved = os.splice(source, target, min(count, CHUNK))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return copy(source, target, count)
        if not moved:
            os._exit(4)
        count -= moved


def copy(source: int, target: int, count: int) -> None:
    """Do as `move` where the kernel does not, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            while count:
                part = os.read(source, min(count, CHUNK))
                if not part:
                    break
                count -= len(part)
                _write_all(target, part)
        finally:
            os._exit(4 if count else 0)
    if os.waitpid(pid, 0)[1]:
        os._exit(4)


def unread(fd: int) -> int:
    """Bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, FIONREAD, bytes(4)), sys.byteorder)


def lower(what: int, most: int) -> None:
    """Set a limit, if it is not lower already."""
    hard = _hard[what]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def memory_file(data: bytes) -> int:
    """A descriptor to read these bytes from, as from a redirected file."""
    fd = os.memfd_create("stdin")
    _write_all(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


# ---- in the program's process ----
def _become(uid: int, output: int, errors: int) -> None:
    """Leave process 1's world: session, streams, uid."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(adjust, b"1000")  # rather this one than process 1
    os.close(adjust)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.mkdir(HOME, 0o700)
    os.chdir(HOME)


def _take(mine: Mine) -> tuple[Head, str, str, Any, bytes]:
    """Wait for the test; returns program, entry, arguments and what was compiled before.

    Of the other tests of the job nothing is in this process, then or later.
    """
    told = os.read(mine.go, OFFSET.size + HEAD.size)
    if not told:
        os._exit(4)
    (test,) = OFFSET.unpack_from(told)
    head = Head(*HEAD.unpack_from(told, OFFSET.size))
    source, entry = _part(mine.job, 0), _part(mine.job, 1)
    given = _part(mine.job, PARTS + test)
    arguments = None
    if head.call:
        os.dup2(mine.result, RESULT)
        arguments, given = json.loads(given), b""
    if head.checked:
        os.dup2(mine.go, QUESTIONS)
    os.dup2(memory_file(given), 0)
    if b"random" in source or b"statistics" in source:
        sys.modules["random"].seed()  # what would be done in every fork
    compiled = os.pread(mine.code, os.fstat(mine.code).st_size, 0) if test else b""
    lower(resource.RLIMIT_CPU, int(head.cpu) + 1)
    lower(resource.RLIMIT_AS, head.memory + _mapped[0])
    lower(resource.RLIMIT_STACK, head.memory)
    lower(resource.RLIMIT_NPROC, head.processes)
    return head, source.decode("utf-8", "surrogatepass"), entry.decode(), arguments, compiled


def _part(job: int, number: int) -> bytes:
    """A part of the job."""
    low, high = OFFSETS.unpack(os.pread(job, OFFSETS.size, OFFSET.size * number))
    return os.pread(job, high - low, low)


def _streams(stdin: int, stdout: int, stderr: int) -> tuple[Any, Any, Any]:
    """What Python makes of its three descriptors."""
    return (
        io.TextIOWrapper(io.BufferedReader(io.FileIO(stdin, closefd=False)), "utf-8"),
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(stdout, "w", closefd=False)), "utf-8"),
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(stderr, "w", closefd=False)),
            "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        ),
    )


def run_program(mine: Mine) -> None:
    """Run the program as if Python had been started for it; never returns."""
    head, source, entry, arguments, compiled = _take(mine)
    _inside.append(True)
    gc.enable()
    if not compiled:
        try:
            code = _compile(source, head.wrap)
            # That there is something says that the program could be compiled.
            _write_all(mine.code, marshal.dumps(code) if head.tests > 1 else b"1")
        except BaseException:
            traceback.print_exc(limit=0)
            _end(NO_COMPILE)
    else:
        code = marshal.loads(compiled)
    os.closerange(RESULT + head.call + head.checked, 256)
    lower(resource.RLIMIT_FSIZE, head.file)
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="main.py")
    sys.modules["__main__"] = module
    status = _guarded(lambda: exec(code, module.__dict__))
    if status == 0 and head.checked:
        from sandbox.calls import serve as answer_calls

        status = _guarded(
            lambda: answer_calls(_function(module.__dict__, entry), QUESTIONS, RESULT)
        )
    elif status == 0 and head.call:
        status = _guarded(lambda: _call(module.__dict__, entry, arguments))
    _end(status)


def _compile(source: str, wrap: bool) -> Any:
    """Compile a program, with `wrap` as the body of a function if it is no module."""
    try:
        return compile(source, "main.py", "exec", dont_inherit=True)
    except SyntaxError:
        if not wrap:
            raise
        body = "".join(f" {line}\n" for line in source.split("\n"))
        try:
            return compile(f"def main():\n{body}\nmain()\n", "main.py", "exec", dont_inherit=True)
        except SyntaxError:
            pass
        raise


def _guarded(work: Any) -> int:
    """Exit code of Python after this work."""
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        return 1
    return 0


def _function(names: Json, entry: str) -> Any:
    """A function, or the method of a class Solution."""
    function = names.get(entry)
    if function is None and "Solution" in names:
        function = getattr(names["Solution"](), entry, None)
    if function is None:
        raise NameError(f"name {entry!r} is not defined")
    return function


def _call(names: Json, entry: str, arguments: list[Any]) -> None:
    """Call a function and write its value as JSON."""
    value = _function(names, entry)(*arguments)
    text = json.dumps(value, allow_nan=True)
    _write_all(RESULT, text.encode())
    os.close(RESULT)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _end(status: int) -> None:
    """What Python does at its end: threads, exit handlers, buffers."""
    import threading

    try:
        if threading.active_count() > 1 or threading._threading_atexits:  # type: ignore
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        pass
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            status = status or 120
    os._exit(status)


if __name__ == "__main__":
    main()
