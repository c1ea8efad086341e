"""A folder that an export fills: whole and known by its mark, or not there.

The files are written into a draft beside the folder, and one rename puts it in place. The mark
(`restem.json`) says what was exported and names the files, so that the same thing may be exported
there again, and nothing that somebody else put there is lost.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import ClassVar

from tasks.durable import make_folders, sync_tree
from tasks.errors import StepError, UserError
from tasks.facts import FactsFile, WrongFacts
from tasks.store.draft_owner import draft_name
from tasks.store.files import put_in_place, sha256
from tasks.store.locks import alone

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DRAFT = ".restem-export"


@dataclass(frozen=True)
class Mark(FactsFile):
    """What an exported folder holds.

    Attributes:
        what: policy, adapter, rows, samples or pairs.
        run: Id of the run.
        iteration: Number of the policy; -1: every iteration's.
        files: SHA-256 of each file but this one, by its path in the folder.
    """

    FILE: ClassVar[str] = "restem.json"

    what: str
    run: str
    iteration: int
    files: dict[str, str]

    def same(self, other: Mark) -> bool:
        """Whether the other is an export of the same thing."""
        named = (self.what, self.run, self.iteration)
        return named == (other.what, other.run, other.iteration)

    def named(self) -> str:
        """For messages."""
        which = self.run if self.iteration < 0 else f"{self.run}:{self.iteration}"
        return f"{self.what} of {which}"


@contextlib.contextmanager
def exported(place: Path, mark: Mark) -> Iterator[Path]:
    """A draft to fill, which takes its place when the block ends well.

    Args:
        place: The folder, an absolute path.
        mark: What is exported; its `files` are found here.

    Raises:
        UserError: the folder holds something else, or cannot be written.
        StepError: the disk is full.
    """
    with _plainly(place):
        _may_write(place, mark)
        make_folders(place.parent)
        lock = place.with_name(f"{_DRAFT}-{place.name}.lock")
        with alone(lock, lambda: None):
            _sweep(place)
            draft = place.with_name(draft_name(f"{_DRAFT}-{place.name}"))
            draft.mkdir()
            try:
                yield draft
                seal(draft, mark)
                sync_tree(draft)
                _may_write(place, mark)
                put_in_place(draft, place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
                lock.unlink(missing_ok=True)


def seal(folder: Path, mark: Mark) -> None:
    """Write the mark of a folder that is filled."""
    Mark(mark.what, mark.run, mark.iteration, _digests(folder)).write(folder)


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {str(path.relative_to(folder)): sha256(path) for path in paths if path.name != Mark.FILE}


def _may_write(place: Path, mark: Mark) -> None:
    """See that nothing is lost when the folder is replaced."""
    if place.is_dir() and not any(place.iterdir()):
        return
    if not place.exists():
        return
    try:
        there = Mark.read(place)
    except (OSError, json.JSONDecodeError, WrongFacts):
        raise UserError(
            f"--to {place}: it is there and is no export; expected a new or empty folder"
        ) from None
    if not there.same(mark):
        raise UserError(
            f"--to {place}: it holds the {there.named()}; expected a new or empty folder, or an "
            f"earlier export of the {mark.named()}"
        )
    now = _digests(place)
    changed = sorted(name for name, found in now.items() if there.files.get(name) != found)
    if changed:
        raise UserError(
            f"--to {place}: {changed[0]} was put there or changed since it was exported and would "
            "be lost; expected the folder as it was exported"
        )


def _sweep(place: Path) -> None:
    """Put away what a kill left here; under the lock nobody else has a draft."""
    for path in place.parent.glob(f"{_DRAFT}-{escape(place.name)}~*"):
        if path.name.endswith(".old") and not place.exists():
            path.rename(place)  # killed between the two renames of `put_in_place`
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _plainly(place: Path) -> Iterator[None]:
    """What the system says of a place, in a line."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StepError(f"--to {place}: no room on the disk; nothing was exported") from None
        if error.errno in (
            errno.EACCES,
            errno.EPERM,
            errno.EROFS,
            errno.ENOTDIR,
            errno.EEXIST,
            errno.ENAMETOOLONG,
        ):
            raise UserError(
                f"--to {place}: it cannot be written ({os.strerror(error.errno)}); expected a "
                "folder that you may write"
            ) from None
        raise
