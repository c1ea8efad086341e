"""The part of the sandbox that runs inside the container, as process 1, with Python alone.

One file, because its text is handed to the container's Python: the image holds nothing of ours.

Process 1 forks a *program* for each test and watches it. It never holds anything of a job in its
memory, which every later program is a copy of: what comes in goes from its standard input into a
file in memory, and what a program prints from the pipe to its standard output, both inside the
kernel. The program reads the job for itself, under its own uid, before it becomes what the job
says. A program is a fork of a prepared interpreter that has seen nothing but its own job; it is
forked before the job comes, and compiled once in a job.

A program runs under a uid that no other job has had, with the limits below. When it ends, or
overruns, process 1 kills every other process in the container, reaps them, and removes the files.
Expected outputs never enter the container: what is reported is what was printed.

A job is HEAD and as many bytes as that says: the ends of its parts (END for the first part, then
for each test), {"program", "entry" (or null), "wrap"} as JSON, and for each test what the program
reads or, as JSON, the arguments of the call. HEAD with no tests stops the job of that number. The
answer to each test is ANSWER, what was printed (or returned), and the end of the errors.
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
import shutil
import signal
import struct
import sys
import termios
import time
import traceback
import types
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
# Of a job: number, tests, bytes, whether it is a call, and its limits: processor seconds, bytes of
# memory, output and files, processes.
HEAD = struct.Struct("!IIQ?dQQQI")
END = struct.Struct("!Q")
# Of a test: job, test, reason, wait status, processor and wall seconds, bytes of output and errors.
ANSWER = struct.Struct("!IIBiddQQ")
ENDED, TIME_LIMIT, OUTPUT_LIMIT, COMPILE_ERROR, STOPPED, READY = range(6)
# Of a program's process while it still is ours.
OUT, ERR, RESULT, CODE, JOB, GO = range(1, 7)
NULL = 3  # of process 1
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
    """HEAD, unpacked."""

    number: int
    tests: int
    size: int
    call: bool
    cpu: float
    memory: int
    output: int
    file: int
    processes: int


class Answer(NamedTuple):
    """ANSWER, unpacked."""

    job: int
    test: int
    reason: int
    status: int
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

    def send(self, skip: int, count: int) -> None:
        """Write some of the bytes to our standard output."""
        source = self.fd
        if self.spool >= 0:
            source = self.spool
            os.lseek(source, skip, os.SEEK_SET)
        else:
            move(source, NULL, skip)
        move(source, 1, count)

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


def main() -> None:
    """Serve jobs until the input ends."""
    hooks = prepare()
    uid = int(sys.argv[1]) + 1
    os.write(1, ANSWER.pack(0, 0, READY, 0, 0.0, 0.0, 0, 0))
    while serve(uid):
        uid += 1
    run_program(hooks)  # at the bottom of the stack, so no frame under the program's holds anything


def prepare() -> list[Json]:
    """Make the interpreter that programs are forks of; returns what modules want done at forks.

    Process 1 has one thread, so at its own forks there is nothing to repair, and what random and
    threading would do there costs as much as the rest of the fork. Programs register it again.
    """
    hooks: list[Json] = []
    register = os.register_at_fork
    os.register_at_fork = lambda **when: hooks.append(when)  # type: ignore[assignment]
    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            __import__(name)
    os.register_at_fork = register
    while os.open(os.devnull, os.O_RDWR) < GO:
        pass  # no descriptor made later is in the way of a program's
    for what, most in (
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 64),
    ):
        lower(what, most)
    os.setgroups([])
    os.environ.clear()
    os.environ.update(HOME=SCRATCH, PATH="/usr/bin:/bin", LANG="C.UTF-8", PYTHONHASHSEED="0")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rehearse()
    gc.disable()
    gc.collect()
    gc.freeze()  # the garbage collector would touch, and so copy, every page in each fork
    return hooks


def rehearse() -> None:
    """Do what programs do, so that what Python makes at the first use is there before the forks."""
    for _ in range(10):  # after eight runs a function has its final form
        sample = marshal.loads(marshal.dumps(_compile(SAMPLE, False)))
        given = memory_file(b"3 4\n")
        streams = _streams(given, NULL, NULL)
        names = {"read": streams[0].readline, "out": streams[1]}
        exec(sample, names)
        for stream in streams:
            stream.flush()
        os.close(given)
        json.loads(json.dumps({"program": SAMPLE, "entry": None, "wrap": False}))
    try:
        exec(sample, {"read": str})
    except Exception:
        traceback.format_exc()


def serve(uid: int) -> bool:
    """Run a job; False in the programs of it."""
    job, code = os.memfd_create("job"), os.memfd_create("code")
    child = spawn(uid, job, code)  # the first program waits for the job
    if child is None:
        return False
    head = receive()
    while not head.tests:  # a stop for a job that has ended since
        head = receive()
    move(0, job, head.size)
    for test in range(head.tests):
        if test:
            if stopped(head.number):
                break
            child = spawn(uid, job, code)
            if child is None:
                return False
        going = attempt(child, head, test, code)
        if not sweep(uid):
            os._exit(3)  # not to be trusted any more; the pool replaces the container
        if not going:
            break
    os.close(job)
    os.close(code)
    return True


def receive() -> Head:
    """The next HEAD; ends the container at the end of the input."""
    data = b""
    while len(data) < HEAD.size:
        part = os.read(0, HEAD.size - len(data))
        if not part:
            os._exit(4)
        data += part
    return Head(*HEAD.unpack(data))


def stopped(number: int) -> bool:
    """Whether the pool wants no more tests of this job."""
    while select.select([0], [], [], 0)[0]:
        head = receive()
        if head.tests:
            os._exit(3)  # another job before the end of this one
        if head.number == number:
            return True
    return False


def spawn(uid: int, job: int, code: int) -> Child | None:
    """Fork a program, which waits to be told its test; None in the program itself."""
    pipes = [os.pipe() for _ in range(4)]
    (output, errors, result, go) = pipes
    pid = os.fork()
    if pid == 0:
        _become(uid, (output[1], errors[1], result[1], code, job, go[0]))
        return None
    for fd in (output[1], errors[1], result[1], go[0]):
        os.close(fd)
    return Child(pid, go[1], [Stream(output[0]), Stream(errors[0]), Stream(result[0])])


def attempt(child: Child, head: Head, test: int, code: int) -> bool:
    """Let a program do its test, and report; whether the job goes on."""
    began = time.monotonic()
    os.write(child.go, END.pack(test) + HEAD.pack(*head))
    os.close(child.go)
    reason = watch(child, head, began)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # everything but this one
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
        os.write(1, ANSWER.pack(head.number, test, reason, status, cpu, wall, size, told))
        printed.send(0, size)
        errors.send(errors.kept() - told, told)
    for stream in child.streams:
        stream.close()
    return reason not in (STOPPED, COMPILE_ERROR)


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
        os.rmdir(f"{SCRATCH}/{uid}")  # few programs leave anything in it
    for name in os.listdir(SCRATCH):
        path = os.path.join(SCRATCH, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    return not os.listdir(SCRATCH)


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
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def lower(what: int, most: int) -> None:
    """Set a limit, if it is not lower already."""
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def memory_file(data: bytes) -> int:
    """A descriptor to read these bytes from, as from a redirected file."""
    writer = os.memfd_create("stdin")
    _write_all(writer, data)
    reader = os.open(f"/proc/self/fd/{writer}", os.O_RDONLY)
    os.close(writer)
    return reader


# ---- in the program's process ----
def _become(uid: int, ends: tuple[int, ...]) -> None:
    """Leave process 1's world: session, descriptors, uid."""
    os.setsid()
    for number, fd in enumerate(ends, 1):
        os.dup2(fd, number)
    os.closerange(GO + 1, 256)
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    with contextlib.suppress(OSError):
        os.write(adjust, b"1000")  # rather this one than process 1
    os.close(adjust)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    folder = f"{SCRATCH}/{uid}"
    os.mkdir(folder, 0o700)
    os.chdir(folder)
    os.environ["HOME"] = folder


def _take() -> tuple[str, str | None, Any, bytes, bool, int]:
    """Wait for the test and take the limits; what is to be run, and the files it may write.

    Nothing else of the job, and no descriptor to it, is left to the program.
    """
    told = os.read(GO, END.size + HEAD.size)
    if not told:
        os._exit(4)
    (test,) = END.unpack_from(told)
    head = Head(*HEAD.unpack_from(told, END.size))
    offset = END.size * (head.tests + 1)
    (end,) = END.unpack(os.pread(JOB, END.size, 0))
    text = os.pread(JOB, end - offset, offset)
    job = json.loads(text)
    low, high = struct.unpack("!QQ", os.pread(JOB, 2 * END.size, END.size * test))
    given = os.pread(JOB, high - low, low)
    if b"random" in text or b"statistics" in text:
        sys.modules["random"].seed()  # all others are spared it
    arguments = json.loads(given) if head.call else None
    stdin = memory_file(b"" if head.call else given)
    os.dup2(stdin, 0)
    os.close(stdin)
    code = os.pread(CODE, os.fstat(CODE).st_size, 0) if test else b""
    os.close(JOB)
    os.close(GO)
    if not head.call:
        os.close(RESULT)
    lower(resource.RLIMIT_CPU, int(head.cpu) + 1)
    lower(resource.RLIMIT_AS, head.memory + _mapped())
    lower(resource.RLIMIT_STACK, head.memory)
    lower(resource.RLIMIT_NPROC, head.processes)
    return job["program"], job["entry"], arguments, code, job["wrap"], head.file


def _mapped() -> int:
    """Bytes of address space that the prepared interpreter has already."""
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    pages = int(os.read(statm, 64).split()[0])
    os.close(statm)
    return pages * resource.getpagesize()


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


def run_program(hooks: list[Json]) -> None:
    """Run the program as if Python had been started for it; never returns."""
    source, entry, arguments, compiled, wrap, file = _take()
    for when in hooks:
        os.register_at_fork(**when)
    gc.enable()
    sys.stdin, sys.stdout, sys.stderr = _streams(0, 1, 2)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["main.py"]
    if not compiled:
        try:
            code = _compile(source, wrap)
            _write_all(CODE, marshal.dumps(code))
        except BaseException:
            traceback.print_exc(limit=0)
            _end(NO_COMPILE)
    else:
        code = marshal.loads(compiled)
    os.close(CODE)
    lower(resource.RLIMIT_FSIZE, file)
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="main.py")
    sys.modules["__main__"] = module
    status = _guarded(lambda: exec(code, module.__dict__))
    if status == 0 and entry is not None:
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


def _call(names: Json, entry: str, arguments: list[Any]) -> None:
    """Call a function, or the method of a class Solution, and write its value as JSON."""
    function = names.get(entry)
    if function is None and "Solution" in names:
        function = getattr(names["Solution"](), entry, None)
    if function is None:
        raise NameError(f"name {entry!r} is not defined")
    value = function(*arguments)
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
