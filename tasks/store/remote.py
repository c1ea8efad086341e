"""The far side of a store that is no local folder: any file system that fsspec speaks to.

Object stores have no renames, so each upload of an artifact lies in a part of its own,
`KIND/KEY/PART/`, and the manifest, one small object that is written last, names the part that
counts. A kill before that leaves a part that nothing names; two machines that make one artifact at
once never mix their files. What a store says of an object without sending it (size, ETag) is noted
after the upload and compared at a lookup, so that a resume elsewhere downloads only what it reads.

Listings are never cached: another machine may have added to them. A store that does not answer is
waited for. Not here: what an artifact is (tasks/store/store.py), and local copies
(tasks/store/local_copies.py).
"""

from __future__ import annotations

import contextlib
import errno
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from sandbox.awake import awake
from tasks.errors import StepError, UserError
from tasks.rows import Json
from tasks.store.manifest import FileEntry
from tasks.store.remote_many import ManyFiles
from tasks.store.untrusted import Damage

# A store that does not answer is asked again for so long: a server that is started anew, a network
# that comes back. More would only delay the word to the person.
STORE_AWAY_SECONDS = 60.0
ASK_AGAIN_SECONDS = 1.0
STORE_MARK = ".restem-store"
# The folder of an upload.
PART = re.compile(r"[0-9a-f]{12}", re.ASCII)
# Here the first part of an address is a bucket, which a person makes; elsewhere it is a folder.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "r2"}
# Exceptions of clients (botocore, gcsfs) that no waiting mends. They are known by their names,
# because the libraries need not be installed.
_OWN_MISTAKES = (
    "NoCredentials",
    "PartialCredentials",
    "CredentialRetrieval",
    "ParamValidation",
    "ProfileNotFound",
    "NoRegion",
    "DefaultCredentials",
    "ClientAuthentication",
)
_ETAGS = ("ETag", "etag", "md5Hash")
_T = TypeVar("_T")
_FSSPEC: Any = fsspec  # a library without types


def open_fs(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        UserError: nothing here speaks to it.
    """
    try:
        # One of its own: credentials and the endpoint are read anew from the environment.
        options = {"use_listings_cache": False, "skip_instance_cache": True}
        if address.startswith(("/", "~")) or "://" not in address:  # `::` in a folder is its name
            fs = _FSSPEC.filesystem("file", **options)
            return fs, str(fs._strip_protocol(address)).rstrip("/")
        fs, root = _FSSPEC.core.url_to_fs(address, **options)
    except ImportError as error:
        extra = "; pip install restem[s3]" if address.startswith("s3") else ""
        raise UserError(f"resources.store: {address}: {_line(error)}{extra}") from None
    except ValueError as error:
        raise UserError(
            f"resources.store: {address}: {_line(error)}; expected a folder or an address such as "
            "s3://bucket/prefix"
        ) from None
    return fs, root.rstrip("/")


class Remote:
    """Files below a root, in groups of parts; every call waits for a store that is away."""

    def __init__(self, fs: Any, root: str) -> None:
        """Name the place; nothing is asked of it yet.

        Args:
            fs: fsspec's file system.
            root: Path of the store in it.
        """
        protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
        self._fs, self.root = fs, root
        self.name = fs.unstrip_protocol(root)
        self._buckets = protocol in _BUCKETS
        self.many = ManyFiles(fs, root, self._wait)

    def read(self, name: str, limit: int) -> bytes | None:
        """Content of a small file, or None where there is none.

        Args:
            limit: Most bytes.

        Raises:
            Damage: it is larger, or a folder.
            UserError: the credentials are refused.
            StepError: the store does not answer.
        """
        path = f"{self.root}/{name}"
        try:
            ahead = self.many.taken(name)
            found: bytes = (
                self._wait(lambda: self._first(path, limit + 1)) if ahead is None else ahead
            )
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise Damage(f"{path} is a folder; expected a plain file") from None
        if len(found) > limit:
            raise Damage(f"{path} has more than {limit:,} bytes")
        return found

    def exists(self, name: str) -> bool:
        """Whether there is a file."""
        found: bool = self._wait(lambda: self._fs.exists(f"{self.root}/{name}"))
        return found

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, in one request where the store has such."""
        path = f"{self.root}/{name}"

        def put() -> None:
            if not self._buckets:
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

        try:
            self._wait(put)
        except FileNotFoundError:
            raise UserError(
                f"resources.store: {self.name}: no such bucket; expected one that is there (restem "
                "makes none)"
            ) from None

    def upload(
        self, folder: Path, place: str, files: Sequence[FileEntry]
    ) -> tuple[str, tuple[FileEntry, ...]]:
        """Send the files of a folder, several at a time where the store can.

        Args:
            place: KIND/KEY.
            files: Their entries, without ETags.

        Returns:
            The part, and each file's entry with its ETag.

        Raises:
            StepError: the store has other sizes than were sent.
        """
        part = uuid.uuid4().hex[:12]
        far = f"{self.root}/{place}/{part}"
        names = [file.name for file in files]
        local = [str(folder / name) for name in names]
        if names:
            self._wait(lambda: self._fs.put(local, [f"{far}/{name}" for name in names]))
        there = self.files(f"{place}/{part}")
        for file in files:
            if there.get(file.name, (-1, ""))[0] != file.bytes:
                raise StepError(f"the store {self.name} did not keep {place}/{file.name} whole")
        return part, tuple(replace(file, etag=there[file.name][1]) for file in files)

    def files(self, place: str) -> dict[str, tuple[int, str]]:
        """Size in bytes and ETag ("" where the store has none) of the files below a place."""
        base = f"{self.root}/{place}".rstrip("/")
        found: dict[str, Json] = self._wait(lambda: self._fs.find(base, detail=True))
        start = len(base.lstrip("/")) + 1
        return {
            path.lstrip("/")[start:]: (
                int(info.get("size") or 0),
                next((str(info[name]) for name in _ETAGS if info.get(name)), ""),
            )
            for path, info in found.items()
            if not path.endswith("/")  # a console's stand-in for a folder
        }

    def download(self, place: str, names: list[str], folder: Path) -> None:
        """Fetch files into a local folder, several at a time; one that is missing is left out."""
        far = [f"{self.root}/{place}/{name}" for name in names]
        local = [folder / name for name in names]
        for path in local:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._wait(lambda: self._fs.get(far, [str(path) for path in local]))
        except FileNotFoundError:
            for there, path in zip(far, local, strict=True):
                self._get_one(there, path)

    def folders(self, place: str = "") -> list[str]:
        """Names of the folders (of an object store: common prefixes) in a place, sorted."""
        base = f"{self.root}/{place}".rstrip("/")
        try:
            found = self._wait(lambda: self._fs.ls(base, detail=True))
        except FileNotFoundError:
            return []
        names = [i["name"].rstrip("/").rpartition("/")[2] for i in found if i["type"] != "file"]
        return sorted(name for name in names if not name.startswith("."))

    def remove(self, place: str) -> None:
        """Remove all below a place."""
        path = f"{self.root}/{place}"
        with contextlib.suppress(FileNotFoundError):
            if any(sign in path for sign in "*?["):  # fsspec's `rm` would take it for a pattern
                for one in self._wait(lambda: self._fs.find(path)):
                    self._wait(partial(self._fs.rm_file, one))
                return
            self._wait(lambda: self._fs.rm(path, recursive=True))

    def _first(self, path: str, size: int) -> bytes:
        """The first bytes of a file, in one request where the store has such."""
        try:
            return self._fs.cat_file(path, start=0, end=size)
        except OSError as error:
            if "InvalidRange" in str(error) or "not satisfiable" in str(error):
                return b""  # what HTTP says of an empty file
            raise

    def _get_one(self, there: str, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._wait(lambda: self._fs.get_file(there, str(path)))

    def _wait(self, ask: Callable[[], _T]) -> _T:
        """Ask the store, again and again while it is away."""
        deadline = awake() + STORE_AWAY_SECONDS
        while True:
            try:
                return ask()
            except (FileNotFoundError, IsADirectoryError):
                raise
            except Exception as error:
                if _own_mistake(error):
                    raise UserError(
                        f"resources.store: {self.name}: refused ({_line(error)}); expected an "
                        "address and credentials with which one may read and write there"
                    ) from None
                if awake() > deadline:
                    raise StepError(
                        f"the store {self.name} does not answer since {STORE_AWAY_SECONDS:.0f} s "
                        f"({_line(error)}); the same command resumes the run when it is back"
                    ) from None
            time.sleep(ASK_AGAIN_SECONDS)


def _own_mistake(error: Exception) -> bool:
    """Whether no waiting mends it."""
    if isinstance(error, PermissionError | ValueError | TypeError | NotImplementedError):
        return True
    if isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EPERM):
        return True
    return type(error).__name__.startswith(_OWN_MISTAKES)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]
