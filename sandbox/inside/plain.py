"""Plain data as text, for what crosses between a check and the program that it calls.

JSON, and beyond it tuples, sets, dates, fractions, decimals, bytes, complex numbers, ranges, queues
and dictionaries with any keys: each is an object of one field that names its type. Reading makes
objects of exactly these types, so no code of the one side ever runs in the other. What is no plain
data has a number, by which the one side asks the other for it: see lending.py.
"""

# What is narrowed from any value is a list or dict of unknown things.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUntypedNamedTuple=false
from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
from collections.abc import Callable
from typing import Any, NamedTuple

_WRITTEN = (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction)
_Exact = datetime.date | datetime.time | datetime.timedelta | decimal.Decimal | fractions.Fraction
_READ: dict[str, Callable[[Any], object]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda held: datetime.timedelta(*held),
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda held: complex(*held),
    "range": lambda held: range(*held),
    "slice": lambda held: slice(*held),
}
_KINDS: dict[str, Callable[[Any], object]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
}
_VIEWS = (type({}.keys()), type({}.values()), type({}.items()))


def _written(value: _Exact) -> object:
    if isinstance(value, datetime.timedelta):
        return [value.days, value.seconds, value.microseconds]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


class Numbered(NamedTuple):
    """What is no plain data: whose it is, its number there, and what may be asked of it."""

    whose: str
    number: int
    kind: str = ""
    methods: tuple[str, ...] = ()


def write_plain(value: object, lend: Callable[[object], Numbered] | None = None) -> bytes:
    """The text of a value; instances of subclasses become what they hold.

    Args:
        lend: Gives a number to what is no plain data.

    Raises:
        TypeError: it is, or holds, something that is not plain data, and nobody lends.
    """
    return json.dumps(_pack(value, lend)).encode()


def read_plain(text: bytes, find: Callable[[Numbered], object] | None = None) -> Any:
    """The value of a text.

    Args:
        find: What stands for something that has a number.

    Raises:
        ValueError: the text is not one that `write_plain` writes.
    """
    try:
        return _unpack(json.loads(text), find)
    except (TypeError, RecursionError, ArithmeticError, LookupError) as error:
        raise ValueError(str(error)) from None  # a list as a key; nesting beyond reason


def _pack(value: object, lend: Callable[[object], Numbered] | None) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_pack(one, lend) for one in value]
    if isinstance(value, dict):
        return {"dict": [[_pack(key, lend), _pack(one, lend)] for key, one in value.items()]}
    if isinstance(value, bytes | bytearray):
        return {"bytes" if isinstance(value, bytes) else "bytearray": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, _WRITTEN):
        # Of a class of the program's own: as what it holds, under the name of that.
        kind = next(one for one in type(value).__mro__ if one.__name__ in _READ)
        return {kind.__name__: _written(value)}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, slice):
        return {"slice": [_pack(one, lend) for one in (value.start, value.stop, value.step)]}
    fields: object = getattr(value, "_fields", None)
    if isinstance(value, tuple) and isinstance(fields, tuple):
        names = [*map(str, fields)]
        return {"named": [type(value).__name__, names, [_pack(one, lend) for one in value]]}
    if isinstance(value, _VIEWS):
        return [_pack(one, lend) for one in value]
    for kind in (tuple, set, frozenset, collections.deque):
        if isinstance(value, kind):
            return {kind.__name__: [_pack(one, lend) for one in value]}
    if type(value).__module__ == "numpy" and (listed := getattr(value, "tolist", None)):
        return _pack(listed(), lend)  # as lists, which is what checks compare with
    if lend is None:
        raise TypeError(f"{type(value).__name__} is not plain data")
    return {"numbered": [*lend(value)]}


def _unpack(data: object, find: Callable[[Numbered], object] | None) -> object:
    if isinstance(data, list):
        return [_unpack(one, find) for one in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise ValueError("an object with other than one field")
    ((name, held),) = data.items()
    if name == "dict":
        return {_unpack(key, find): _unpack(one, find) for key, one in held}
    if name in _READ:
        return _READ[name](held)
    if name == "numbered" and find is not None:
        whose, number, kind, methods = held
        return find(Numbered(str(whose), int(number), str(kind), tuple(map(str, methods))))
    if name == "named":
        kind, fields, values = held
        made = collections.namedtuple(str(kind), fields, rename=True)
        return made(*(_unpack(one, find) for one in values))
    if name not in _KINDS or not isinstance(held, list):
        raise ValueError("an object of no known type")
    return _KINDS[name](_unpack(one, find) for one in held)
