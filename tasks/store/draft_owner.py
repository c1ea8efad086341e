"""Whose a draft is, by its name: what a process that is gone left may be removed.

WHAT~PLACE~PID~BORN~RANDOM names the process as sandbox/process_name.py does. WHAT~HOST~PID~RANDOM
is how versions of before named it. A host's name and a process id do not say which process that is:
containers that share a store may all be `worker`. So such a draft goes only when the host is ours,
the process is not there, and nothing in it was written for a day. Those versions leave the names of
today alone: PLACE is no host's name.
"""

from __future__ import annotations

import platform
import re
import time
import uuid
from pathlib import Path

from sandbox.process_name import ProcessName, is_alive

# Whoever writes a draft writes something within that time; by the wall clock, as files have it.
OLD_DRAFT_SECONDS = 24 * 3600.0

_NAMED = re.compile(r".+~([0-9a-f]+\.[0-9a-f]+\.\d+~\d+~\d+)~[0-9a-f]{8}(\.old)?")
_OLD_NAME = re.compile(r".+~([^~]+)~(\d+)~[0-9a-f]{8}(\.old)?")


def draft_name(what: str) -> str:
    """A name that says whose draft it is, so that it can be swept when its process is gone."""
    return f"{what}~{ProcessName.own()}~{uuid.uuid4().hex[:8]}"


def draft_owner(path: Path) -> ProcessName | None:
    """The process that made a draft; None where the name does not say it."""
    found = _NAMED.fullmatch(path.name)
    return ProcessName.of(found[1]) if found else None


def is_abandoned(path: Path) -> bool:
    """Whether the process that filled a draft is known to be gone."""
    if (owner := draft_owner(path)) is not None:
        return owner.is_gone
    found = _OLD_NAME.fullmatch(path.name)
    if found is None or found[1] != platform.node() or is_alive(int(found[2])):
        return False
    return time.time() - _last_written(path) > OLD_DRAFT_SECONDS


def _last_written(path: Path) -> float:
    """When anything in a draft was written last, seconds since 1970."""
    last = 0.0
    for each in (path, *path.rglob("*")):
        try:
            last = max(last, each.lstat().st_mtime)
        except OSError:  # somebody removes it now
            return time.time()
    return last
