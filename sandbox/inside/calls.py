"""Both ends of the calls by which a check tests a program: see checking.py.

A question is a frame of four bytes of length (big endian) and the arguments; an answer is one of
`v` and a value, or `e` and the name and text of an exception.
"""

from __future__ import annotations

import gc
import os
import struct
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, cast

from sandbox.inside.frames import FAILED, NO_CHECK, OUTPUT_LIMIT, PASSED, WRONG, Names
from sandbox.inside.limits import ANSWER_BYTES
from sandbox.inside.moving import write_all
from sandbox.inside.plain import read_plain, write_plain

# Descriptors of the check's process; the answers are its standard input.
TOLD, ASKS = 3, 4
# Told where the program gives no answer any more; what it ended by says why.
GONE = 255
# What a check may have been written to expect of a program.
EXPECTED = (
    *(ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, LookupError),
    *(NameError, NotImplementedError, OverflowError, RecursionError, RuntimeError),
    *(StopIteration, TypeError, ValueError, ZeroDivisionError),
)


# ---- in the check's process ----
class ProgramError(Exception):
    """The program raised an exception; also an instance of the EXPECTED one of its name."""


class _Stop(BaseException):
    """The program gives no answer any more, so the check cannot go on."""


class _Candidate:
    """Stands for the program's function."""

    def __init__(self, asks: int, answers: int) -> None:
        self._asks, self._answers = asks, answers
        self.stopped = self.calls = 0

    def __call__(self, *arguments: object, **named: object) -> Any:
        if self.stopped:
            raise _Stop
        self.calls += 1
        question = write_plain([arguments, named])
        try:
            write_all(self._asks, struct.pack(">I", len(question)) + question)
        except BrokenPipeError:
            self._stop(GONE)
        head = self._read(4)
        size = struct.unpack(">I", head)[0]
        if size > ANSWER_BYTES:
            self._stop(OUTPUT_LIMIT)
        try:
            answer = self._read(size)
            value = read_plain(answer[1:])
            if answer[:1] == b"v":
                value, after = value
                for given, changed in zip(arguments, after, strict=False):
                    _change(given, changed)
                return value
            name, text = value
        except ValueError:
            self._stop(WRONG)
        raise _program_error(str(name), str(text))

    def _read(self, count: int) -> bytes:
        data = _read(self._answers, count)
        if len(data) < count:
            self._stop(GONE)
        return data

    def _stop(self, why: int) -> NoReturn:
        self.stopped = why
        raise _Stop


def _change(given: object, changed: object) -> None:
    """Give a list, set or dictionary the content that the program's copy of it has now."""
    if given == changed or type(given) is not type(changed):
        return
    if isinstance(given, list):
        given[:] = cast(list[Any], changed)
    elif isinstance(given, set | dict):
        given.clear()
        given.update(cast(Any, changed))


def _program_error(name: str, text: str) -> ProgramError:
    for kind in EXPECTED:
        if kind.__name__ == name:
            return type(name, (ProgramError, kind), {})(text)
    return ProgramError(f"{name}: {text}")


def run_check(source: str, entry: str) -> None:
    """Run a check and say what came of it."""
    import random

    gc.enable()
    candidate = _Candidate(ASKS, 0)
    detail = ""
    try:
        # The program's process is a fork of the same interpreter and would draw the same numbers,
        # and some checks make expected values of them. Of the source, so that a verdict can be
        # repeated.
        random.seed(source)
        names: Names = {"__name__": "check"}
        exec(compile(source, "check.py", "exec", dont_inherit=True), names)
        names[entry] = candidate
        check = names["check"]
    except BaseException as error:
        return _tell(NO_CHECK, f"the check cannot be run: {_last(error)}")
    try:
        check(candidate)
        # Who never asks finds no fault.
        word, detail = (PASSED, "") if candidate.calls else (WRONG, "the check called nothing")
    except ProgramError:
        word = FAILED
    except BaseException as error:  # of an assert, or because the value is of another type
        word, detail = WRONG, _last(error)
    # A check that catches everything does not make an answer of none.
    _tell(candidate.stopped or word, "" if candidate.stopped else detail)


def _last(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error))[-500:]


def _tell(word: int, detail: str) -> None:
    write_all(TOLD, bytes([word]) + detail.encode("utf-8", "replace"))


# ---- in the program's process ----
def answer_calls(function: Callable[..., object], questions: int, answers: int) -> None:
    """Answer calls until the check ends."""
    while len(head := _read(questions, 4)) == 4:
        arguments, named = read_plain(_read(questions, struct.unpack(">I", head)[0]))
        try:
            value = function(*arguments, **named)
            # Arguments go back: a function may be there to change them.
            kept = [one if isinstance(one, list | set | dict) else None for one in arguments]
            answer = b"v" + write_plain([value, kept])
        except MemoryError:
            raise  # the end of the program, which is how the runner knows
        except Exception as error:
            traceback.print_exc()
            answer = b"e" + write_plain([type(error).__name__, str(error)[:500]])
        write_all(answers, struct.pack(">I", len(answer)) + answer)


def _read(fd: int, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count and (part := os.read(fd, count - len(parts))):
        parts += part
    return bytes(parts)
