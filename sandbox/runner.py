"""The part of the sandbox that runs inside the container, as process 1, with Python alone.

Its text is handed to the container's Python, with those of plain.py, calls.py and checking.py
(tests that are a check function): the image holds nothing of ours.

It speaks over its standard input and output: frames of four bytes of length (big endian) and JSON.
For each job process 1 forks a *supervisor*, which reads the job, and for each test of the job the
supervisor forks a *program*. So process 1 never holds anything of a job, a program is a fork of a
prepared interpreter that has seen nothing but its own job, and a program is compiled once.

A program runs under a uid that no other process has had, with the limits below. When it ends, or
overruns, the supervisor kills every other process in the container, reaps them, and the uid's files
are removed. Expected outputs never enter the container: what is reported is what was printed.

A job: {"id", "program", "entry" (or null), "tests": [{"stdin"} or {"args"}], "limits": {...}}.
The answers to it: {"id", "test", "status", "output", "stderr", "cpu", "wall", "signal"} for each
test, then {"id", "done"}. {"stop": id} ends a job after the test at work.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import struct
import sys
import time
import traceback
from typing import Any

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
STDERR_BYTES = 16384
CHUNK = 1 << 16
PR_SET_CHILD_SUBREAPER = 36

Json = dict[str, Any]


def main() -> None:
    """Serve jobs until the input ends."""
    import ctypes
    import gc

    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            __import__(name)
    libc = ctypes.CDLL(None)
    gc.disable()
    gc.freeze()  # the garbage collector would touch, and so copy, every page in each fork
    uid = int(sys.argv[1])
    send({"ready": os.getpid(), "python": sys.version.split()[0]})
    while True:
        uid += 1
        child = os.fork()
        if child == 0:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            supervise(uid)  # comes back in the forked program alone
            run_program()
        _, status = os.waitpid(child, 0)
        clean = sweep()
        if status != 0 or not clean:
            os._exit(3)  # not to be trusted any more; the pool replaces the container


def supervise(uid: int) -> None:
    """Read a job and run its tests; exits in the supervisor, returns in each program."""
    job = receive()
    while job is not None and "stop" in job:  # for a job that has ended since
        job = receive()
    if job is None:
        os._exit(4)
    code = b""
    for number, test in enumerate(job["tests"]):
        if number and stopped(job["id"]):
            break
        report = attempt(job, test, uid, code)
        if report is None:
            return
        code = report.pop("code") or code
        send({"id": job["id"], "test": number, **report})
        if report["status"] == "compile_error":
            break
    send({"id": job["id"], "done": True})
    os._exit(0)


def stopped(job: str) -> bool:
    """Whether the pool wants no more tests of this job."""
    while select.select([0], [], [], 0)[0]:
        message = receive()
        if message is None:
            os._exit(4)
        if message.get("stop") == job:
            return True
    return False


def attempt(job: Json, test: Json, uid: int, code: bytes) -> Json | None:
    """Fork a program for one test and watch it; None in the program itself."""
    if job.get("checked"):
        from sandbox.checking import attempt as attempt_checked

        return attempt_checked(job, uid)
    limits = job["limits"]
    given = memory_file(test.get("stdin", ""))
    pipes = [os.pipe() for _ in range(4)]  # output, errors, result, compiled code
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(job, test, uid, code, given, [write for _, write in pipes])
        return None
    for fd in (given, *(write for _, write in pipes)):
        os.close(fd)
    return watch(pid, [read for read, _ in pipes], limits, began, call=job["entry"] is not None)


def watch(pid: int, fds: list[int], limits: Json, began: float, *, call: bool) -> Json:
    """Read what a program writes, bounded, until it ends or overruns a limit."""
    handle = os.pidfd_open(pid)
    kept = {fd: bytearray() for fd in fds}
    caps = dict(zip(fds, (limits["output"], STDERR_BYTES, limits["output"], 1 << 24), strict=True))
    poll = select.poll()
    for fd in (handle, *fds):
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    reason = ""
    over = False
    while not over and not reason:
        for fd, _ in poll.poll(wait_for(pid, limits, began)):
            if fd == handle:
                over = True
            elif not drain(fd, kept[fd], caps[fd], 1):
                poll.unregister(fd)
        if len(kept[fds[0]]) > limits["output"] or len(kept[fds[2]]) > limits["output"]:
            reason = "output_limit"
        elif not over:
            reason = overrun(pid, limits, began)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # everything but process 1 and this one
    _, status, usage = os.wait4(pid, 0)
    reap()
    for fd in fds:
        drain(fd, kept[fd], caps[fd], caps[fd] // CHUNK + 2)
        os.close(fd)
    os.close(handle)
    output, errors, result, code = (bytes(kept[fd]) for fd in fds)
    if not reason and max(len(output), len(result)) > limits["output"]:
        reason = "output_limit"
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "status": reason or classify(status, errors, cpu, limits, code),
        "output": (result if call else output).decode("utf-8", "replace"),
        "stderr": errors[-STDERR_BYTES:].decode("utf-8", "replace"),
        "cpu": round(cpu, 4),
        "wall": round(time.monotonic() - began, 4),
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": code,
    }


def drain(fd: int, into: bytearray, cap: int, times: int) -> bool:
    """Read a pipe a few times at most; False once it has ended. Beyond the cap nothing is kept."""
    for _ in range(times):
        try:
            part = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        if not part:
            return False
        if len(into) <= cap:
            into += part
    return True


def wait_for(pid: int, limits: Json, began: float) -> float:
    """Milliseconds for which no limit can be overrun."""
    left = limits["cpu"] - cpu_of(pid)
    return max(5.0, 1000.0 * min(left, limits["cpu"] * WALL_FACTOR - (time.monotonic() - began)))


def overrun(pid: int, limits: Json, began: float) -> str:
    """The limit that a running program has overrun, or nothing."""
    if cpu_of(pid) > limits["cpu"]:
        return "time_limit"
    wall = time.monotonic() - began
    if wall > limits["cpu"] * STARVED_FACTOR:
        return "time_limit"
    if wall - starved(pid) > limits["cpu"] * WALL_FACTOR:
        return "time_limit"
    return ""


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


def classify(status: int, errors: bytes, cpu: float, limits: Json, code: bytes) -> str:
    """What the end of a program that overran nothing means."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or cpu > limits["cpu"]:
            return "time_limit"
        if number == signal.SIGXFSZ:
            return "output_limit"
        # Nobody else sends SIGKILL: the kernel did, for want of memory.
        return "memory_limit" if number == signal.SIGKILL else "runtime_error"
    end = os.WEXITSTATUS(status)
    if end == 0:
        return "ok"
    if end == NO_COMPILE and not code:
        return "compile_error"
    last = errors.rstrip().rsplit(b"\n", 1)[-1]
    return "memory_limit" if last.startswith(b"MemoryError") else "runtime_error"


def reap() -> None:
    """Wait for all children; orphans of programs are among them."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def sweep() -> bool:
    """End what is left of a job and remove its files; whether nothing is left."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    reap()
    for name in os.listdir(SCRATCH):
        path = os.path.join(SCRATCH, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    return not os.listdir(SCRATCH)


def memory_file(text: str) -> int:
    """A descriptor to read a text from, as from a redirected file."""
    writer = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    while data:
        data = data[os.write(writer, data) :]
    reader = os.open(f"/proc/self/fd/{writer}", os.O_RDONLY)
    os.close(writer)
    return reader


# ---- in the program's process ----
NO_COMPILE = 97
_task: list[Any] = []


def _become(job: Json, test: Json, uid: int, code: bytes, given: int, ends: list[int]) -> None:
    """Leave the supervisor's world: session, descriptors, limits, uid."""
    os.setsid()
    os.dup2(given, 0)
    os.dup2(ends[0], 1)
    os.dup2(ends[1], 2)
    os.dup2(ends[2], 3)
    os.dup2(ends[3], 4)
    os.closerange(5, 256)
    limits = job["limits"]
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # rather this one than process 1
    seconds = int(limits["cpu"]) + 1
    memory = limits["memory"] + _mapped()
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, limits["memory"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 64),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    folder = f"{SCRATCH}/{uid}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(HOME=folder, PATH="/usr/bin:/bin", LANG="C.UTF-8", PYTHONHASHSEED="0")
    _task[:] = [job["program"], job["entry"], test.get("args"), code, job.get("wrap")]


def _mapped() -> int:
    """Bytes of address space that the prepared interpreter has already."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def run_program() -> None:
    """Run the program as if Python had been started for it; never returns.

    Called from the bottom of the stack, so no frame above the program's holds anything.
    """
    import builtins
    import gc
    import io
    import marshal
    import types

    from sandbox.calls import serve, take_questions

    source, entry, arguments, compiled, wrap = _task
    _task.clear()
    questions = take_questions() if entry and arguments is None else None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["main.py"]
    if not compiled:
        try:
            code = _compile(source, wrap)
            _write_all(4, marshal.dumps(code))
        except BaseException:
            traceback.print_exc(limit=0)
            _end(NO_COMPILE)
    else:
        code = marshal.loads(compiled)
    os.close(4)
    if entry is None:
        os.close(3)
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="main.py")
    sys.modules["__main__"] = module
    status = _guarded(lambda: exec(code, module.__dict__))
    if status == 0 and entry is not None:
        if questions is not None:
            status = _guarded(lambda: serve(_function(module.__dict__, entry), questions, 3))
        elif arguments is not None:
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
    _write_all(3, text.encode())
    os.close(3)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _end(status: int) -> None:
    """What Python does at its end: threads, exit handlers, buffers."""
    import atexit
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


# ---- frames ----
def receive() -> Json | None:
    """The next frame, or None at the end of the input; never reads beyond a frame."""
    head = _read(4)
    if head is None:
        return None
    body = _read(struct.unpack(">I", head)[0])
    return None if body is None else json.loads(body)


def _read(count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = os.read(0, min(count - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def send(message: Json) -> None:
    """Write a frame."""
    body = json.dumps(message).encode()
    _write_all(1, struct.pack(">I", len(body)) + body)
