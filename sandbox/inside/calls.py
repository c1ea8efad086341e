"""Both ends of the calls by which a check tests a program: see checking.py and lending.py."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Mapping, Sequence

from sandbox.inside.frames import FAILED, NO_CHECK, OUTPUT_LIMIT, PASSED, WRONG, Names
from sandbox.inside.lending import (
    CALL,
    CHECK,
    GET,
    PROGRAM,
    SET,
    BadFrameError,
    GoneError,
    Line,
    TooLongError,
)
from sandbox.inside.limits import ANSWER_BYTES
from sandbox.inside.moving import write_all
from sandbox.inside.plain import Numbered
from sandbox.inside.stand_ins import StandIn, exceptions, special_methods, stand_in

# Descriptors of the check's process; the answers are its standard input.
TOLD, ASKS = 3, 4
# Told where the program gives no answer any more; what it ended by says why.
GONE = 255
# What a module of the check says of itself.
_CHECK_MODULE = "check"


# ---- in the check's process ----
class ProgramError(Exception):
    """The program raised an exception; also an instance of the built-in one that that was."""


class _Stop(BaseException):
    """The program gives no answer any more, so the check cannot go on."""


def of_class(entry: str) -> bool:
    """Whether the entry is a class by its name: the check's author means the methods he calls.

    Not the program, which might deceive, says so.
    """
    return entry[:1].isupper()


class _CheckLine(Line):
    """The check's side."""

    def __init__(self, entry: str) -> None:
        super().__init__(CHECK, 0, ASKS, ANSWER_BYTES)
        self.calls = self.stopped = 0
        self._of_class = of_class(entry)

    def describe(self, value: object) -> tuple[str, tuple[str, ...]]:
        if type(value).__module__ == _CHECK_MODULE:
            return type(value).__name__, special_methods(value)
        if not callable(value):
            raise TypeError(f"{type(value).__name__} is not plain data")
        return type(value).__name__, ("__call__",)

    def refused(self, target: object, what: str, name: str) -> bool:
        own = type(target).__module__ == _CHECK_MODULE
        if what == CALL:
            return bool(name) and not (own and name in special_methods(target))
        return not (own and what in (GET, SET) and not name.startswith("_"))

    def stand_in(self, one: Numbered) -> object:
        return stand_in(self, one, int(self._of_class))

    def ask(
        self,
        what: str,
        number: int,
        name: str,
        arguments: Sequence[object] = (),
        named: Mapping[str, object] | None = None,
    ) -> object:
        if self.stopped:
            raise _Stop
        self.calls += what == CALL
        try:
            return super().ask(what, number, name, arguments, named)
        except GoneError:
            self.stopped = GONE
        except TooLongError:
            self.stopped = OUTPUT_LIMIT
        except BadFrameError:
            self.stopped = WRONG
        raise _Stop

    def failed(self, names: list[str], text: str) -> BaseException:
        known = exceptions()
        for name in names:
            if name in known and known[name] is not Exception:
                return type(names[0], (ProgramError, known[name]), {})(text)
        return ProgramError(f"{names[0]}: {text}" if names else text)


class _Candidate(StandIn):
    """Stands for the function, or the class, that the entry names."""

    __slots__ = ()

    def __call__(self, *arguments: object, **named: object) -> object:
        value = self._line.ask(CALL, 0, "", arguments, named)
        if isinstance(value, StandIn) and of_class(self._one.kind):
            object.__setattr__(value, "_trusted", 2)
        return value


def run_check(source: str, entry: str) -> None:
    """Run a check and say what came of it."""
    import random

    gc.enable()
    line = _CheckLine(entry)
    candidate = _Candidate(line, Numbered(PROGRAM, 0, entry), 2)
    detail = ""
    try:
        # The program's process is a fork of the same interpreter and would draw the same numbers,
        # and some checks make expected values of them. Of the source, so that a verdict can be
        # repeated.
        random.seed(source)
        names: Names = {"__name__": _CHECK_MODULE}
        exec(compile(source, "check.py", "exec", dont_inherit=True), names)
        names[entry] = candidate
        check = names["check"]
    except BaseException as error:
        return _tell(NO_CHECK, f"the check cannot be run: {_last(error)}")
    try:
        check(candidate)
        # Who never asks finds no fault.
        word, detail = (PASSED, "") if line.calls else (WRONG, "the check called nothing")
    except ProgramError:
        word = FAILED
    except BaseException as error:  # of an assert, or because the value is of another type
        word, detail = WRONG, _last(error)
    # A check that catches everything does not make an answer of none.
    _tell(line.stopped or word, "" if line.stopped else detail)


def _last(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error))[-500:]


def _tell(word: int, detail: str) -> None:
    write_all(TOLD, bytes([word]) + detail.encode("utf-8", "replace"))


# ---- in the program's process ----
class _ProgramLine(Line):
    """The program's side."""

    def describe(self, value: object) -> tuple[str, tuple[str, ...]]:
        return type(value).__name__, special_methods(value)

    def refused(self, target: object, what: str, name: str) -> bool:
        return False

    def stand_in(self, one: Numbered) -> object:
        return stand_in(self, one, 2)

    def failed(self, names: list[str], text: str) -> BaseException:
        known = exceptions()
        kind = next((known[name] for name in names if name in known), RuntimeError)
        return kind(text)


def answer_calls(function: Callable[..., object], questions: int, answers: int) -> None:
    """Answer calls until the check ends."""
    line = _ProgramLine(PROGRAM, questions, answers)
    line.lend(function)  # the object of number 0
    try:
        line.serve()
    except GoneError:
        return
