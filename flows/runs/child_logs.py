"""Lines that engines and trainers write, copied into the run's log in Prefect's UI.

Child processes write files (RESTEM_HOME/runs/RUN/logs), which outlive them; a thread follows the
files while the run goes. The file is the whole truth: of a flood of lines the UI gets the first.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import Any

from tasks.terminal import visible

_POLL_SECONDS = 1.0
# At most so many lines of a file go to the UI at a look; a log server is no place for a flood.
LINES_A_LOOK = 50
_LONGEST = 500


class ChildLogs:
    """Follows the log files of a folder; a context manager."""

    def __init__(self, folder: Path, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        """What stands in the files already is of an earlier attempt and is left out.

        Args:
            folder: Of the files, `*.log`.
        """
        self._folder, self._logger = folder, logger
        self._places = {path: path.stat().st_size for path in folder.glob("*.log")}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="child-logs", daemon=True)

    def look(self) -> None:
        """Pass on the whole lines that are new."""
        for path in sorted(self._folder.glob("*.log")):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(self._places.get(path, 0))
                fresh = file.read()
                whole = fresh.rfind(b"\n") + 1
                self._places[path] = self._places.get(path, 0) + whole
                self._pass_on(path, fresh[:whole])

    def _pass_on(self, path: Path, text: bytes) -> None:
        lines = [line for raw in text.split(b"\n") if (line := _shown(raw))]
        for line in lines[:LINES_A_LOOK]:
            self._logger.info("%s: %s", path.stem, line)
        if len(lines) > LINES_A_LOOK:
            self._logger.info(
                "%s: %d more lines, in %s", path.stem, len(lines) - LINES_A_LOOK, path
            )

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
    text = raw.decode("utf-8", "replace").rstrip("\r").rsplit("\r", 1)[-1].strip()
    return visible(text[:_LONGEST])
