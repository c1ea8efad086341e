"""Arguments and values of a call as JSON."""

# What is narrowed from any value is a list or dict of unknown things.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
from typing import Any


def numbered(value: object) -> object:
    """An argument with whole numbers as keys where JSON made texts of them all.

    APPS was written so; `wrap` says that a job is of APPS.
    """
    if isinstance(value, dict) and value and all(key.lstrip("-").isdigit() for key in value):
        return {int(key): one for key, one in value.items()}
    return value


def json_text(value: object) -> bytes:
    """The text of a value.

    Raises:
        TypeError: it is no plain data, nor of numpy.
    """
    try:
        return json.dumps(value, default=_plain).encode()
    except TypeError:  # numpy's numbers as keys
        return json.dumps(_plain_keys(value), default=_plain).encode()


def _plain(value: Any) -> object:
    """What numpy's numbers and arrays hold."""
    if type(value).__module__ == "numpy":
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _plain_keys(value: object) -> object:
    if isinstance(value, dict):
        return {_plain_key(key): _plain_keys(one) for key, one in value.items()}
    return [_plain_keys(one) for one in value] if isinstance(value, list | tuple) else value


def _plain_key(key: Any) -> Any:
    return key.item() if type(key).__module__ == "numpy" else key
