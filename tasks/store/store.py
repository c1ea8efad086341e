"""Artifacts: content-addressed folders that are either whole and verified, or not there.

An artifact is a folder `KIND/KEY` in a store: payload files and `manifest.json`. The key says what
was asked (step, version, settings, digests of the inputs); the digest says what came out. Payloads
are written into a folder beside the store's artifacts, the manifest last, and one rename commits
all of it; a store without renames commits by its manifest (tasks/store/remote.py), and what is read
of it lies as copies on this machine, each downloaded once.

Files marked volatile (wall times) are verified like the others but stay out of the digest, so
equal work gives equal digests. See tasks/dag/step.py for how Prefect's cache sits on top.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.errors import StepError
from tasks.rows import Json
from tasks.store.files import describe_files, draft_name, put_in_place, sync, verify_files
from tasks.store.local_copies import LocalCopies
from tasks.store.locks import LOCK_POLL_SECONDS, alone, sweep_locks
from tasks.store.manifest import MANIFEST, ArtifactRef, Damage, Manifest, Stats, digest_of
from tasks.store.place import Place
from tasks.store.remote import STORE_MARK, Remote, open_fs

# A store's folder that vanishes, as one on a network does, is waited for so long.
STORE_GONE_SECONDS = 60.0


def step_key(step: str, version: int, settings: Json, inputs: dict[str, str]) -> str:
    """The cache key of a step: 32 hex digits over all that may change its result.

    Args:
        version: Raised by hand whenever the step's code changes what it gives.
        settings: The recipe settings the step reads; never resources.
        inputs: Digest of each input.
    """
    return digest_of([step, version, settings, inputs])[:32]


@dataclass
class Draft:
    """A folder being filled; the rest may be set until it is committed.

    Attributes:
        rows: Of the artifact, for people.
        stats: What the step tells of its making.
        waited: Seconds that the step waited for what other steps used; not its own.
        volatile: Names of files left out of the digest.
    """

    path: Path
    rows: int = 0
    stats: Stats = field(default_factory=Stats)
    waited: float = 0.0
    volatile: set[str] = field(default_factory=set[str])


class Store:
    """A place for artifacts: a local folder, or any address that fsspec understands."""

    def __init__(self, address: str, *, cache: Path) -> None:
        """Open the store.

        Args:
            address: Folder, or URL such as `s3://bucket/prefix`.
            cache: Local folder for drafts and copies of a store that is not local.
        """
        self.address = address
        fs, self._root = open_fs(address)
        self.local = "file" in fs.protocol
        self._drafts = Path(self._root) / ".drafts" if self.local else cache / "drafts"
        self._mark = Path(self._root) / STORE_MARK
        self._locks = Path(self._root) / ".locks" if self.local else cache / "locks"
        self._remote = None if self.local else Remote(fs, self._root)
        self._copies: LocalCopies | None = None
        if self._remote is not None:
            # Stores of one home may hold other files under one key, such as wall times.
            folder = cache / "copies" / digest_of(address.rstrip("/"))[:12]
            self._copies = LocalCopies(self._remote, folder, self._drafts, self._locks)
        self._verified: dict[str, ArtifactRef] = {}
        self._manifests: dict[str, Manifest] = {}  # of verified artifacts
        if self.local:
            Path(self._root).mkdir(parents=True, exist_ok=True)
            self._mark.touch()

    def _wait_for_root(self) -> bool:
        """See that a local store's folder is still that store; whether that took a wait.

        One that was there and is not, or is suddenly empty, had its disk unmounted: taken for an
        empty store, everything would be paid for again.

        Raises:
            StepError: it does not come back.
        """
        if not self.local or self._mark.exists():
            return False
        deadline = time.monotonic() + STORE_GONE_SECONDS
        while not self._mark.exists():
            if time.monotonic() > deadline:
                raise StepError(
                    f"the store {self._root} is gone since {STORE_GONE_SECONDS:.0f} s (is its disk "
                    "mounted?); the same command resumes the run when it is back"
                )
            time.sleep(LOCK_POLL_SECONDS)
        return True

    @contextlib.contextmanager
    def draft(self, kind: str, key: str) -> Generator[Draft]:
        """A folder to fill, committed when the block ends well and removed otherwise."""
        path = self._drafts / draft_name(f"{kind}~{key}")
        self._wait_for_root()
        self._drafts.mkdir(parents=not self.local, exist_ok=True)
        path.mkdir()
        draft = Draft(path)
        try:
            yield draft
            self._commit(kind, key, draft)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def lookup(self, kind: str, key: str) -> ArtifactRef | None:
        """The artifact if it is there and whole; each is verified once by a process.

        Raises:
            Damage: it is there but does not match its manifest.
        """
        location = f"{kind}/{key}"
        if location not in self._verified:
            manifest = self._manifest(kind, key)
            if manifest is None and self._wait_for_root():
                manifest = self._manifest(kind, key)
            if manifest is None:
                return None
            if self._copies is None:
                verify_files(Path(self._root) / location, manifest, f"{self._root}/{location}")
            else:
                self._copies.check(location, manifest)
            self._verified[location] = manifest.ref
            self._manifests[location] = manifest
        return self._verified[location]

    def path(self, ref: ArtifactRef) -> Path:
        """Local folder with the payload of a verified artifact (downloaded if need be).

        Raises:
            Damage: what a store far away sends does not match the manifest.
        """
        if self._copies is None:
            return Path(self._root) / ref.location
        return self._copies.path(ref.location, self.manifest(ref))

    def manifest(self, ref: ArtifactRef) -> Manifest:
        """The manifest: provenance, files with digests, and the step's stats."""
        return self.read_manifest(ref.kind, ref.key)

    def read_manifest(self, kind: str, key: str) -> Manifest:
        """The manifest of an artifact that should be there.

        Raises:
            Damage: it is not, or is not whole.
        """
        if (known := self._manifests.get(f"{kind}/{key}")) is not None:
            return known
        manifest = self._manifest(kind, key)
        if manifest is None:
            raise Damage(f"artifact {self._root}/{kind}/{key}: {MANIFEST} is missing")
        return manifest

    def discard(self, kind: str, key: str) -> None:
        """Remove an artifact, damaged or not."""
        self.forget(f"{kind}/{key}")
        self.place.remove(f"{kind}/{key}")

    def forget(self, location: str) -> None:
        """Look again when an artifact is asked for next, and download it again."""
        self._verified.pop(location, None)
        self._manifests.pop(location, None)
        if self._copies is not None:
            self._copies.drop(location)

    @property
    def place(self) -> Place:
        """Where the store lies, for cleaning it."""
        return Place(Path(self._root), self._remote, self._drafts)

    def claim(
        self, kind: str, key: str, waits: Callable[[], None] = lambda: None
    ) -> contextlib.AbstractContextManager[None]:
        """Alone to make an artifact, among all that use this store from this folder.

        Args:
            kind: Folder of its kind, such as samples.
            key: Cache key, 32 hex digits.
            waits: Told once, if another run makes it now.
        """
        self._wait_for_root()
        self._locks.mkdir(parents=not self.local, exist_ok=True)
        return alone(self._locks / f"{kind}~{key}", waits)

    def entries(self) -> Iterator[tuple[str, str]]:
        """All (kind, key) in the store, sorted, whole or not."""
        for kind in self._folders(""):
            for key in self._folders(kind):
                yield kind, key

    def unfinished(self, kind: str, key: str) -> bool:
        """Whether there are uploads of an artifact, but nothing that says that one is whole.

        Somebody uploads it now, or was killed while doing so. A local store has no such state.
        """
        return self._remote is not None and self._remote.read(f"{kind}/{key}/{MANIFEST}") is None

    def drop_copies(self, delete: bool) -> list[str]:
        """Local copies of artifacts that a store far away no longer has.

        Args:
            delete: Remove them.

        Returns:
            Their locations, KIND/KEY.
        """
        if self._copies is None or not (here := self._copies.listed()):
            return []
        there = {f"{kind}/{key}" for kind, key in self.entries()}
        gone = [location for location in here if location not in there]
        for location in gone if delete else ():
            self._copies.drop(location)
        return gone

    def sweep_drafts(self) -> int:
        """Remove drafts and locks whose process is gone (it was killed); how many drafts."""
        swept = 0
        for path in self._drafts.glob("*~*~*~*~*"):
            _, _, host, pid, *_ = path.name.split("~")
            if host == platform.node() and not _alive(int(pid)):
                shutil.rmtree(path, ignore_errors=True)
                swept += 1
        sweep_locks(self._locks)
        return swept

    def _commit(self, kind: str, key: str, draft: Draft) -> None:
        files = describe_files(draft.path, draft.volatile)
        digest = digest_of([[file.name, file.sha256] for file in files if not file.volatile])
        manifest = Manifest(kind, key, digest, draft.rows, files, draft.stats)
        if self._remote is not None:
            self._upload(f"{kind}/{key}", draft.path, manifest)
            return
        (draft.path / MANIFEST).write_bytes(manifest.to_bytes())
        sync(draft.path)
        with contextlib.suppress(Damage):
            if self.lookup(kind, key) is not None:
                return  # an equal run committed it meanwhile; readers may hold its files
        put_in_place(draft.path, Path(self._root) / kind / key)
        self._verified[f"{kind}/{key}"] = manifest.ref

    def _upload(self, location: str, draft: Path, manifest: Manifest) -> None:
        """Commit a draft to a store far away, and keep it as the copy on this machine."""
        assert self._remote is not None and self._copies is not None
        part, files = self._remote.upload(draft, location, manifest.files)
        manifest = replace(manifest, part=part, files=files)
        with contextlib.suppress(Damage):
            if self.lookup(manifest.kind, manifest.key) is not None:
                self._remote.remove(manifest.payload)
                return  # an equal run on another machine committed it meanwhile
        self._remote.write(f"{location}/{MANIFEST}", manifest.to_bytes())
        self._copies.keep(location, draft)
        self._verified[location] = manifest.ref
        self._manifests[location] = manifest

    def _manifest(self, kind: str, key: str) -> Manifest | None:
        place = f"{self._root}/{kind}/{key}"
        raw = self._read(f"{kind}/{key}/{MANIFEST}")
        if raw is None:
            if self.local and Path(place).is_dir():
                raise Damage(f"artifact {place}: {MANIFEST} is missing")
            return None
        return Manifest.from_bytes(raw, place)

    def _read(self, name: str) -> bytes | None:
        if self._remote is not None:
            return self._remote.read(name)
        with contextlib.suppress(FileNotFoundError):
            return (Path(self._root) / name).read_bytes()
        return None

    def _folders(self, place: str) -> list[str]:
        if self._remote is not None:
            return self._remote.folders(place)
        folder = Path(self._root) / place
        return sorted(p.name for p in folder.glob("*") if p.is_dir() and p.name[0] != ".")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
