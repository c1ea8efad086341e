"""The machine: disks, memory, processors, limits, locale, clock, loopback."""

from __future__ import annotations

import locale
import os
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil

from flows.station.doctor.finding import Finding, State
from tasks.dag.runtime import home
from tasks.processes.cores import usable_cores

_GIB = 2**30
# A math demo takes 100 MB; a policy of 7 billion parameters with its optimiser 100 GB.
_FREE_FAILS, _FREE_FEW = 0.2 * _GIB, 10 * _GIB
_MEMORY_FAILS, _MEMORY_FEW = 0.7 * _GIB, 3 * _GIB
_PROBE_BYTES = 8 * 2**20
_SLOW = 5e6  # bytes a second; a checkpoint of a gigabyte takes minutes
_FILES = 1024
_SKEW_SECONDS = 5.0
_BUILT = 1_790_000_000.0  # a clock before this version was made is wrong
_LOOPBACK_SECONDS = 3.0


def disks() -> list[Finding]:
    """Home, store and temporary files: whether they can be written, how fast, and what is free."""
    places = {"home": home(), "store": home() / "store", "temporary files": _temporary()}
    return [_disk(name, path) for name, path in places.items()]


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _disk(name: str, path: Path) -> Finding:
    there = next(one for one in (path, *path.parents) if one.exists())
    value = f"{path}{'' if there == path else ' (not made yet)'}"
    try:
        free = os.statvfs(there)
        speed = _write_speed(there)
    except OSError as error:
        todo = "set RESTEM_HOME to a folder that you can write" if name != "temporary files" else ""
        return Finding(name, "fails", f"{value}: {error.strerror}", todo)
    left, whole = free.f_bavail * free.f_frsize, free.f_blocks * free.f_frsize
    value += f": {left / _GIB:,.0f} of {whole / _GIB:,.0f} GiB free, {speed / 1e6:,.0f} MB/s synced"
    no_names = free.f_files > 0 and free.f_favail < 10_000
    if left < _FREE_FAILS or no_names:
        what = "no room for more files (inodes)" if no_names else "too little"
        return Finding(name, "fails", f"{value}; {what}", "free some: restem store gc")
    if left < _FREE_FEW or speed < _SLOW:
        todo = "checkpoints of large models need more" if left < _FREE_FEW else "a slow disk"
        return Finding(name, "warning", value, todo)
    return Finding(name, "ok", value)


def _write_speed(folder: Path) -> float:
    """Bytes a second, as a commit writes them."""
    block = os.urandom(_PROBE_BYTES)
    with tempfile.TemporaryFile(dir=folder) as probe:
        began = time.monotonic()
        probe.write(block)
        probe.flush()
        os.fsync(probe.fileno())
        return _PROBE_BYTES / max(time.monotonic() - began, 1e-6)


def memory() -> list[Finding]:
    """What is free for models, of the machine and of this group of processes."""
    here = psutil.virtual_memory()
    total, free, limit = here.total, here.available, _memory_limit()
    value = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    if limit is not None and limit < total:
        value, free = f"{value}, limited to {limit / _GIB:.1f} GiB", min(free, limit)
    state: State = "ok"
    if free < _MEMORY_FEW:
        state = "fails" if free < _MEMORY_FAILS else "warning"
    return [Finding("memory", state, value, "" if state == "ok" else "end what takes it")]


def _memory_limit() -> int | None:
    """Of the control group, version 2 or 1, that this process is at the root of."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(Path("/sys/fs/cgroup") / name)
        if text.isdecimal():
            return int(text)
    return None


def processors() -> list[Finding]:
    """How many this process may use."""
    allowed, value = usable_cores(), f"{os.cpu_count()} cores"
    if allowed != os.cpu_count():
        value += f", {allowed} of them allowed"
    quota, _, period = _read(Path("/sys/fs/cgroup/cpu.max")).partition(" ")
    if quota.isdecimal() and period.isdecimal():
        value += f", limited to the time of {int(quota) / int(period):.1f}"
    return [Finding("processors", "ok", f"{value}, load {os.getloadavg()[0]:.1f}")]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def open_files() -> list[Finding]:
    """The limit on open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FILES:
        return [Finding("open files", "warning", f"{soft} (at most {hard})", "ulimit -n 65536")]
    return [Finding("open files", "ok", f"{soft}")]


def encoding() -> list[Finding]:
    """What the locale makes of text."""
    names, content = sys.getfilesystemencoding(), locale.getpreferredencoding(False)
    found = f"{names} for names, {content} for content"
    if all(one.lower().replace("-", "") == "utf8" for one in (names, content)):
        return [Finding("locale", "ok", found)]
    return [Finding("locale", "warning", found, "export LC_ALL=C.UTF-8")]


def clock() -> list[Finding]:
    """Whether the clock is plausible, and the home's disk has the same."""
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < _BUILT:
        return [Finding("clock", "warning", shown, "set it: certificates and schedules need it")]
    place = next(one for one in (home(), *home().parents) if one.exists())
    with tempfile.NamedTemporaryFile(dir=place) as probe:
        skew = os.stat(probe.name).st_mtime - time.time()
    if abs(skew) > _SKEW_SECONDS:
        value = f"{shown}; the disk of the home is {skew:+.0f} s from it"
        return [Finding("clock", "warning", value, "set both clocks")]
    return [Finding("clock", "ok", shown)]


def loopback() -> list[Finding]:
    """Whether a server on 127.0.0.1 can be reached: Prefect's runs there."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), _LOOPBACK_SECONDS):
            pass
    return [Finding("loopback", "ok", "127.0.0.1 answers")]
