"""Keeps the log of a process that prints without end at a bounded size.

Processes write their logs themselves, at the end of the file (O_APPEND), so that no line is lost
when we are killed; and so others may shorten the file meanwhile. Of a log that grew too large the
beginning stays, which says what was started, and the end, which says how it went; a line between
them says how much was dropped.

Not covered: what is written between two looks, which may be a second's worth of disk.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# No log of a run that went well has come near it; a person still opens it.
MOST_BYTES = 64_000_000
_FIRST_BYTES = 8_000_000
_LAST_BYTES = 1_000_000


def cap_log(path: Path, most: int = MOST_BYTES) -> bool:
    """Shorten a log that is too large; whether it was.

    Args:
        path: Of the file; one that is not there is left alone.
        most: Bytes.
    """
    first, last = min(_FIRST_BYTES, most // 4), min(_LAST_BYTES, most // 4)
    size, end = 0, b""
    with contextlib.suppress(OSError), path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= most:
            return False
        file.seek(size - last)
        end = file.read(last)
        file.truncate(first)
    if not end:  # it cannot be read
        return False
    with contextlib.suppress(OSError), path.open("ab") as file:
        dropped = f"{size - first - len(end):,} bytes of this log were dropped here"
        file.write(f"\n... {dropped}: it may have {most:,} ...\n".encode() + end)
        return True
    return False


def cap_logs(folder: Path) -> None:
    """The same for each log of a folder, such as RESTEM_HOME/prefect."""
    for path in folder.glob("*.log"):
        if path.is_file():
            cap_log(path)
