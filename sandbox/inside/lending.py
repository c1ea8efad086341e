"""What a check and the program that it calls lend each other: objects that are no plain data.

Each side keeps its own objects and asks the other for what it does with the other's, so that no
code of the one ever runs in the other. A frame is four bytes of length (big endian) and text:
a question is `q` and [what, number, name, arguments, named arguments]; an answer is `v` and
[value, the arguments as they are now], or `e` and [names of the exception's classes, its text].
While one side waits for an answer, it answers the other's questions.

The program may be written to deceive: what it lends compares with nothing but what it has lent,
and is asked for no method that a built-in type has, as the check means that type's (stand_ins.py).
The check lends its functions, which can be called, and the objects of its own classes, of which
names without an underscore can be asked for: so nothing leads from them to what the check knows.
"""

# What is narrowed from any value is a list or dict of unknown things.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import builtins
import os
import struct
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.inside.moving import write_all
from sandbox.inside.plain import Numbered, read_plain, write_plain

HEAD = struct.Struct(">I")
CALL, GET, SET = "call", "get", "set"
CHECK, PROGRAM, BUILTIN = "check", "program", "builtin"


class GoneError(Exception):
    """The other side has ended."""


class TooLongError(Exception):
    """The other side's answer is longer than it may be."""


class BadFrameError(Exception):
    """The other side has sent what nobody reads."""


class Line:
    """One side of the two pipes."""

    def __init__(self, side: str, ins: int, out: int, longest: int | None = None) -> None:
        """Talk to the other side.

        Args:
            side: CHECK or PROGRAM.
            longest: Bytes of a frame that is read; None: any.
        """
        self._side, self._ins, self._out, self._longest = side, ins, out, longest
        self._lent: list[object] = []
        self._numbers: dict[int, int] = {}

    # What the two sides do differently.
    describe: Callable[[object], tuple[str, tuple[str, ...]]]
    stand_in: Callable[[Numbered], object]
    refused: Callable[[object, str, str], bool]
    failed: Callable[[list[str], str], BaseException]

    def lend(self, value: object) -> Numbered:
        """Give a number to an object of this side, or say which one of the other side it is."""
        if (other := getattr(type(value), "of_the_other_side", None)) is not None:
            return other(value)
        name = getattr(value, "__name__", None)
        # Only a class of the program is the check's own too.
        known = isinstance(value, type) or self._side == CHECK
        if known and isinstance(name, str) and getattr(builtins, name, None) is value:
            return Numbered(BUILTIN, 0, name)
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._lent)
            self._lent.append(value)
        return Numbered(self._side, number, *self.describe(value))

    def find(self, one: Numbered) -> object:
        """The object of a number, or what stands for it here."""
        if one.whose == self._side:
            return self._lent[one.number]
        if one.whose == BUILTIN:
            return self._builtin(one.kind)
        return self.stand_in(one)

    def _builtin(self, name: str) -> object:
        value = getattr(builtins, name, None)
        if not callable(value) or (self._side == CHECK and not isinstance(value, type)):
            raise ValueError(f"{name} is not lent")
        return value

    def ask(
        self,
        what: str,
        number: int,
        name: str,
        arguments: Sequence[object] = (),
        named: Mapping[str, object] | None = None,
    ) -> object:
        """Ask the other side for something of its own, answering its questions meanwhile.

        Raises:
            Exception: what was raised over there.
        """
        question = [what, number, name, [*arguments], named or {}]
        self._send(b"q" + write_plain(question, self.lend))
        kind, held = self.serve()
        try:
            first, second = held
            second = str(second) if kind == b"e" else [*second]
            names = [*map(str, first)] if kind == b"e" else []
        except (TypeError, ValueError):
            raise BadFrameError from None
        if isinstance(second, str):
            raise self.failed(names, second)
        for given, changed in zip([*arguments, *(named or {}).values()], second, strict=False):
            _change(given, changed)
        return first

    def serve(self) -> tuple[bytes, Any]:
        """Answer questions until an answer comes."""
        while True:
            size = HEAD.unpack(self._read(HEAD.size))[0]
            if self._longest is not None and size > self._longest:
                raise TooLongError
            frame = self._read(size)
            try:
                held = read_plain(frame[1:], self.find)
                if frame[:1] in (b"v", b"e"):
                    return frame[:1], held
                what, number, name, arguments, named = held
                target = self._lent[number]
            except (ValueError, IndexError, TypeError):
                raise BadFrameError from None
            self._answer(what, target, str(name), arguments, named)

    def _answer(
        self, what: str, target: Any, name: str, arguments: list[object], named: dict[str, object]
    ) -> None:
        try:
            if self.refused(target, what, name):
                raise AttributeError(name)
            if what == SET:
                value = setattr(target, name, *arguments)
            elif what == GET:
                value = getattr(target, name)
            else:
                value = (getattr(target, name) if name else target)(*arguments, **named)
            # Arguments go back: a function may be there to change them.
            after = [*arguments, *named.values()]
            kept = [one if isinstance(one, _CHANGEABLE) else None for one in after]
            answer = b"v" + write_plain([value, kept], self.lend)
        except (MemoryError, GoneError, TooLongError, BadFrameError):
            raise  # the end of the program, which is how the runner knows
        except Exception as error:
            traceback.print_exc()
            names = [kind.__name__ for kind in type(error).__mro__]
            text = error.args[0] if len(error.args) == 1 else None
            text = text if isinstance(text, str) else str(error)
            answer = b"e" + write_plain([names, text[:500]])
        self._send(answer)

    def _send(self, text: bytes) -> None:
        try:
            write_all(self._out, HEAD.pack(len(text)) + text)
        except BrokenPipeError:
            raise GoneError from None

    def _read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = os.read(self._ins, count - len(parts))
            if not part:
                raise GoneError
            parts += part
        return bytes(parts)


_CHANGEABLE = (list, set, dict, bytearray)


def _change(given: object, changed: Any) -> None:
    """Give what can be changed the content that the other side's copy of it has now."""
    if type(given) is not type(changed) or not isinstance(given, _CHANGEABLE):
        return
    if isinstance(given, list):
        pairs = zip(given, changed, strict=False)
        # What stands in it stays itself, changed: somebody else may hold it too.
        kept = [_same(one, other) for one, other in pairs]
        given[:] = kept + changed[len(kept) :]
    elif isinstance(given, dict):
        for key in changed:
            changed[key] = _same(given.get(key), changed[key])
        given.clear()
        given.update(changed)
    elif isinstance(given, set):
        given.clear()
        given.update(changed)
    else:
        given[:] = changed


def _same(given: object, changed: object) -> object:
    if type(given) is type(changed) and isinstance(given, _CHANGEABLE):
        _change(given, changed)
        return given
    return changed
