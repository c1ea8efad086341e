"""A name for a process that stands for no other one, whoever reads it and wherever.

A process id alone does not: it is used again, after a reboot from the start; machines and
containers that share a folder each count their own; and they may have one host name. So a name has
the boot of the machine, the namespace of process ids, the id in it, and when the process began.

Of a process of another machine, or of another namespace, nothing is known here: it is never taken
for gone. What belongs to such a one goes by age, if at all.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Of a kernel's first namespace of process ids (PROC_PID_INIT_INO): that of no container.
_FIRST_NAMESPACE = "4026531836"
_UNKNOWN = "0"
_FORM = re.compile(r"([0-9a-f]+\.[0-9a-f]+\.\d+)~(\d+)~(\d+)")


@dataclass(frozen=True)
class ProcessName:
    """Which process.

    Attributes:
        place: Machine, boot and namespace, as hex, hex and number.
        pid: Its id there.
        born: When it began, in clock ticks after the boot.
    """

    place: str
    pid: int
    born: int

    @classmethod
    def own(cls) -> ProcessName:
        """That of this process."""
        pid = os.getpid()
        return cls(_place(), pid, born(pid) or 0)

    @classmethod
    def of(cls, text: str) -> ProcessName | None:
        """The name that `str` gave; None if the text is none."""
        found = _FORM.fullmatch(text)
        return cls(found[1], int(found[2]), int(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.place}~{self.pid}~{self.born}"

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended; False where nothing is known of it."""
        machine, boot, namespace = self.place.split(".")
        my_machine, my_boot, my_namespace = _place().split(".")
        if _UNKNOWN in (boot, my_boot):
            return False
        if (boot, namespace) == (my_boot, my_namespace):
            return _is_gone_here(self.pid, self.born)
        # An earlier boot of this very machine. Containers may share what a machine is known by.
        first = namespace == my_namespace == _FIRST_NAMESPACE
        return first and machine == my_machine != _UNKNOWN and boot != my_boot


def born(pid: int | str) -> int | None:
    """When a process began, in clock ticks after the boot.

    Returns:
        None if it is gone, or ended and only not yet waited for.
    """
    fields = _stat(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[19])


def boot_and_namespace() -> str:
    """The boot of this machine and the namespace of process ids; nothing without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process of this namespace has this id, whoever it is and whoever may look at it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_gone_here(pid: int, began: int) -> bool:
    fields = _stat(pid)
    if not fields:  # gone, or hidden from us (the mount option hidepid)
        return not is_alive(pid)
    return fields[0] in "ZX" or int(fields[19]) != began


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat behind the name in brackets; none where it cannot be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


@cache
def _place() -> str:
    boot, _, namespace = boot_and_namespace().partition(" pid:[")
    if not namespace:
        return f"{_UNKNOWN}.{_UNKNOWN}.0"
    return f"{_machine()}.{_hash(boot, 12)}.{namespace.rstrip(']')}"


def _machine() -> str:
    try:
        machine = Path("/etc/machine-id").read_text("utf-8").strip()
    except OSError:
        machine = ""
    return _hash(f"{machine} {platform.node()}", 8) if machine else _UNKNOWN


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
