"""The life of a program's process: what it gives up, what it is told, how it ends."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import io
import json
import marshal
import os
import re
import resource
import sys
import traceback
import types
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from sandbox.inside.frames import (
    HEAD,
    IN_PLACE,
    NO_COMPILE,
    NO_MEMORY,
    OFFSET,
    PARTS_BEFORE_TESTS,
    Head,
    Names,
    copy_part,
    part_of,
)
from sandbox.inside.limits import STACKS_BYTES
from sandbox.inside.moving import write_all
from sandbox.inside.values import json_text, numbered

# What makes a writer beside the two that every program has says one of these.
_OPENS = re.compile(r"open|Wrapper|Writer|FileIO|writer")
_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
# What starts threads says one of these.
_THREADS = re.compile(rb"thread|concurrent|multiprocessing", re.IGNORECASE)
SCRATCH = "/tmp"
# A program's own folder. It has one name for all, as there is one program at a time.
HOME = f"{SCRATCH}/home"
# Descriptors of a program that is to return a value, and of one that a check asks for values.
RESULT, QUESTIONS = 3, 4
# Set by prepare.py: hard limits of process 1, bytes of address space that it has, and what modules
# want done in a fork. `inside` has something in a program's process alone.
hard: dict[int, int] = {}
mapped: list[int] = []
hooks: list[Callable[[], None]] = []
inside: list[bool] = []
# Given back where a program has none left, so that what it ended by can be told.
_spare = [bytearray(1 << 20)]


class Mine(NamedTuple):
    """The descriptors by which a program's process learns what it is to do."""

    go: int
    job: int
    code: int
    result: int


def become(uid: int, output: int, errors: int) -> None:
    """Leave process 1's world: session, streams, uid."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for fd in (1, 2):
        os.fchmod(fd, 0o622)  # so that a program may open /dev/stdout
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(adjust, b"1000")  # rather this one than process 1
    os.close(adjust)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.mkdir(HOME, 0o700)
    os.chdir(HOME)


def _take(mine: Mine) -> tuple[Head, str, str, list[object], bytes]:
    """Wait for the test; returns program, entry, arguments and what was compiled before.

    Of the other tests of the job nothing is in this process, then or later.
    """
    told = os.read(mine.go, OFFSET.size + HEAD.size)
    if not told:
        os._exit(4)
    (test,) = OFFSET.unpack_from(told)
    head = Head(*HEAD.unpack_from(told, OFFSET.size))
    if head.compiled:
        from sandbox.inside.compiling import run_compiled as run_compiled

        run_compiled(head, test, mine)
    source, entry = part_of(mine.job, 0), part_of(mine.job, 1)
    arguments: list[object] = []
    stdin = os.memfd_create("stdin")
    if head.call:
        os.dup2(mine.result, RESULT)
        arguments = json.loads(part_of(mine.job, PARTS_BEFORE_TESTS + test))
        if head.wrap:
            arguments = [numbered(one) for one in arguments]
    elif not head.interactive:
        copy_part(mine.job, PARTS_BEFORE_TESTS + test, stdin)
    if head.checked and head.call:
        os.dup2(mine.go, QUESTIONS)
    if head.interactive:
        os.dup2(mine.go, 0)  # the judge has the input
        head = head._replace(checked=False)
    else:
        os.dup2(stdin, 0)
    if b"random" in source or b"statistics" in source:
        sys.modules["random"].seed()  # what would be done in every fork
    compiled = os.pread(mine.code, os.fstat(mine.code).st_size, 0) if test else b""
    # Of the stack of a thread little is ever memory; what is, is seen at the end (meters.py).
    stacks = STACKS_BYTES if _THREADS.search(source) else 0
    lower_all(head, mapped[0] + stacks)
    text, name = source.decode("utf-8", "surrogatepass"), entry.decode("utf-8", "surrogatepass")
    return head, text, name, arguments, compiled


def text_streams(stdin: int, stdout: int, stderr: int) -> tuple[io.TextIOWrapper, ...]:
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
    inside.append(True)
    gc.enable()
    if not compiled:
        try:
            code = compile_program(source, head.wrap)
            # That there is something says that the program could be compiled.
            write_all(mine.code, marshal.dumps(code) if head.tests > 1 else b"1")
        except BaseException:
            traceback.print_exc(limit=0)
            _end(NO_COMPILE, source)
    else:
        code = marshal.loads(compiled)
    os.closerange(RESULT + head.call + head.checked, 256)
    lower(resource.RLIMIT_FSIZE, head.file)
    # A function is imported, so what stands behind `if __name__ == "__main__"` is not run.
    module = types.ModuleType("main" if head.call else "__main__")
    module.__dict__.update(__builtins__=builtins, __file__="main.py")
    sys.modules["__main__"] = sys.modules[module.__name__] = module
    if head.call and not head.checked and ("ListNode" in source or "TreeNode" in source):
        from sandbox.inside.nodes import definitions as definitions

        for name, one in definitions(source).items():
            setattr(builtins, name, one)
    _as_a_script(source)
    status = _guarded(lambda: exec(code, module.__dict__))
    if status == 0 and head.checked:
        from sandbox.inside.calls import answer_calls as answer_calls

        status = _guarded(
            lambda: answer_calls(_function(module.__dict__, entry), QUESTIONS, RESULT)
        )
    elif status == 0 and head.call:
        status = _guarded(lambda: _call(module.__dict__, entry, arguments))
    _end(status, source)


def _as_a_script(source: str) -> None:
    """What a script finds beside it: modules that it writes, its own text, limits it may set."""
    sys.path.insert(0, HOME)
    if "__file__" in source or "main.py" in source:
        with open("main.py", "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(source)
    if "setrlimit" in source:
        resource.setrlimit = _set_limit  # type: ignore[assignment]


def _set_limit(
    what: int,
    limits: tuple[int, int],
    set_limit: Callable[[int, tuple[int, int]], None] = resource.setrlimit,
) -> None:
    """A limit; of the stack, for which programs ask without end, as much as there may be."""
    if what != resource.RLIMIT_STACK:
        return set_limit(what, limits)
    hard = resource.getrlimit(what)[1]
    known = hard != resource.RLIM_INFINITY
    soft, most = (hard if known and (one < 0 or one > hard) else one for one in limits)
    set_limit(what, (soft, most))


def compile_program(source: str, wrap: bool) -> types.CodeType:
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


def _guarded(work: Callable[[], object]) -> int:
    """Exit code of Python after this work."""
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            code = (end.code or 0) & 0xFF
            return 1 if code == NO_MEMORY else code
        print(end.code, file=sys.stderr)
        return 1
    except MemoryError:
        _spare.clear()
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        return NO_MEMORY
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        return 1
    return 0


def _function(names: Names, entry: str) -> Callable[..., object]:
    """A function, or the method of a class Solution."""
    function = names.get(entry)
    if function is None and "Solution" in names:
        function = getattr(names["Solution"](), entry, None)
    if function is None:
        raise NameError(f"name {entry!r} is not defined")
    return function


def _call(names: Names, entry: str, arguments: list[object]) -> None:
    """Call a function and write its value as JSON."""
    entry, _, place = entry.partition(IN_PLACE)
    function = _function(names, entry)
    if hasattr(builtins, "ListNode") or hasattr(builtins, "TreeNode"):
        from sandbox.inside.nodes import call_with_nodes as call_with_nodes

        value = call_with_nodes(function, arguments, names, entry)
    else:
        value = function(*arguments)
    if place:
        value = arguments[int(place)]
    write_all(RESULT, json_text(value))
    os.close(RESULT)


def _remove_objects(names: Names) -> None:
    """Remove what has something to do at its end, which finds the other names as they were."""
    for name in [name for name, one in names.items() if _ends_itself(one)]:
        with contextlib.suppress(BaseException):
            del names[name]


def _ends_itself(one: object) -> bool:
    return hasattr(type(one), "__del__")


def _writers() -> list[io.IOBase]:
    """All that holds text or bytes that are not written yet, text first."""
    # By the type, as __class__ may be anything; that of millions of objects takes a while.
    found = [one for one in gc.get_objects() if issubclass(type(one), _WRITERS)]
    return sorted(found, key=_is_text, reverse=True)


def _is_text(one: object) -> bool:
    return isinstance(one, io.TextIOBase)


def _end(status: int, source: str) -> NoReturn:
    """What Python does at its end: threads, exit handlers, buffers."""
    import threading

    try:
        if threading.active_count() > 1 or threading._threading_atexits:  # type: ignore
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    except BaseException:
        pass
    writers: list[io.IOBase] = []
    # As at Python's end: the program's objects go, and what has a buffer writes it.
    with contextlib.suppress(BaseException):
        _remove_objects(sys.modules["__main__"].__dict__)
        writers = _writers() if _OPENS.search(source) else []
    for stream in (sys.stdout, *writers, sys.__stdout__, sys.__stderr__, sys.stderr):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except BaseException:
            status = status or 120 if stream in (sys.stdout, sys.stderr) else status
    os._exit(status)


def lower_all(head: Head, beside: int) -> None:
    """Set a test's limits but for that of files.

    Args:
        head: Of the job.
        beside: Bytes of address space that are not counted.
    """
    # For the case that process 1 is late. The kernel counts ticks of its clock, on a busy machine
    # a fifth too many, so this is far above the limit.
    lower(resource.RLIMIT_CPU, 2 * int(head.cpu) + 2)
    lower(resource.RLIMIT_AS, head.memory + beside)
    lower(resource.RLIMIT_STACK, head.memory)
    lower(resource.RLIMIT_NPROC, head.processes)


def lower(what: int, most: int) -> None:
    """Set a limit, if it is not lower already."""
    highest = hard[what]
    most = most if highest == resource.RLIM_INFINITY else min(most, highest)
    resource.setrlimit(what, (most, most))
