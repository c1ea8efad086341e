"""Facts that steps leave as JSON: a dataclass each, written and read by its owner alone.

A field that is missing, misspelt or of another type is an error that names the file and the field,
never a silent 0 or None. A field that came later has a default, which old files get.
"""

from __future__ import annotations

import json
import stat
from dataclasses import MISSING, asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Self,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from tasks.errors import StepError
from tasks.rows import Json

_T = TypeVar("_T")
# Facts are small; what is larger was not written by their owner.
_MOST_BYTES = 256_000_000


def is_object(value: object) -> TypeGuard[Json]:
    """Whether JSON is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether JSON is a list."""
    return isinstance(value, list)


class WrongFacts(StepError, ValueError):
    """JSON that is not of the form that its owner writes."""

    def __init__(self, text: str) -> None:
        """In one line, whatever stands in the file."""
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def read_json(path: Path, most: int = _MOST_BYTES) -> object:
    """The JSON of a file, whatever is in its place.

    Args:
        path: Of the file.
        most: Bytes; a larger file is not read.

    Raises:
        OSError: it is not there, or is not to be read.
        WrongFacts: it is no file, too large, or not JSON in UTF-8.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise WrongFacts(f"{path}: expected a file")
    if found.st_size > most:
        raise WrongFacts(f"{path}: {found.st_size:,} bytes; expected at most {most:,}")
    return parse_json(path.read_bytes(), str(path))


def parse_json(raw: bytes | str, place: str) -> object:
    """JSON in UTF-8.

    Args:
        raw: The text.
        place: Where it is from, for messages.

    Raises:
        WrongFacts: naming the place.
    """
    try:
        return json.loads(raw)
    except RecursionError:
        raise WrongFacts(f"{place}: not JSON: nested too deep") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise WrongFacts(f"{place}: not JSON: {error}") from None


class Facts:
    """A dataclass with a form in JSON.

    Attributes:
        SPARSE: Fields that are not written while they have their default.
        STRICT: Whether a field that the dataclass has not is an error; otherwise it is passed over.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ()
    STRICT: ClassVar[bool] = True

    def to_json(self) -> dict[str, object]:
        """The fields by name; facts among them in their own form."""
        found = {one: getattr(self, one.name) for one in fields(self)}  # type: ignore
        return {
            one.name: _plain(value)
            for one, value in found.items()
            if one.name not in self.SPARSE or value != one.default
        }

    @classmethod
    def from_json(cls, data: object, place: str = "") -> Self:
        """The inverse of `to_json`.

        Args:
            data: What `json.loads` gave.
            place: File it is from, for messages.

        Raises:
            WrongFacts: naming the place and the field.
        """
        return cast(Self, _dataclass(cls, data, place or cls.__name__))


class FactsFile(Facts):
    """Facts that are a file of an artifact."""

    FILE: ClassVar[str]

    def write(self, folder: Path) -> None:
        """Write the file into a folder."""
        (folder / self.FILE).write_text(
            json.dumps(self.to_json(), indent=1, sort_keys=True), encoding="utf-8"
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the file of a folder.

        Raises:
            WrongFacts: naming the file and the field.
        """
        return cls.from_json(read_json(folder / cls.FILE), cls.FILE)


def of_json(kind: type[_T], data: object, place: str) -> _T:
    """JSON as a value of a type.

    Args:
        kind: A dataclass, an enum, str, int, float, bool, Literal, list, dict or X | None.
        data: What `json.loads` gave.
        place: File it is from, for messages.

    Raises:
        WrongFacts: naming the place and the field.
    """
    return cast(_T, _of(kind, data, place))


def _of(kind: object, data: object, place: str) -> object:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType) and NoneType in inner:
        [other] = [one for one in inner if one is not NoneType]
        return None if data is None else _of(other, data, place)
    if origin is Literal and data in inner:
        return data
    if isinstance(kind, type) and issubclass(kind, Facts):
        return kind.from_json(data, place)
    if isinstance(kind, type) and issubclass(kind, Enum) and data in list(kind):
        return kind(data)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, data, place)
    if origin is dict and isinstance(data, dict):
        return {name: _of(inner[1], one, f"{place}: {name}") for name, one in data.items()}
    if origin in (list, tuple) and isinstance(data, list):
        found = [_of(inner[0], one, f"{place}: {at}") for at, one in enumerate(data)]
        return found if origin is list else tuple(found)
    if kind in (Any, object) or type(data) is kind or (kind is float and type(data) is int):
        return data
    name = getattr(kind, "__name__", kind) if origin is None else kind
    raise WrongFacts(f"{place}: {data!r:.80}; expected {name}")


def _plain(value: object) -> object:
    if isinstance(value, Facts):
        return value.to_json()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _dataclass(kind: type, data: object, place: str) -> object:
    if not isinstance(data, dict):
        raise WrongFacts(f"{place}: {data!r:.80}; expected {kind.__name__}")
    known = {one.name: one for one in fields(kind)}
    if unknown := data.keys() - known.keys():
        if getattr(kind, "STRICT", True):
            raise WrongFacts(f"{place}: {min(unknown)}: expected one of {', '.join(known)}")
        data = {name: data[name] for name in known if name in data}
    for name, one in known.items():
        if name not in data and one.default is MISSING and one.default_factory is MISSING:
            raise WrongFacts(f"{place}: {name} is missing")
    hints = _hints(kind)
    return kind(**{name: _of(hints[name], one, f"{place}: {name}") for name, one in data.items()})


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)
