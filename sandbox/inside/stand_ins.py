"""What stands for an object of the other side of a check: see lending.py."""

from __future__ import annotations

import builtins
import collections
from collections.abc import Callable

from sandbox.inside.lending import CALL, GET, SET, Line
from sandbox.inside.plain import Numbered

# Special methods by which an object is asked for what it holds, or told to change.
_ASKED = (
    *("len", "iter", "next", "reversed", "str", "repr", "hash", "bool", "int", "float", "index"),
    *("neg", "pos", "abs", "invert", "round", "getitem", "setitem", "delitem", "call", "enter"),
    *("exit", "add", "radd", "iadd", "mul", "rmul", "imul", "truediv", "floordiv", "mod", "pow"),
    *("matmul", "rtruediv", "anext", "aiter"),
)
# Those whose argument may be the value that is expected: the other must be lent too.
_COMPARED = (
    *("eq", "ne", "lt", "le", "gt", "ge"),
    *("sub", "rsub", "isub", "xor", "rxor", "and", "rand", "or", "ror", "contains"),
)
SPECIAL = tuple(f"__{name}__" for name in (*_ASKED, *_COMPARED))
_LONE = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
_LISTS = {*dir(list), *dir(dict), *dir(collections.deque), "add", "discard"}
_OTHERS = {name for kind in (str, bytes, int, float, complex, tuple, set) for name in dir(kind)}


class StandIn:
    """Stands for an object of the other side.

    Its type, made in `stand_in`, has the special methods that the object's class defines.
    """

    __slots__ = ("_line", "_one", "_trusted")
    _line: Line
    _one: Numbered
    _trusted: int

    def __init__(self, line: Line, one: Numbered, trusted: int) -> None:
        """Stand for something.

        Args:
            trusted: 2: any method may be called; 1: none of texts, numbers and sets; 0: none that
                a built-in type has.
        """
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_one", one)
        object.__setattr__(self, "_trusted", trusted)

    def of_the_other_side(self) -> Numbered:
        """Which object it is."""
        return Numbered(self._one.whose, self._one.number)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name not in ("__name__", "__doc__"):
            raise AttributeError(name)
        value = self._line.ask(GET, self._one.number, name)
        refused = (_OTHERS - _LISTS, _OTHERS | _LISTS)[self._trusted == 0]
        if isinstance(value, StandIn) and name in refused and self._trusted < 2:
            raise AttributeError(name)
        return value

    def ask_special(
        self, name: str, guarded: bool, arguments: tuple[object, ...], named: dict[str, object]
    ) -> object:
        """Ask for what a special method returns.

        Args:
            guarded: Whether an argument may be the value that is expected.
        """
        lent = all(isinstance(one, StandIn) for one in arguments)
        # Only what the check has made itself, of a class, is trusted with a value.
        trusted = self._trusted == 2 and name not in _LONE
        if guarded and not trusted and (not lent or not self._trusted):
            return _unequal(name)
        if name == "__exit__":
            arguments = (None, None, None)
        asked = "" if name == "__call__" else name
        value = self._line.ask(CALL, self._one.number, asked, arguments, named)
        # What the check has asserted is not swallowed.
        return False if name == "__exit__" else value

    def __setattr__(self, name: str, value: object) -> None:
        self._line.ask(SET, self._one.number, name, (value,))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StandIn):
            return self._one[:2] == other._one[:2]
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._one[:2])

    def __instancecheck__(self, one: object) -> bool:
        if not isinstance(one, StandIn):
            return False
        # An object of the program; the class is known by its name.
        return type(one).__name__ == self._one.kind


def stand_in(line: Line, one: Numbered, trusted: int) -> StandIn:
    """What stands for an object."""
    methods: dict[str, object] = {"__slots__": ()}
    for name in one.methods:
        if name in SPECIAL:
            methods[name] = _special(name)
    if "__eq__" in methods:
        methods.setdefault("__hash__", StandIn.__hash__)
    return type(one.kind or "function", (StandIn,), methods)(line, one, trusted)


def _special(name: str) -> Callable[..., object]:
    guarded = name[2:-2] in _COMPARED

    def ask(self: StandIn, *arguments: object, **named: object) -> object:
        return self.ask_special(name, guarded, arguments, named)

    return ask


def _unequal(name: str) -> object:
    if name == "__contains__":
        raise TypeError("a value is looked for in what is no plain data")
    return NotImplemented


def special_methods(value: object) -> tuple[str, ...]:
    """The special methods that an object's class defines."""
    kind = type(value)
    return tuple(
        name
        for name in SPECIAL
        if getattr(kind, name, None) is not None
        and getattr(kind, name) is not getattr(object, name, None)
    )


def exceptions() -> dict[str, type[Exception]]:
    """The built-in exceptions that can be made of a text."""
    found: dict[str, type[Exception]] = {}
    for name, one in vars(builtins).items():
        if isinstance(one, type) and issubclass(one, Exception):
            try:
                one("text")
            except TypeError:
                continue
            found[name] = one
    return found
