"""Where the rows of a data set come from, and how a bad one is named.

A data set is looked for in the place the user names (a folder, a JSON-lines file, a Hub id), else
in the folder RESTEM_DATA names, else on the Hugging Face Hub. Every row carries the place it was
read from, so that an error says file, line and field. What the fields mean is the business of each
data set's own module.

Not covered: JSON arrays, CSV and Parquet files of one's own (the Hub's Parquet is `datasets`' job).
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tasks.errors import UserError
from tasks.hub import Repository, repository
from tasks.problems.hub import fetch_file, hub_tables
from tasks.rows import Json, Row

ENDINGS = (".jsonl", ".jsonl.gz")
# A quoted value longer than this hides the rest of a one-line message.
_SHOWN = 60


@dataclass(frozen=True)
class Record:
    """One raw row and where it stands.

    Attributes:
        data: The JSON object.
        file: File or Hub data set it was read from.
        line: Line in the file, or row on the Hub, counted from 1.
        unit: What `line` counts, for messages.
        column: What a field is called there.
    """

    data: Json
    file: str
    line: int
    unit: str = "line"
    column: str = "field"

    @property
    def place(self) -> str:
        """File and row, for messages."""
        return f"{self.file} {self.unit} {self.line}"

    def fail(self, field: str, expected: str) -> NoReturn:
        """Raise the UserError that names this row's place, the field and what was expected."""
        given = short(self.data[field]) if field in self.data else "nothing"
        raise UserError(f"{self.place}: {self.column} {field!r}: expected {expected}, not {given}")

    def text(self, *fields: str) -> str:
        """The non-empty text in the first of `fields` that the row has."""
        field = self._present(fields)
        value = self.data.get(field)
        if not isinstance(value, str) or not value.strip():
            self.fail(field, "non-empty text")
        return value.strip()

    def optional(self, *fields: str) -> str:
        """Like `text`, but empty where the field is absent, null or empty."""
        field = self._present(fields)
        value = self.data.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fail(field, "text")
        return value.strip()

    def number(self, *fields: str) -> str:
        """A finite number, given as a number or as text, in its shortest plain form."""
        field = self._present(fields)
        value = self.data.get(field)
        if isinstance(value, str):
            try:
                value = float(value.replace(",", ""))
            except ValueError:
                self.fail(field, "a number")
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(field, "a number")
        if not math.isfinite(value):
            self.fail(field, "a finite number")
        return str(int(value)) if value == int(value) else repr(value)

    def split(self, asked: str) -> str:
        """The row's own split; a row that names none belongs to the split that is asked for."""
        return self.optional("split") or asked

    def _present(self, fields: Sequence[str]) -> str:
        return next((field for field in fields if field in self.data), fields[0])


@dataclass(frozen=True)
class Origin:
    """The places of one data set.

    Attributes:
        name: The data set's name in the configuration.
        hub: Its own Hub id.
        configs: Its configurations on the Hub, all of which are read; empty: the default one.
        files: Names a file may have without its ending; `{split}` is filled in.
        layout: A folder layout that the data set's own module looks for first; for messages.
        hub_file: A JSON-lines file in its own Hub repository, which is then downloaded and read as
            such: `datasets` refuses repositories that have a loading script beside it.
    """

    name: str
    hub: str
    configs: tuple[str, ...]
    files: tuple[str, ...]
    layout: str = ""
    hub_file: str = ""

    def records(self, split: str, source: str) -> Iterator[Record]:
        """Yield the raw rows of a split from the first place that has it.

        Raises:
            UserError: The data set is nowhere, or a row cannot be read.
        """
        looked: list[str] = []
        path = self.locate(split, source, looked)
        if path is not None:
            yield from read_json_lines(path)
        else:
            yield from self.from_hub(split, source, looked)

    def numbered(self, split: str, source: str) -> Iterator[tuple[int, Record]]:
        """Yield `records` that do not name another split, each with its place among all of them."""
        return of_split(self.records(split, source), split)

    def locate(self, split: str, source: str, looked: list[str]) -> Path | None:
        """The file to read, or None for the Hub; what was tried is added to `looked`."""
        if source:
            path = Path(source).expanduser()
            if path.is_file():
                if not path.name.endswith(ENDINGS):
                    raise UserError(f"{path}: expected a folder, a .jsonl or a .jsonl.gz file")
                return path
            if path.is_dir():
                return self._inside(path, split, looked) or self._missing(split, looked)
            looked.append(f"the path {path}")
            if repository(source) is None:
                self._missing(split, looked)
            return None
        folder = os.environ.get("RESTEM_DATA", "")
        if not folder:
            looked.append("RESTEM_DATA (not set)")
            return None
        return self._inside(Path(folder).expanduser(), split, looked)

    def from_hub(self, split: str, source: str, looked: list[str]) -> Iterator[Record]:
        """Yield the rows of a split on the Hub; each row tells its configuration as `config`."""
        repo = repository(source or self.hub, kind="dataset")
        assert repo is not None  # `locate` looked
        hub = repo.id
        if self.hub_file and hub == self.hub:
            yield from read_json_lines(self._download(repo, split, looked))
            return
        try:
            tables = list(hub_tables(repo, split, self.configs if hub == self.hub else ()))
        except UserError:
            raise
        except Exception as error:
            self._unreached(hub, error, split, looked)
        for config, table in tables:
            place = f"{hub} ({config or 'default'}, {split})"
            for number, row in enumerate(table, start=1):
                yield Record({**row, "config": config}, place, number)

    def _download(self, repo: Repository, split: str, looked: list[str]) -> Path:
        try:
            return Path(fetch_file(repo, self.hub_file.format(split=split)))
        except Exception as error:
            self._unreached(self.hub, error, split, looked)

    def _unreached(self, hub: str, error: Exception, split: str, looked: list[str]) -> NoReturn:
        reason = str(error).strip().split("\n")[0][:160]
        looked.append(f"{hub} on the Hub ({type(error).__name__}: {reason})")
        self._missing(split, looked)

    def _inside(self, folder: Path, split: str, looked: list[str]) -> Path | None:
        names = [name.format(split=split) for name in self.files]
        for name in names:
            for ending in ENDINGS:
                if (folder / f"{name}{ending}").is_file():
                    return folder / f"{name}{ending}"
        said = [f"{name}.jsonl[.gz]" for name in names]
        if self.layout:
            said.append(self.layout.format(split=split))
        looked.append(f"{', '.join(said)} in {folder}")
        return None

    def _missing(self, split: str, looked: list[str]) -> NoReturn:
        raise UserError(
            f"{self.name}: no {split} split found; looked for {'; then '.join(looked)}. Set "
            "data.source (data.test_source for the test side) to a folder, a .jsonl or .jsonl.gz "
            "file or a Hub id that this machine reaches, or RESTEM_DATA to a folder with the file"
        )


def of_split(records: Iterable[Record], split: str) -> Iterator[tuple[int, Record]]:
    """Yield the records that do not name another split, each with its place among all of them."""
    return (one for one in enumerate(records) if one[1].split(split) == split)


def problem_row(
    name: str,
    split: str,
    own: object,
    domain: str,
    *,
    question: str,
    reference: str,
    solution: str = "",
    level: str = "",
    subject: str = "",
) -> Row:
    """A row of rows.PROBLEM; `own` tells it from others of its split and is the end of its id."""
    return {
        "id": f"{name}/{split}/{own}",
        "domain": domain,
        "question": question,
        "reference": reference,
        "solution": solution,
        "level": level,
        "subject": subject,
        "split": split,
    }


def read_json_lines(path: Path) -> Iterator[Record]:
    """Yield the objects of a JSON-lines file, gzipped or not; blank lines are passed over."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            for raw in file:
                number += 1
                if raw.strip():
                    yield parse_object(raw, str(path), number)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} line {number + 1}: cannot be read ({error})") from None


def parse_object(raw: bytes, file: str, line: int) -> Record:
    """Parse one JSON object that starts at `line` of `file`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} line {line}: expected UTF-8 text") from None
    return object_of(text, file, line)


def object_of(
    text: str, file: str, line: int, pairs: Callable[[list[tuple[str, object]]], Json] | None = None
) -> Record:
    """The same of text; `pairs` makes each object of its fields, as json.loads takes it."""
    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{file} line {line + error.lineno - 1}: expected a JSON object ({error.msg} at column "
            f"{error.colno})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} line {line}: expected a JSON object ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{file} line {line}: expected a JSON object, not {short(value)}")
    return Record(value, file, line)


def short(value: object) -> str:
    """A value as JSON, cut where a message would be too long."""
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except (ValueError, TypeError, RecursionError):  # too deep, or a number of too many digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def refuse_training(name: str, split: str, instead: str, why: str = "") -> None:
    """See that a data set for evaluation only is not trained on.

    Args:
        name: The data set.
        split: What is asked for.
        instead: A data set that may be.
        why: Added to the message, such as ", as its authors ask".

    Raises:
        UserError: Another split than test.
    """
    if split != "test":
        raise UserError(
            f"{name}: it is for evaluation only and has no {split} split{why}; expected another "
            f"data set to train on, such as {instead}"
        )


def check_generated(name: str, split: str, source: str, *, instead: str = "") -> None:
    """See that a data set which a program makes is asked for what it has.

    Args:
        name: The data set.
        split: What is asked for.
        source: Must be empty.
        instead: What to train on, for a data set that has only a test split.

    Raises:
        UserError: Another split than train or test, or a source; train, for evaluation only.
    """
    if split not in ("train", "test"):
        raise UserError(f"{name}: split {split!r}: expected train or test")
    if instead:
        refuse_training(name, split, instead)
    if source:
        raise UserError(f"data.source: {source!r}: {name} is made by a program; expected no source")
