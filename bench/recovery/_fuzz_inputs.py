"""Hostile inputs out of good ones: JSON that is changed in its structure, then in its bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

# What stands where something else is expected.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**300), 0.5, -0.0, 1e308, 1e-308),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "a", "0", "null", "\0", "a\0b", "\n"),
    *("../../outside", "..", ".", "/", "/etc/passwd", "~", "~root/x", "~nosuchuser/x", "$HOME"),
    *("//etc", "file:///etc", "file:/etc", "a/../../b", "a\\..\\b", "C:\\x", "CON", "s3://b/../c"),
    *("http://x", "http://a@b:1", "http://[::1", "::", "hf://a/b", "memory://x", "data:,x"),
    *("embedded:", "embedded:/etc", "embedded:..", "package:", "package:os", "package:..x"),
    *("openai:", "openai:x", "import:", "import:../x", "latest", "latest:0", "latest:-1", ":"),
    *("x.py:f", "/etc/x.py:f", "os:system", "a.b:c", "a:1", "~/x.py:f", "~nosuchuser/x.py:f"),
    *("\U0001d518", "\u0130", "\ufb00", "\u202e", "\ufeff", "e\u0301", "\u2028"),
    *("\ud800", "\udfff\ud800", "\x1b[31m", "\x7f", "%00", "%2e%2e%2f", "{config.name}", "{0}"),
    *("x" * 255, "x" * 256, "é" * 200, "x" * 4096, "x" * 4097, "y" * 100_000, "/" * 3000),
    *("a/" * 2000, [], {}, [[]], [None], {"": None}, {"a": {"a": {}}}, ["x"] * 1000, [0] * 5000),
    *({"$ref": "x"}, {"__prefect_kind": "json", "value": "{"}, {str(n): n for n in range(500)}),
)
_TEXTS = [one for one in VALUES if isinstance(one, str)]
_TOKENS = (
    *(b"NaN", b"-Infinity", b"1e9999", b"-", b"00", b"0x1", b'"\\ud800"', b"\\u0000", b"\xff\xfe"),
    *(b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"{", b"}", b"[", b"]", b",", b":"),
    *(b'"', b"\\", b"\r\n", b"\n\n", b"//", b"/*", b"'", b"null", b"[" * 3000, b'{"a":' * 2000),
    *(b"9" * 5000, b" " * 5000, b"\x1b]0;x\x07", b"\xe2\x80\xa8"),
)


def deep(random: Random) -> Any:
    """Lists and objects in one another, deeper than recursion goes or nearly."""
    value: Any = random.choice((None, 0, "a"))
    for _ in range(random.choice((5, 50, 300))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def hostile(random: Random) -> Any:
    """A value that nobody expects."""
    return deep(random) if random.random() < 0.03 else copy.deepcopy(random.choice(VALUES))


def changed(seed: Any, random: Random, times: int = 0) -> Any:
    """A copy of JSON with some of its parts changed.

    Args:
        times: How many; 0: one to four, mostly one.
    """
    found = copy.deepcopy(seed)
    for _ in range(times or random.choice((1, 1, 1, 2, 4))):
        found = _changed(found, random)
    return found


def _changed(seed: Any, random: Random) -> Any:
    places = _places(seed)
    if not places or random.random() < 0.02:
        return hostile(random)
    holder, key = random.choice(places)
    _CHANGES[random.randrange(len(_CHANGES))](holder, key, random)
    return seed


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, key or index) in JSON."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            keys = list(one) if isinstance(one, dict) else range(len(one))
            found += [(one, key) for key in keys]
            waiting += [one[key] for key in keys]
    return found


def _replace(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder[key], str) and random.random() < 0.7:  # what passes for what it was
        holder[key] = random.choice(_TEXTS)
    else:
        holder[key] = hostile(random)


def _remove(holder: Any, key: Any, random: Random) -> None:
    del holder[key]


def _add(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), hostile(random))
    else:
        name = random.choice((*map(str, holder), *(v for v in VALUES if isinstance(v, str))))
        holder[name[:300]] = hostile(random)


def _rename(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, dict):
        name = random.choice((key.upper(), f" {key}", f"{key}\0", key[:-1], f"{key}.{key}", ""))
        holder[name] = holder.pop(key)


def _swap(holder: Any, key: Any, random: Random) -> None:
    other = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def _wrap(holder: Any, key: Any, random: Random) -> None:
    holder[key] = [holder[key]] if random.random() < 0.5 else {str(key): holder[key]}


def _retype(holder: Any, key: Any, random: Random) -> None:
    value = holder[key]
    holder[key] = random.choice((str(value)[:300], [value, value], bool(value), {"value": value}))


def _grow(holder: Any, key: Any, random: Random) -> None:
    value = holder[key]
    if isinstance(value, str):
        holder[key] = random.choice((value + "\0", value + "/../x", f" {value}", value[:-1]))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = random.choice((value + 1, -value, value + 0.5, str(value)))


_CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (
    *(_replace, _replace, _replace, _remove, _add, _rename, _swap, _wrap, _retype, _grow, _grow),
)


def written(value: Any) -> bytes:
    """JSON as bytes, with what JSON itself has not (NaN, lone surrogates)."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 2000


def torn(raw: bytes, random: Random) -> bytes:
    """Bytes with some of them changed, left out, doubled or put elsewhere."""
    data = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 1, 4, 40)))
        way = random.randrange(6)
        if way == 0:
            data[at:end] = bytes(random.randrange(256) for _ in range(end - at))
        elif way == 1:
            del data[at:end]
        elif way == 2:
            data[at:at] = random.choice(_TOKENS)
        elif way == 3:
            data[at:at] = data[at:end] * random.choice((1, 2, 50))
        elif way == 4:
            del data[at:]
        elif data:
            data[at % len(data)] ^= 1 << random.randrange(8)
    return bytes(data)
