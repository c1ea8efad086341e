"""Plain data as text, for what crosses between a check and the program that it calls.

JSON, and beyond it tuples, sets, dates, fractions, decimals, bytes, complex numbers and
dictionaries with any keys: each is an object of one field that names its type. Reading makes
objects of exactly these built-in types, so no code of the one side ever runs in the other.
"""

# What is narrowed from any value is a list or dict of unknown things.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import datetime
import decimal
import fractions
import json
from collections.abc import Callable
from typing import Any

_WRITTEN = (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction)
_READ: dict[str, Callable[[Any], object]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda held: datetime.timedelta(*held),
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
}


def _written(value: Any) -> object:
    if isinstance(value, datetime.timedelta):
        return [value.days, value.seconds, value.microseconds]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def write_plain(value: object) -> bytes:
    """The text of a value; instances of subclasses become what they hold.

    Raises:
        TypeError: it is, or holds, something that is not plain data.
    """
    return json.dumps(_pack(value)).encode()


def read_plain(text: bytes) -> Any:
    """The value of a text.

    Raises:
        ValueError: the text is not one that `dump` writes.
    """
    try:
        return _unpack(json.loads(text))
    except (TypeError, RecursionError) as error:  # a list as a key; nesting beyond reason
        raise ValueError(str(error)) from None


def _pack(value: Any) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_pack(one) for one in value]
    if isinstance(value, dict):
        return {"dict": [[_pack(key), _pack(one)] for key, one in value.items()]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, _WRITTEN):
        return {type(value).__name__: _written(value)}
    for kind in (tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [_pack(one) for one in value]}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _pack(value.tolist())  # as lists, which is what checks compare with
    raise TypeError(f"{type(value).__name__} is not plain data")


def _unpack(data: Any) -> Any:
    if isinstance(data, list):
        return [_unpack(one) for one in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise ValueError("an object with other than one field")
    ((name, held),) = data.items()
    if name == "bytes":
        return bytes.fromhex(held)
    if name == "complex":
        return complex(*held)
    if name == "dict":
        return {_unpack(key): _unpack(one) for key, one in held}
    if name in _READ:
        return _READ[name](held)
    kinds: dict[str, type] = {"tuple": tuple, "set": set, "frozenset": frozenset}
    if name not in kinds or not isinstance(held, list):
        raise ValueError("an object of no known type")
    return kinds[name](_unpack(one) for one in held)
