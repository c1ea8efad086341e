"""Who uses a store now: a run from before its first lookup to its end, or a cleaning, alone.

On this machine that is `flock` on one file of the store, shared by runs and taken alone by a
cleaning; the kernel releases it however its holder ends. Other machines may not see that (an object
store, some network folders), so each user also leaves a lease: a small file in the store, written
again every minute, that counts for five minutes of the store's clock. A run writes its lease and
then looks for a cleaning; a cleaning writes its own and then looks for runs. So of two that begin
at once at least one sees the other: the cleaning gives up, the run waits.

Not here: what a run needs after its end (tasks/store/roots.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from tasks.errors import StepError, UserError
from tasks.facts import Facts
from tasks.store.locks import LOCK_POLL_SECONDS
from tasks.store.side_files import SideFiles

LEASES = ".users"
USE_LOCK = ".restem-use"
# How often a lease is written again, and for how long it counts: a machine may be away from its
# store for some minutes, and nobody wants to wait for hours after a power cut.
RENEW_SECONDS, LEASE_SECONDS = 60.0, 300.0
AGAIN_SECONDS = 1.0
END_SECONDS = 10.0
_KERNEL = Path("/proc/sys/kernel/random/boot_id")
_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@dataclass(frozen=True, kw_only=True)
class Lease(Facts):
    """What a user of a store says of itself.

    Attributes:
        run: Its id; of a cleaning what a person reads in its place.
        host: Name of the machine.
        kernel: Changes with each boot; what has the same one shares `flock`.
        since: Unix time of that machine.
    """

    STRICT: ClassVar[bool] = False

    what: Literal["run", "cleaning"]
    run: str
    home: str
    host: str
    kernel: str
    pid: int
    since: float

    @classmethod
    def of_this_process(cls, what: Literal["run", "cleaning"], run: str, home: str) -> Lease:
        """The lease of a run or a cleaning in this process."""
        kernel = _KERNEL.read_text(encoding="utf-8").strip() if _KERNEL.exists() else ""
        return cls(
            what=what,
            run=run,
            home=home,
            host=platform.node(),
            kernel=kernel,
            pid=os.getpid(),
            since=time.time(),
        )

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"{self.run} (process {self.pid} on {self.host}, since {since:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True)
class Usage:
    """A store as its users see it.

    Attributes:
        folder: Of a local store; None: it is far away.
    """

    files: SideFiles
    folder: Path | None

    @contextlib.contextmanager
    def by_run(
        self, lease: Lease, say: Callable[[str], None], renewed: Callable[[], None]
    ) -> Generator[None]:
        """Use the store beside other runs; a cleaning that is under way is waited for.

        Args:
            say: Told once of a cleaning, or that the store cannot be written.
            renewed: Called in a thread of its own whenever the lease is written again.
        """
        with contextlib.ExitStack() as stack:
            locked = stack.enter_context(_flock(self.folder, fcntl.LOCK_SH, say))
            try:
                name = stack.enter_context(self._lease(lease, renewed))
                self._await_cleaning(name, lease, locked, say)
            except _CannotNote as error:
                say(
                    f"the store cannot be written ({error}): nothing there says that this run "
                    "reads it, so a cleaning elsewhere may remove what it reads"
                )
            yield

    def _await_cleaning(
        self, name: str, lease: Lease, locked: bool, say: Callable[[str], None]
    ) -> None:
        told = False
        while True:
            others = self._others(name, lease, locked)
            cleaning = next((one for one in others if one.what == "cleaning"), None)
            if cleaning is None:
                return
            if not told:
                say(f"the store is cleaned by {cleaning}; waiting for the end of that")
            told = True
            time.sleep(AGAIN_SECONDS)
            self._write(name, lease)

    @contextlib.contextmanager
    def by_cleaning(self, lease: Lease) -> Generator[float]:
        """Use the store alone; gives the time of the store's clock.

        Raises:
            UserError: others use it; names one.
        """
        try:
            with (
                _flock(self.folder, fcntl.LOCK_EX, None) as locked,
                self._lease(lease, lambda: None) as name,
            ):
                if others := self._others(name, lease, locked):
                    raise _Busy(others)
                times = self.files.times(LEASES)
                now = times.pop(name)
                self.files.remove(times)  # of users that are gone
                yield now
        except _Busy as busy:
            others = busy.users or [one for one, _ in self._leases().values()]
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            who = f"{others[0]}{more}" if others else "a run that just begins"
            raise UserError(
                f"--delete: the store is used by {who}; expected no run at work"
            ) from None
        except _CannotNote as error:
            raise UserError(f"--delete: {error}") from None

    def _leases(self) -> dict[str, tuple[Lease, float]]:
        """Each lease and its time, by name."""
        times = self.files.times(LEASES)
        found: dict[str, tuple[Lease, float]] = {}
        for name, raw in self.files.read(LEASES).items():
            found[name] = _parsed(raw, name), times.get(name, float("inf"))
        return found

    def _others(self, mine: str, lease: Lease, locked: bool) -> list[Lease]:
        """Other users that count; of this machine `flock` tells, where it does."""
        leases = self._leases()
        now = leases[mine][1] if mine in leases else time.time()
        return [
            other
            for name, (other, written) in leases.items()
            if name != mine
            and now - written < LEASE_SECONDS
            and not (locked and lease.kernel and other.kernel == lease.kernel)
        ]

    @contextlib.contextmanager
    def _lease(self, lease: Lease, renewed: Callable[[], None]) -> Generator[str]:
        """Keep a lease for the length of the block; gives its name."""
        name = f"{LEASES}/{uuid.uuid4().hex}.json"
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(RENEW_SECONDS):
                # A store that is away is the steps' to say.
                with contextlib.suppress(OSError, UserError, StepError):
                    self._write(name, lease)
                    renewed()

        try:
            self._write(name, lease)
        except (OSError, UserError) as error:
            raise _CannotNote(str(error)) from error
        thread = threading.Thread(target=renew, name="lease of the store", daemon=True)
        thread.start()
        try:
            yield name
        finally:
            ended.set()

            def end() -> None:
                thread.join()  # it might write the lease once more
                self.files.remove([name])

            briefly(end)

    def _write(self, name: str, lease: Lease) -> None:
        self.files.write(name, json.dumps(lease.to_json()).encode())


def briefly(work: Callable[[], None]) -> None:
    """Try to tell the store something at the end; a person need not wait for one that is away."""

    def tried() -> None:
        with contextlib.suppress(OSError, UserError, StepError):
            work()

    thread = threading.Thread(target=tried, name="word to the store", daemon=True)
    thread.start()
    thread.join(END_SECONDS)


def _parsed(raw: bytes, name: str) -> Lease:
    """A lease; one of a form that this version does not know counts as a run's."""
    try:
        return Lease.from_json(json.loads(raw))
    except (ValueError, RecursionError):
        return Lease(what="run", run=name, home="", host="unknown", kernel="", pid=0, since=0.0)


class _CannotNote(Exception):
    """The store cannot be written, so nothing there says that it is used."""


class _Busy(Exception):
    """Others use the store; without names where they have left none yet."""

    def __init__(self, users: list[Lease]) -> None:
        super().__init__()
        self.users = users


@contextlib.contextmanager
def _flock(folder: Path | None, how: int, waits: Callable[[str], None] | None) -> Generator[bool]:
    """Hold a local store's lock; whether there is one that this machine's processes see.

    Args:
        folder: Of the store; None: it is far away.
        how: LOCK_SH or LOCK_EX.
        waits: Told once, if another holds it; None: do not wait.

    Raises:
        _Busy: another holds it.
    """
    handle = None if folder is None else _open(folder / USE_LOCK)
    if handle is None:
        yield False
        return
    try:
        yield _taken(handle, how, waits)
    finally:
        # A child that was forked while it was held must not keep it.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _open(path: Path) -> int | None:
    """The file to lock, never removed; None where there is none and none can be made."""
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    return None


def _taken(handle: int, how: int, waits: Callable[[str], None] | None) -> bool:
    told = False
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if waits is None:
                raise _Busy([]) from None
            if not told:
                waits("the store is cleaned now; waiting for the end of that")
            told = True
            time.sleep(LOCK_POLL_SECONDS)
        except OSError as error:
            if error.errno in _NO_FLOCK:
                return False
            raise
