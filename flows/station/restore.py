"""`restem restore`: put a back-up into a home that has nothing of it yet.

All of it is read into a draft inside the home and compared with the hashes of its manifest. Only
then the parts are renamed into their places, the database last. Of an archive only plain files of
the manifest's names and sizes are taken, and none of its own names, links, owners or modes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flows.server.address import folder as prefect_folder
from flows.server.address import station
from flows.station.backup_form import (
    DATABASE,
    MANIFEST,
    MANIFEST_BYTES,
    RESULTS,
    RUNS,
    STORE,
    BackedFile,
    BackupFacts,
    BackupManifest,
)
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.facts import WrongFacts

_CHUNK = 2**20
# The database last: with it, the home shows the runs.
_ORDER = (STORE, RESULTS, RUNS, DATABASE)
# Beside what is put in place: metadata of small files.
_ROOM = 1.1


@dataclass(frozen=True)
class _File:
    """A file as a back-up has it; `modified` is Unix time."""

    name: str
    size: int
    modified: float
    content: IO[bytes]


def restore(source: Path) -> BackupFacts:
    """Put a back-up into RESTEM_HOME.

    Raises:
        UserError: it is no back-up or does not match its manifest, or the home is not empty.
        StepError: the disk is full.
    """
    target = home()
    try:
        with _nobody_at_work(), _opened(source) as files:
            manifest = _read_manifest(source, next(files, None))
            _check_room(target, manifest)
            draft = target / f".restore-{secrets.token_hex(4)}"
            draft.mkdir(mode=0o700)
            try:
                _unpack(source, files, manifest, draft)
                _put_in_place(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{source}: not a whole archive: {error}") from None
    except OSError as error:
        raise StepError(f"{error.filename or source}: {error.strerror or error}") from None
    return manifest.counted()


@contextlib.contextmanager
def _nobody_at_work() -> Iterator[None]:
    """No station, no server and no run of this home, nor one that starts meanwhile."""
    with contextlib.ExitStack() as locks:
        for name in ("start.lock", "users.lock"):
            file = locks.enter_context((prefect_folder() / name).open("w", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{home()}: a station or a run is at work; end it first") from None
        if station() is not None:
            raise UserError(f"{home()}: a station is up; `restem down` first")
        yield


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[Iterator[_File]]:
    """The files of a back-up with their names and sizes, the manifest first."""
    if source.is_dir():
        yield _of_folder(source)
        return
    if not source.is_file():
        raise UserError(f"{source}: no such file or folder; expected a back-up")
    with tarfile.open(source, "r|*") as archive:
        yield _of_archive(source, archive)


def _of_archive(source: Path, archive: tarfile.TarFile) -> Iterator[_File]:
    for member in archive:
        plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        content = archive.extractfile(member) if plain else None
        if content is None:
            raise UserError(f"{source}: {member.name!r:.80}: expected plain files alone")
        yield _File(member.name, member.size, member.mtime, content)


def _of_folder(source: Path) -> Iterator[_File]:
    names = [MANIFEST]
    for folder, folders, found in os.walk(source):
        folders.sort()
        names += [Path(folder, name).relative_to(source).as_posix() for name in sorted(found)]
    for name in dict.fromkeys(names):
        try:
            # Not waiting for who writes a pipe, and following no link.
            descriptor = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise UserError(f"{source / name}: {error.strerror}; expected a file") from None
        with open(descriptor, "rb") as content:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise UserError(f"{source / name}: expected plain files alone")
            yield _File(name, facts.st_size, facts.st_mtime, content)


def _read_manifest(source: Path, first: _File | None) -> BackupManifest:
    if first is None or first.name != MANIFEST or first.size > MANIFEST_BYTES:
        raise UserError(f"{source}: no {MANIFEST} of a back-up of restem")
    try:
        manifest = BackupManifest.from_json(
            json.loads(first.content.read()), f"{source}: {MANIFEST}"
        )
        manifest.check(f"{source}: {MANIFEST}")
    except WrongFacts as error:
        raise UserError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: {MANIFEST}: not JSON: {error}") from None
    return manifest


def _check_room(target: Path, manifest: BackupManifest) -> None:
    tops = {file.name.split("/")[0] for file in manifest.files}
    for place in (target / DATABASE, *(target / top for top in sorted(tops & set(_ORDER)))):
        taken = any(place.iterdir()) if place.is_dir() else os.path.lexists(place)
        if taken and (place != target / DATABASE or DATABASE.split("/")[0] in tops):
            raise UserError(
                f"{place}: not empty; a back-up is put into a home of its own: set RESTEM_HOME to "
                "a new folder"
            )
    wanted = sum(file.bytes for file in manifest.files) * _ROOM
    free = shutil.disk_usage(target).free
    if wanted > free:
        raise UserError(f"{target}: {free / 1e9:.1f} GB are free; expected {wanted / 1e9:.1f} GB")


def _unpack(source: Path, files: Iterator[_File], manifest: BackupManifest, draft: Path) -> None:
    missing = {file.name: file for file in manifest.files}
    for found in files:
        file = missing.pop(found.name, None)
        if file is None:
            raise UserError(f"{source}: {found.name!r:.80}: not in its {MANIFEST}, or there twice")
        if found.size != file.bytes:
            raise UserError(f"{source}: {found.name}: {found.size} bytes; expected {file.bytes}")
        _copy(source, found, file, draft / found.name)
    if missing:
        raise UserError(f"{source}: {min(missing)} is missing")


def _copy(source: Path, found: _File, file: BackedFile, place: Path) -> None:
    digest = hashlib.sha256()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        private = 0o600 if file.name == DATABASE else 0o644
        opened = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{source}: {file.name!r:.80}: a file and a folder at once") from None
    with open(opened, "wb") as out:
        while chunk := found.content.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    with contextlib.suppress(OSError, OverflowError, ValueError):
        os.utime(place, (found.modified, found.modified))  # `latest` is the run that began last
    if digest.hexdigest() != file.sha256:
        raise UserError(f"{source}: {file.name} does not match its {MANIFEST}; it is damaged")


def _put_in_place(draft: Path, target: Path) -> None:
    """Rename the parts, and back again if one cannot be."""
    done: list[Path] = []
    try:
        for part in _ORDER:
            if (draft / part).exists():
                (draft / part).rename(target / part)
                done.append(target / part)
    except OSError:
        for place in reversed(done):
            place.rename(draft / place.relative_to(target))
        raise
    for place in (target, target / DATABASE.split("/")[0]):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
