"""What a back-up is: a folder, or a tar archive of it, with the hashes of all its files.

    manifest.json       this form, first in an archive
    prefect/prefect.db  Prefect's database on SQLite: flow runs, deployments, automations
    runs/, results/     journals and reports; Prefect's records
    store/              whole artifacts, where they were asked for

Not in it: the secret (`restem up` makes one in each home), environments of engines, caches, drafts.
A back-up is data: what is read of it is a name inside these places and bytes of a known hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from tasks.facts import Facts, WrongFacts

MANIFEST, DATABASE = "manifest.json", "prefect/prefect.db"
PREFECT, RUNS, RESULTS, STORE = "prefect", "runs", "results", "store"
FORM = 1
# Of a million files; what is larger is no manifest of ours.
MANIFEST_BYTES = 256 * 2**20
_ARCHIVES = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class BackedFile(Facts):
    """A file of a back-up; `name` is its path in a home, with slashes."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class BackupManifest(Facts):
    """All that is said of a back-up.

    Attributes:
        form: Version of this form.
        made: Unix time.
        restem: Version that made it.
        home: Where it was made.
        left_out: Damaged artifacts and records that are not in it, with the reason.
    """

    STRICT: ClassVar[bool] = False

    form: int
    made: float
    restem: str
    home: str
    files: tuple[BackedFile, ...]
    left_out: tuple[str, ...] = ()

    def check(self, place: str) -> None:
        """See that all names are inside the places of a home, and each stands once.

        Raises:
            WrongFacts: naming the file.
        """
        if self.form != FORM:
            raise WrongFacts(f"{place}: form {self.form}; expected {FORM}, of this version")
        seen: set[str] = set()
        for file in self.files:
            if not is_inside(file.name) or file.bytes < 0:
                raise WrongFacts(f"{place}: {file.name!r:.80}: not a file of a home")
            if file.name in seen:
                raise WrongFacts(f"{place}: {file.name!r:.80}: stands twice")
            seen.add(file.name)

    def counted(self) -> BackupFacts:
        """What is in it, for people."""
        names = [file.name.split("/") for file in self.files]
        return BackupFacts(
            runs=len({parts[1] for parts in names if parts[0] == RUNS}),
            records=sum(parts[0] == RESULTS for parts in names),
            artifacts=sum(parts[0] == STORE and parts[3:] == [MANIFEST] for parts in names),
            database=any(file.name == DATABASE for file in self.files),
            bytes=sum(file.bytes for file in self.files),
            left_out=list(self.left_out),
        )


@dataclass(frozen=True)
class BackupFacts:
    """What is in a back-up."""

    runs: int
    records: int
    artifacts: int
    database: bool
    bytes: int
    left_out: list[str]

    def __str__(self) -> str:
        database = "the database, " if self.database else "no database, "
        return (
            f"{database}{self.runs} runs, {self.records} records, {self.artifacts} artifacts, "
            f"{self.bytes / 1e6:,.1f} MB"
        )


def is_archive(path: Path) -> bool:
    """Whether a back-up of this name is one file."""
    return path.name.endswith(_ARCHIVES)


def is_inside(name: str) -> bool:
    """Whether a name is that of a file in one of the places that a back-up has."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and name.isprintable()
    if not plain or "\\" in name or PurePosixPath(name).is_absolute():
        return False
    return name == DATABASE or (parts[0] in (RUNS, RESULTS, STORE) and len(parts) > 1)
