"""Where one's own problems are: files by split, or a data set on the Hub.

A folder's files are told apart by their names (train.csv, data-test.parquet,
validation-00000-of-00002.parquet). A file whose name says no split is read whole, and its rows may
say theirs in a column.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tasks.errors import UserError
from tasks.hub import Repository, repository
from tasks.problems.hub import HubData, hub_data
from tasks.problems.own.hub_lines import hub_lines
from tasks.problems.own.records import kind_of, read_records
from tasks.problems.source import Record

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

SPLITS = ("train", "validation", "test")
ENDINGS = ".jsonl, .json, .csv, .tsv or .parquet, or one of the first four with .gz"
_USUAL = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Part:
    """Rows of one place.

    Attributes:
        split: That all of them are of; "" where they may say theirs in a column.
        place: File or Hub data set, for messages.
        records: The rows, read when they are asked for.
    """

    split: str
    place: str
    records: Iterable[Record]


@dataclass(frozen=True)
class SplitNames:
    """What the three splits are called; empty: the usual names."""

    train: str = ""
    validation: str = ""
    test: str = ""

    def split_of(self, name: str) -> str:
        """train, validation or test for a name of one, or "" for another."""
        own = {"train": self.train, "validation": self.validation, "test": self.test}
        for split, given in own.items():
            if given and given.casefold() == name.casefold():
                return split
        usual = (split for split in SPLITS if not own[split] and name.casefold() in _USUAL[split])
        return next(usual, "")

    def expected(self) -> str:
        """For messages."""
        return ", ".join(getattr(self, split) or " or ".join(_USUAL[split][:2]) for split in SPLITS)


@dataclass(frozen=True)
class Where:
    """A source as the configuration names it.

    Attributes:
        source: A file, a folder or a Hub id.
        field: Of the configuration, for messages.
        names: Of splits.
        config: Of a Hub data set.
        revision: Of a Hub data set.
        config_field: Of the configuration, for messages,
        split_fields: and those of the names of splits.
    """

    source: str
    field: str = "data.source"
    names: SplitNames = SplitNames()
    config: str = ""
    revision: str = ""
    config_field: str = "data.config"
    split_fields: str = "data.train_split and data.test_split"

    def parts(self) -> list[Part]:
        """All that is there, in a fixed order.

        Raises:
            UserError: There is nothing that can be read.
        """
        files = self.files()
        if files:
            return [self._part(file, len(files) > 1) for file in files]
        return list(self.hub_parts())

    def files(self) -> list[Path]:
        """The files that are read; none for a Hub id."""
        path = Path(self.source).expanduser()
        if path.is_dir():
            files = sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and kind_of(file) and not _hidden(file.relative_to(path))
            )
            if not files:
                raise UserError(f"{self.field}: {path}: expected files that end in {ENDINGS}")
            return files
        if path.exists():
            if not kind_of(path):
                raise UserError(f"{self.field}: {path}: expected a file that ends in {ENDINGS}")
            return [path]
        if self.repository() is None:
            raise UserError(
                f"{self.field}: {self.source!r} is not there; expected a file that ends in "
                f"{ENDINGS}, a folder of such files, or a Hub id (org/name or org/name@REVISION)"
            )
        return []

    def repository(self) -> Repository | None:
        """The data set of the Hub that is named; None for another text."""
        beside = "data.revision" if self.field.startswith("data.s") else "its revision"
        return repository(self.source, self.revision, "dataset", field=self.field, other=beside)

    def fingerprint(self) -> str:
        """What identifies the content: a hash of the files, or what is asked of the Hub."""
        digest = hashlib.sha256()
        root = Path(self.source).expanduser()
        files = self.files()
        if not files:
            return f"hub:{self.source}"
        for file in files:
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            # A name in a folder says the split; that of a single file says how it is read.
            name = str(file.relative_to(root)) if file != root else kind_of(file)
            digest.update(f"{name}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def _part(self, file: Path, several: bool) -> Part:
        words = _WORDS.findall(file.name.partition(".")[0])
        splits = {split for word in words if (split := self.names.split_of(word))}
        if several and len(splits) != 1:
            raise UserError(
                f"{self.field}: {file}: of several files each has to say its split in its name "
                f"({self.names.expected()})"
            )
        return Part(splits.pop() if several else "", str(file), read_records(file))

    def hub_parts(self) -> Iterator[Part]:
        """The splits of a data set on the Hub, read by `datasets`.

        Raises:
            UserError: It cannot be reached, or says too little of its configurations and splits.
        """
        import datasets

        repo = self.repository()
        assert repo is not None  # `files` looked
        data = hub_data(repo)
        try:
            config = self.config or _only_config(self, datasets, data)
            data.see_own_files(config)
            names = datasets.get_dataset_split_names(data.path, config, **data.more)
            known = {
                split: name for name in reversed(names) if (split := self.names.split_of(name))
            }
            if not known:
                if len(names) > 1:
                    raise UserError(
                        f"{self.field}: {self.source} has the splits {', '.join(names)}; say in "
                        f"{self.split_fields} which to use"
                    )
                known = {"": names[0]}
            tables = {
                split: datasets.load_dataset(data.path, config, split=name, **data.more)
                for split, name in known.items()
            }
            data.was_read()
        except UserError as error:
            raise UserError(f"{self.field}: {str(error).removeprefix(f'{self.field}: ')}") from None
        except Exception as error:
            if isinstance(error, RuntimeError) and "scripts are no longer" in str(error):
                yield from self._lines_of_hub(data)
                return
            reason = str(error).strip().split("\n")[0][:160]
            raise UserError(
                f"{self.field}: {self.source} is no file here and could not be read from the Hub "
                f"({type(error).__name__}: {reason})"
            ) from None
        for split in ("", *SPLITS):
            if split in tables:
                place = f"{self.source} ({config or 'default'}, {known[split]})"
                yield Part(split, place, _rows(tables[split], place))

    def _lines_of_hub(self, data: HubData) -> Iterator[Part]:
        """The files of a data set that would be read by a script; test2.jsonl is of test."""
        try:
            for name, place, records in hub_lines(data, self.config):
                split = self.names.split_of(name.partition(".")[0].rstrip("0123456789"))
                yield Part(split, place, records)
        except UserError as error:
            raise UserError(f"{self.field}: {error}") from None
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:160]
            raise UserError(
                f"{self.field}: {self.source} could not be read from the Hub "
                f"({type(error).__name__}: {reason})"
            ) from None


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _only_config(where: Where, datasets: ModuleType, data: HubData) -> str:
    names = datasets.get_dataset_config_names(data.path, **data.more)
    if len(names) > 1 and not {"main", "default"} & set(names):
        shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise UserError(
            f"{where.field}: {where.source} has several configurations; set {where.config_field} "
            f"to one of {shown}"
        )
    return next((name for name in ("main", "default") if name in names), names[0])


def _rows(table: Dataset | IterableDataset, place: str) -> Iterator[Record]:
    """Rows of a Hub data set; the names of classes in the place of their numbers."""
    named = {
        name: feature for name, feature in table.features.items() if hasattr(feature, "int2str")
    }
    for number, row in enumerate(table, start=1):
        for name, feature in named.items():
            if isinstance(row[name], int) and row[name] >= 0:
                row[name] = feature.int2str(row[name])
        yield Record(row, place, number, "row", "column")
