"""Reads the rows of a file of one's own: JSON lines, JSON, CSV and Parquet, gzipped or not.

Every row carries the place it was read from. What cannot be read is a UserError of one line, and
no row is passed over but blank lines of text. What the columns mean: columns.py.

Rows are counted as a person sees them: JSON lines by line; CSV as a spreadsheet does, in which the
header is row 1; JSON arrays and Parquet from 1.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from tasks.errors import UserError
from tasks.problems.source import Record, object_of, short
from tasks.rows import Json

if TYPE_CHECKING:
    import pyarrow as pa

# A line of JSON, or a field of CSV, is no longer: tests of one program are some megabytes at most.
MAX_LINE = 64 * 2**20
# A file of one JSON array is held in memory, at some times its size.
MAX_JSON = 2**30
_DELIMITERS = ",;\t"
_UNREADABLE = (OSError, EOFError, zlib.error)


def read_records(path: Path) -> Iterator[Record]:
    """Yield the rows of a file in its order.

    Raises:
        UserError: The file is of no known kind, or it or a row of it cannot be read.
    """
    reader = _READERS.get(kind_of(path))
    if reader is None:
        raise UserError(
            f"{path}: expected a file that ends in {', '.join(_READERS)} (or those .gz)"
        )
    yield from reader(path)


def kind_of(path: Path) -> str:
    """The ending that says how a file is read, or "" for another file."""
    name = path.name.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    if ending not in _READERS or (ending == ".parquet" and name.endswith(".gz")):
        return ""
    return ending


def _json_lines(path: Path) -> Iterator[Record]:
    for number, raw in _lines(path):
        if raw.strip():
            place = f"{path} line {number}"
            try:
                yield object_of(_decoded(raw, place), str(path), number, _once)
            except _Twice as error:
                raise UserError(f"{place}: expected each field once, not {error} twice") from None


class _Twice(Exception):
    """A field of an object that comes twice, of which JSON readers would drop the first."""


def _once(pairs: list[tuple[str, object]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(short(next(name for name in names if names.count(name) > 1)))
    return found


def _json(path: Path) -> Iterator[Record]:
    """A JSON array of objects; a file of this ending with an object first is JSON lines."""
    if _first_byte(path) != b"[":
        yield from _json_lines(path)
        return
    raw = b"".join(line for _, line in _lines(path, MAX_JSON))
    if len(raw) > MAX_JSON:
        raise UserError(f"{path}: expected at most {_size(MAX_JSON)} of JSON; use JSON lines")
    try:
        values = json.loads(_decoded(raw, str(path)), object_pairs_hook=_once)
    except _Twice as error:
        raise UserError(f"{path}: expected each field of a row once, not {error} twice") from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {error.lineno}: expected a JSON array ({error.msg} at column "
            f"{error.colno})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected a JSON array ({_first_line(error)})") from None
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise UserError(f"{path} row {number}: expected an object, not {short(value)}")
        yield Record(value, str(path), number, "row")


def _first_byte(path: Path) -> bytes:
    for _, raw in _lines(path):
        if text := raw.removeprefix(b"\xef\xbb\xbf").lstrip():
            return text[:1]
    return b""


def _csv(path: Path) -> Iterator[Record]:
    """Comma, semicolon or tab between fields, whichever the header uses."""
    csv.field_size_limit(MAX_LINE)  # Python's own is 131,072 characters
    text = (_decoded(raw, f"{path} line {n}") for n, raw in _lines(path))
    first = next((line for line in text if line.strip()), "")
    if not first:
        raise UserError(f"{path}: expected a header with the names of the columns, not nothing")
    delimiter = max(_DELIMITERS, key=first.count)
    rows = _parsed(_joined(first, text), delimiter, path)
    header = [name.strip() for name in next(rows)]
    for name in header:
        if header.count(name) > 1:
            raise UserError(
                f"{path} row 1: expected each column once, not {short(name)} "
                f"{header.count(name)} times"
            )
    for number, row in enumerate(rows, start=2):
        at = Record({}, str(path), number, "row", "column")
        if not row:  # a blank line
            continue
        if len(row) != len(header):
            raise UserError(
                f"{at.place}: expected {len(header)} fields, as the header has, not {len(row)}"
            )
        yield Record(dict(zip(header, row, strict=True)), str(path), number, "row", "column")


def _joined(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _parsed(lines: Iterable[str], delimiter: str, path: Path) -> Iterator[list[str]]:
    reader, number = csv.reader(lines, delimiter=delimiter, strict=True), 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(
                f"{path} row {number}: expected CSV whose quotes are closed and doubled inside "
                f"({error}, line {reader.line_num})"
            ) from None
        yield row


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({_first_line(error)})") from None
    with file:
        names, number = file.schema_arrow.names, 0
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"{path}: expected each column once, not {short(name)} twice")
        batches = file.iter_batches(batch_size=1024)
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (pa.ArrowException, OSError, ValueError) as error:
                raise UserError(
                    f"{path} row {number + 1}: cannot be read as Parquet ({_first_line(error)})"
                ) from None
            for place in range(batch.num_rows):
                number += 1
                at = Record({}, str(path), number, "row", "column")
                yield Record(_cells(batch, place, at), at.file, number, "row", "column")


def _cells(batch: pa.RecordBatch, place: int, at: Record) -> Json:
    """A row; a value that Python has no form of is named by its column."""
    cells: Json = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            cells[name] = column[place].as_py()
        except (ValueError, OverflowError, ArithmeticError) as error:  # UnicodeDecodeError is one
            raise UserError(
                f"{at.place}: column {name!r}: expected a value that can be read "
                f"({_first_line(error)})"
            ) from None
    return cells


def _lines(path: Path, limit: int = MAX_LINE) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(limit + 1):
                number += 1
                if len(raw) > limit:
                    raise UserError(
                        f"{path} line {number}: expected a line of at most {_size(limit)}"
                    )
                yield number, raw
    except _UNREADABLE as error:
        _unreadable(path, number + 1, error)


def _opened(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _unreadable(path: Path, line: int, error: BaseException) -> NoReturn:
    raise UserError(f"{path} line {line}: cannot be read ({_first_line(error)})") from None


def _decoded(raw: bytes, place: str) -> str:
    """Text without the mark at its start that some programs write."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{place}: expected UTF-8 text, not the byte 0x{raw[error.start]:02x} at column "
            f"{error.start - raw.rfind(chr(10).encode(), 0, error.start)}"
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:160] or type(error).__name__


def _size(limit: int) -> str:
    return f"{limit // 2**20} MB"


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}
