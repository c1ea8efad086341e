"""What has to outlive a power cut is written here.

A file system keeps what was written in memory for a while, and after a power cut it may have any
part of it: a name without its content, a content without its name. Only what was synced is there
for certain: the content by a sync of the file, its name by one of the folder that it stands in.

`RESTEM_SYNC=off` leaves the syncs out, for disks on which they are slow. Files are then still whole
for every process, but a power cut may take or tear what the last half minute wrote. A disk that
fails to sync (EIO) is an error of whoever writes, for the content may be lost already.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import UserError

SYNC = "RESTEM_SYNC"
_WORDS = {"": True, "on": True, "1": True, "true": True, "off": False, "0": False, "false": False}
# What file systems answer that have no way to sync a folder (some network and FUSE ones), and the
# system for a folder that one may write but not read. Nothing more can be done there.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES)


def syncing() -> bool:
    """Whether files are synced: yes, unless RESTEM_SYNC says off.

    Raises:
        UserError: it says something else.
    """
    said = os.environ.get(SYNC, "").strip().lower()
    if said not in _WORDS:
        raise UserError(f"{SYNC}={said}: expected on or off")
    return _WORDS[said]


def sync_file(path: Path) -> None:
    """See that the content of a file is on the disk; its name is another matter.

    Raises:
        OSError: it cannot be written there.
    """
    if syncing():
        _sync(path)


def sync_folder(path: Path) -> None:
    """See that the names in a folder are on the disk, as far as its file system knows how to.

    Raises:
        OSError: they cannot be written there.
    """
    if syncing():
        try:
            _sync(path)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise


def sync_tree(folder: Path) -> None:
    """See that a folder is on the disk with all that is in it; its own name is another matter.

    Raises:
        OSError: it cannot be written there.
    """
    for place, _, names in os.walk(folder, topdown=False) if syncing() else ():
        for path in (Path(place, name) for name in names):
            if path.is_file():
                sync_file(path)
        sync_folder(Path(place))


def sync_all() -> None:
    """See that all that anybody wrote is on the disks: for a great many files at once."""
    if syncing():
        os.sync()


def make_folders(path: Path, mode: int = 0o777) -> None:
    """Make a folder and what is missing above it, for good.

    Args:
        mode: Of the folder itself.
    """
    missing = [one for one in (path, *path.parents) if not one.is_dir()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for one in reversed(missing):
        sync_folder(one.parent)


def write_durably(
    path: Path, content: str | bytes, *, mode: int = 0o666, new: bool = False
) -> None:
    """Write a file that readers, and a machine after a power cut, find as it was or as it is now.

    Args:
        content: Text is written as UTF-8.
        mode: Of the file, before the umask.
        new: Only where there is none.

    Raises:
        FileExistsError: there is one, and it was to be new.
        OSError: it cannot be written.
    """
    with _drafted(path, content, mode) as draft:
        sync_file(draft)
        os.link(draft, path) if new else os.replace(draft, path)
    sync_folder(path.parent)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that readers find as it was or as it is now, but a power cut may tear.

    For what is of no use after one, or easily made again by whoever reads it.
    """
    with _drafted(path, content, 0o666) as draft:
        os.replace(draft, path)


def put_durably(draft: Path, path: Path) -> None:
    """Rename a file that was written beside its place, for good."""
    sync_file(draft)
    os.replace(draft, path)
    sync_folder(path.parent)


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that grows, but not what a kill or a power cut tore at its end.

    A power cut may leave zeros where something was written, also before what is there.

    Raises:
        OSError: there is none.
    """
    text = path.read_bytes().partition(b"\0")[0].decode("utf-8", "replace")
    return text.split("\n")[:-1]


@contextlib.contextmanager
def _drafted(path: Path, content: str | bytes, mode: int) -> Iterator[Path]:
    """The content in a file beside its place, which the block renames."""
    draft = path.with_name(f".{path.name}~{uuid.uuid4().hex[:8]}")
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    try:
        opened = os.open(path, os.O_RDONLY)
        try:
            # On macOS fsync leaves it in the disk's own memory.
            if (full := getattr(fcntl, "F_FULLFSYNC", None)) is not None:
                with contextlib.suppress(OSError):
                    fcntl.fcntl(opened, full)
                    return
            os.fsync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
