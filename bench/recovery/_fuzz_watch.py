"""What a fuzzed program touches outside its own folder: files, processes, connections."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events of CPython (docs: Audit events table) and where their paths stand.
_PATHS = {
    **dict.fromkeys(("os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.utime"), (0,)),
    **dict.fromkeys(("os.chmod", "os.chown", "shutil.rmtree", "tempfile.mkdtemp"), (0,)),
    **dict.fromkeys(("os.link", "os.symlink"), (1,)),  # where they lie, not where they lead
    **dict.fromkeys(("os.rename", "shutil.move"), (0, 1)),
}
_NEVER = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "exec.never")


class Watch:
    """Looks on while it is entered; one in a process at a time, for hooks cannot be removed.

    Attributes:
        outside: What was touched that should not be, by how often.
    """

    def __init__(self, *own: Path, connects: bool = False) -> None:
        """Look at all but `own` folders; connections are allowed if `connects`."""
        self._own = [os.path.realpath(one) for one in own]
        self._connects = connects
        self.outside: Counter[str] = Counter()

    def __enter__(self) -> Watch:
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked.append(True)
        _watching[:] = [self]
        return self

    def __exit__(self, *_: object) -> None:
        _watching.clear()

    def see(self, event: str, given: tuple[Any, ...]) -> None:
        """Look at an event."""
        if event == "open":
            path, mode, flags = given
            if (isinstance(flags, int) and flags & _WRITES) or any(c in str(mode) for c in "wax+"):
                self._see_path(event, path)
        elif event in _PATHS:
            for at in _PATHS[event]:
                self._see_path(event, given[at])
        elif event in _NEVER or (event == "socket.connect" and not self._connects):
            self.outside[f"{event} {given[1:2]!r:.100}"] += 1

    def _see_path(self, event: str, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.fsdecode(path)
        if "\0" in text:
            return  # the kernel takes none
        # Of a link, where it lies; of a folder on the way, where it leads.
        folder, name = os.path.split(os.path.abspath(text))
        real = os.path.join(os.path.realpath(folder), name)
        if event == "open":
            real = os.path.realpath(real)
        if real != os.devnull and not any(real.startswith(own) for own in self._own):
            self.outside[f"{event} {real[:200]}"] += 1


_hooked: list[bool] = []
_watching: list[Watch] = []


def _hook(event: str, given: tuple[Any, ...]) -> None:
    if _watching:
        watch = _watching[0]
        _watching.clear()  # looking opens nothing, but resolves paths
        try:
            watch.see(event, given)
        finally:
            _watching[:] = [watch]
