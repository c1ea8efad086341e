"""`restem backup`: a home as a folder or an archive, also while its station works.

The database is copied by SQLite's own online way; journals and records are copied as they are, and
a record that is being written is left out: it says nothing that its artifact does not. The store
comes last, so that what the others name is in it. Its artifacts are verified first, and, being
never changed, linked where the back-up lies on the same disk.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import json
import os
import secrets
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from flows.station.backup_form import (
    DATABASE,
    FORM,
    MANIFEST,
    RESULTS,
    RUNS,
    STORE,
    BackedFile,
    BackupFacts,
    BackupManifest,
    is_archive,
    is_inside,
)
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.store.files import sha256
from tasks.store.manifest import MANIFEST as OF_ARTIFACT
from tasks.store.manifest import Damage
from tasks.store.remote import STORE_MARK
from tasks.store.store import Store

# Another connection holds the database for the length of one write.
_BUSY_SECONDS = 60.0


def backup(target: Path, *, store: bool) -> BackupFacts:
    """Make a back-up of RESTEM_HOME.

    Args:
        target: Its name; an archive if it ends in .tar, .tar.gz or .tgz, else a folder.
        store: With the artifacts of RESTEM_HOME/store.

    Raises:
        UserError: there is nothing to back up, or something at the target.
        StepError: the database is broken, or the disk is full.
    """
    source, target = home(), Path(os.path.abspath(target))
    if not source.is_dir():
        raise UserError(f"{source}: no such folder; expected a RESTEM_HOME to back up")
    if os.path.lexists(target):
        raise UserError(f"{target}: exists already; expected a new name for the back-up")
    if not target.parent.is_dir():
        raise UserError(f"{target.parent}: no such folder; expected where the back-up is to lie")
    if target.is_relative_to(source):
        raise UserError(f"{target}: inside the home that it is a back-up of")
    if store and not (source / STORE).is_dir():
        raise UserError(f"--store: {source / STORE} is not there; the store lies elsewhere")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir(mode=0o700)
        manifest = _gather(source, draft, store)
        _write(draft / MANIFEST, json.dumps(manifest.to_json()).encode())
        _sync(draft)
        if is_archive(target):
            packed = draft.with_name(draft.name + ".tar")
            try:
                _pack(draft, packed, manifest, squeeze=not target.name.endswith(".tar"))
                packed.replace(target)
            finally:
                packed.unlink(missing_ok=True)
        else:
            draft.rename(target)
    except OSError as error:
        raise StepError(f"no back-up: {error.filename or target}: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest.counted()


def _gather(source: Path, draft: Path, store: bool) -> BackupManifest:
    files: list[BackedFile] = []
    left_out: list[str] = []
    if _copy_database(source / DATABASE, draft / DATABASE):
        files.append(_described(draft, DATABASE))
    for part in (RUNS, RESULTS):
        for name in _regular_files(source, part):
            if not is_inside(name):
                left_out.append(f"{name!r}: a name that no back-up keeps")
            elif _copied(source / name, draft / name) and (part == RUNS or _whole(draft / name)):
                files.append(_described(draft, name))
            else:
                (draft / name).unlink(missing_ok=True)
    for found in _artifacts(source, draft) if store else ():
        if isinstance(found, str):
            left_out.append(found)
        else:
            files.append(found)
    return BackupManifest(
        form=FORM,
        made=time.time(),
        restem=importlib.metadata.version("restem"),
        home=str(source),
        files=tuple(files),
        left_out=tuple(left_out),
    )


def _copy_database(source: Path, target: Path) -> bool:
    """Copy Prefect's database while its server writes; False where there is none."""
    if not source.is_file():
        return False
    target.parent.mkdir(mode=0o700)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"):
        pass
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as here,
            contextlib.closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
            there.execute("pragma journal_mode=delete")  # one file, without a log beside it
            said = there.execute("pragma quick_check").fetchone()[0]
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        raise StepError(f"no back-up: {source}: {said}")
    return True


def _regular_files(source: Path, part: str) -> Iterator[str]:
    """Names of the files below a part of the home, without links, locks and drafts."""
    for folder, folders, names in os.walk(source / part):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or name == "lock" or path.is_symlink() or not path.is_file():
                continue
            yield path.relative_to(source).as_posix()


def _copied(source: Path, target: Path) -> bool:
    """Copy a file; False where it went meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    return True


def _whole(record: Path) -> bool:
    try:
        json.loads(record.read_bytes())
    except ValueError:
        return False
    return True


def _artifacts(source: Path, draft: Path) -> Iterator[BackedFile | str]:
    """Link or copy whole artifacts; a text for one that is damaged or went meanwhile."""
    store = Store(str(source / STORE), cache=source / "cache")
    if _copied(source / STORE / STORE_MARK, draft / STORE / STORE_MARK):
        yield _described(draft, f"{STORE}/{STORE_MARK}")
    for kind, key in store.entries():
        place = f"{STORE}/{kind}/{key}"
        try:
            if (ref := store.lookup(kind, key)) is None:
                continue  # it went meanwhile
            manifest, made = store.manifest(ref), []
            for file in manifest.files:
                _linked(source / place / file.name, draft / place / file.name)
                made.append(BackedFile(f"{place}/{file.name}", file.bytes, file.sha256))
            _linked(source / place / OF_ARTIFACT, draft / place / OF_ARTIFACT)
            made.append(_described(draft, f"{place}/{OF_ARTIFACT}"))
        except (Damage, FileNotFoundError) as error:
            shutil.rmtree(draft / place, ignore_errors=True)
            yield str(error)
            continue
        yield from made


def _linked(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without hard links
        shutil.copy2(source, target)


def _described(folder: Path, name: str) -> BackedFile:
    path = folder / name
    return BackedFile(name, path.stat().st_size, sha256(path))


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _sync(draft: Path) -> None:
    for folder, _, names in os.walk(draft):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _pack(draft: Path, packed: Path, manifest: BackupManifest, *, squeeze: bool) -> None:
    """Write the archive, the manifest first, for nobody else to read."""

    def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with open(os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
        with contextlib.ExitStack() as open_files:
            out = open_files.enter_context(gzip.GzipFile("", "wb", 6, raw)) if squeeze else raw
            # With dereference, two links of one file are two files: an archive has no links.
            archive = open_files.enter_context(
                tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, dereference=True)
            )
            for name in (MANIFEST, *(file.name for file in manifest.files)):
                archive.add(draft / name, name, recursive=False, filter=nobodys)
        raw.flush()
        os.fsync(raw.fileno())
