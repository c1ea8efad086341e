"""Lines that engines and trainers write, copied into the run's log in Prefect's UI.

Child processes write files (RESTEM_HOME/runs/RUN/logs), which outlive them; a thread follows the
files while the run goes. The file is the whole truth, up to its largest size (tasks/processes/
capped_log.py): of a flood of lines the UI gets the first. Neither what is read at once nor what is
sent hangs on how much a child writes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from logging import Logger, LoggerAdapter
from pathlib import Path

from tasks.processes.capped_log import cap_log
from tasks.terminal import visible

_POLL_SECONDS = 1.0
# At most so many lines of a file go to the UI at a look; a log server is no place for a flood.
LINES_A_LOOK = 50
# And so many in all: a trainer that prints for days fills no database.
LINES_A_FILE = 10_000
_LONGEST = 500
_SHOWN_BYTES = 100_000  # of a line, for the work of it
# What is read of a file at a look; what was written beyond it is passed over.
_CHUNK_BYTES = 1_000_000


class ChildLogs:
    """Follows the log files of a folder; a context manager."""

    def __init__(self, folder: Path, logger: Logger | LoggerAdapter[Logger]) -> None:
        """What stands in the files already is of an earlier attempt and is left out.

        Args:
            folder: Of the files, `*.log`, and of folders with such files.
        """
        self._folder, self._logger = folder, logger
        self._places = {path: path.stat().st_size for path in folder.rglob("*.log")}
        self._sent = dict[Path, int]()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="child-logs", daemon=True)

    def look(self) -> None:
        """Pass on the whole lines that are new, and shorten what grew too large."""
        for path in sorted(self._folder.rglob("*.log")):
            with contextlib.suppress(OSError):
                self._look_at(path)
                if cap_log(path):
                    self._places[path] = path.stat().st_size

    def _look_at(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            place = min(self._places.get(path, 0), size)
            file.seek(place)
            fresh = file.read(_CHUNK_BYTES)
        is_all = len(fresh) < _CHUNK_BYTES
        whole = fresh.rfind(b"\n") + 1 or (0 if is_all else len(fresh))  # a line without end
        self._places[path] = place + whole if is_all else size
        left = 0 if is_all else size - place - whole
        self._pass_on(path, fresh[:whole], left)

    def _pass_on(self, path: Path, text: bytes, left: int) -> None:
        """Send lines; `left` is how many bytes after them are passed over."""
        if self._sent.get(path, 0) > LINES_A_FILE:
            return
        lines = [line for raw in text.split(b"\n") if (line := _shown(raw))]
        self._sent[path] = self._sent.get(path, 0) + min(len(lines), LINES_A_LOOK)
        for line in lines[:LINES_A_LOOK]:
            self._logger.info("%s: %s", path.stem, line)
        if more := len(lines) - LINES_A_LOOK if len(lines) > LINES_A_LOOK else 0:
            self._logger.info("%s: %d more lines, in %s", path.stem, more, visible(str(path)))
        if left:
            self._logger.info("%s: %d more bytes, in %s", path.stem, left, visible(str(path)))
        if self._sent[path] > LINES_A_FILE:
            self._logger.info("%s: no more of its lines come here", path.stem)

    def _follow(self) -> None:
        while not self._ends.wait(_POLL_SECONDS):
            self.look()

    def __enter__(self) -> ChildLogs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self.look()


def _shown(raw: bytes) -> str:
    """A line as a terminal would leave it: of a progress bar the last state."""
    text = raw[-_SHOWN_BYTES:].decode("utf-8", "replace").rstrip("\r").rsplit("\r", 1)[-1].strip()
    return visible(text[:_LONGEST])
