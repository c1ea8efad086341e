"""Artifacts: content-addressed folders that are either whole and verified, or not there.

An artifact is a folder `KIND/KEY` in a store: payload files and `manifest.json`. The key says what
was asked (step, version, settings, digests of the inputs); the digest says what came out. Payloads
are written into a folder beside the store's artifacts, the manifest last, and one rename commits
all of it; a store without renames commits by its manifest (tasks/remote.py), and what is read of
it lies as copies on this machine, each downloaded once.

Files marked volatile (wall times) are verified like the others but stay out of the digest, so
equal work gives equal digests. See tasks/steps.py for how Prefect's cache sits on top.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tasks.errors import StepError
from tasks.locks import POLL_SECONDS, alone, sweep
from tasks.remote import MARK, Remote, open_fs

MANIFEST = "manifest.json"
# A store's folder that vanishes, as one on a network does, is waited for so long.
GONE_SECONDS = 60.0
Json = dict[str, Any]


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON-able value in its canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def step_key(step: str, version: int, settings: Json, inputs: dict[str, str]) -> str:
    """The cache key of a step: 32 hex digits over all that may change its result.

    Args:
        step: Name of the step.
        version: Raised by hand whenever the step's code changes what it gives.
        settings: The recipe settings the step reads; never resources.
        inputs: Digest of each input.
    """
    return digest_of([step, version, settings, inputs])[:32]


@dataclass(frozen=True)
class ArtifactRef:
    """What a step returns and Prefect keeps: a name for a payload, never the payload."""

    kind: str
    key: str
    digest: str
    rows: int

    @property
    def location(self) -> str:
        """Path relative to the store."""
        return f"{self.kind}/{self.key}"

    def to_json(self) -> Json:
        """Plain JSON, free of class paths, so that moving this class loses no cache."""
        return asdict(self)


@dataclass
class Draft:
    """A folder being filled. `rows` and `stats` may be set until it is committed."""

    path: Path
    rows: int = 0
    stats: Json = field(default_factory=dict)  # volatile facts: seconds, tokens, counts
    volatile: set[str] = field(default_factory=set)  # file names left out of the digest


class Store:
    """A place for artifacts: a local folder, or any address that fsspec understands."""

    def __init__(self, address: str, *, cache: Path) -> None:
        """Open the store.

        Args:
            address: Folder, or URL such as `s3://bucket/prefix`.
            cache: Local folder for drafts and copies of a store that is not local.
        """
        fs, self._root = open_fs(address)
        self.local = "file" in fs.protocol
        self._drafts = Path(self._root) / ".drafts" if self.local else cache / "drafts"
        self._mark = Path(self._root) / MARK
        self._locks = Path(self._root) / ".locks" if self.local else cache / "locks"
        # Stores of one home may hold other files under one key, such as wall times.
        self._copies = cache / "copies" / digest_of(address.rstrip("/"))[:12]
        self._remote = None if self.local else Remote(fs, self._root)
        self._verified: dict[str, ArtifactRef] = {}
        self._manifests: dict[str, Json] = {}  # of verified artifacts
        self._copied: set[str] = set()
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
        deadline = time.monotonic() + GONE_SECONDS
        while not self._mark.exists():
            if time.monotonic() > deadline:
                raise StepError(
                    f"the store {self._root} is gone since {GONE_SECONDS:.0f} s (is its disk "
                    "mounted?); the same command resumes the run when it is back"
                )
            time.sleep(POLL_SECONDS)
        return True

    @contextlib.contextmanager
    def draft(self, kind: str, key: str) -> Iterator[Draft]:
        """A folder to fill, committed when the block ends well and removed otherwise."""
        path = self._drafts / _draft_name(f"{kind}~{key}")
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
            self._check(location, manifest)
            self._verified[location] = _ref(manifest)
            self._manifests[location] = manifest
        return self._verified[location]

    def path(self, ref: ArtifactRef) -> Path:
        """Local folder with the payload of a verified artifact (downloaded if need be).

        Raises:
            Damage: what a store far away sends does not match the manifest.
        """
        if self._remote is None:
            return Path(self._root) / ref.location
        if ref.location in self._copied:
            return self._copies / ref.location
        return self._copy(ref.location, self.manifest(ref))

    def manifest(self, ref: ArtifactRef) -> Json:
        """The manifest: provenance, files with digests, and the step's stats."""
        return self.read_manifest(ref.kind, ref.key)

    def read_manifest(self, kind: str, key: str) -> Json:
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
        location = f"{kind}/{key}"
        self._forget(location)
        if self._remote is None:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(Path(self._root) / location)
        else:
            self._remote.remove(location)
            shutil.rmtree(self._copies / location, ignore_errors=True)

    def claim(
        self, kind: str, key: str, waits: Callable[[], None] = lambda: None
    ) -> contextlib.AbstractContextManager[None]:
        """Alone to make an artifact, among all that use this store from this folder.

        Args:
            kind: Of the artifact.
            key: Of the artifact.
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
        here = sorted(f"{p.parent.name}/{p.name}" for p in self._copies.glob("*/*"))
        if not here:
            return []
        there = {f"{kind}/{key}" for kind, key in self.entries()}
        gone = [location for location in here if location not in there]
        for location in gone if delete else ():
            self._forget(location)
            shutil.rmtree(self._copies / location, ignore_errors=True)
        return gone

    def sweep_drafts(self) -> int:
        """Remove drafts and locks whose process is gone (it was killed); how many drafts."""
        swept = 0
        for path in self._drafts.glob("*~*~*~*~*"):
            _, _, host, pid, *_ = path.name.split("~")
            if host == platform.node() and not _alive(int(pid)):
                shutil.rmtree(path, ignore_errors=True)
                swept += 1
        sweep(self._locks)
        return swept

    def _commit(self, kind: str, key: str, draft: Draft) -> None:
        files = [
            _describe(path, draft.path, draft.volatile)
            for path in sorted(draft.path.rglob("*"))
            if path.is_file()
        ]
        manifest = {
            "kind": kind,
            "key": key,
            "digest": digest_of([[f["name"], f["sha256"]] for f in files if not f["volatile"]]),
            "rows": draft.rows,
            "files": files,
            "stats": draft.stats,
        }
        if self._remote is not None:
            self._upload(f"{kind}/{key}", draft.path, manifest)
            return
        (draft.path / MANIFEST).write_bytes(_sealed(manifest))
        _sync(draft.path)
        with contextlib.suppress(Damage):
            if self.lookup(kind, key) is not None:
                return  # an equal run committed it meanwhile; readers may hold its files
        _rename(draft.path, Path(self._root) / kind / key)
        self._verified[f"{kind}/{key}"] = _ref(manifest)

    def _upload(self, location: str, draft: Path, manifest: Json) -> None:
        """Commit a draft to a store far away, and keep it as the copy on this machine."""
        assert self._remote is not None
        manifest = {**manifest, **self._remote.upload(draft, location, manifest["files"])}
        with contextlib.suppress(Damage):
            if self.lookup(manifest["kind"], manifest["key"]) is not None:
                self._remote.remove(f"{location}/{manifest['part']}")
                return  # an equal run on another machine committed it meanwhile
        self._remote.write(f"{location}/{MANIFEST}", _sealed(manifest))
        with alone(self._copy_lock(location)):
            self._keep_copy(location, draft)
        self._verified[location] = _ref(manifest)
        self._manifests[location] = manifest
        self._copied.add(location)

    def _manifest(self, kind: str, key: str) -> Json | None:
        place = f"{self._root}/{kind}/{key}"
        raw = self._read(f"{kind}/{key}/{MANIFEST}")
        if raw is None:
            if self.local and Path(place).is_dir():
                raise Damage(f"artifact {place}: {MANIFEST} is missing")
            return None
        try:
            manifest = json.loads(raw)
            check = manifest.pop("check")
            if check != digest_of(manifest):
                raise ValueError
            return manifest
        except (ValueError, KeyError, TypeError):
            raise Damage(f"artifact {place}: {MANIFEST} does not match its own hash") from None

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

    def _check(self, location: str, manifest: Json) -> None:
        """See that a payload is what its manifest says."""
        if self._remote is None:
            _verify(Path(self._root) / location, manifest, f"{self._root}/{location}")
            return
        there = self._remote.files(_place(location, manifest))
        for file in manifest["files"]:
            if file["name"] not in there:
                raise Damage(f"artifact {self._root}/{location}: {file['name']} is missing")
            if there[file["name"]][0] != file["bytes"]:
                raise Damage(
                    f"artifact {self._root}/{location}: {file['name']} does not match its manifest"
                )
        if any(not f.get("etag") or there[f["name"]][1] != f["etag"] for f in manifest["files"]):
            self._copied.discard(location)
            try:
                self._copy(location, manifest, afresh=any(there[n][1] for n in there))
            except Damage:
                self._forget(location)
                raise

    def _copy(self, location: str, manifest: Json, *, afresh: bool = False) -> Path:
        """The copy on this machine, downloaded if need be by one process of it.

        Args:
            location: Of the artifact.
            manifest: Its manifest.
            afresh: Download it although there is one.
        """
        assert self._remote is not None
        copy = self._copies / location
        with alone(self._copy_lock(location)):
            if not afresh:
                with contextlib.suppress(Damage):
                    _verify(copy, manifest, str(copy))
                    self._copied.add(location)
                    return copy
            draft = self._drafts / _draft_name(location.replace("/", "~"))
            try:
                names = [file["name"] for file in manifest["files"]]
                draft.mkdir(parents=True)
                self._remote.download(_place(location, manifest), names, draft)
                _verify(draft, manifest, f"{self._root}/{location}")
                self._keep_copy(location, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        self._copied.add(location)
        return copy

    def _keep_copy(self, location: str, folder: Path) -> None:
        (self._copies / location).parent.mkdir(parents=True, exist_ok=True)
        _rename(folder, self._copies / location)

    def _copy_lock(self, location: str) -> Path:
        self._locks.mkdir(parents=True, exist_ok=True)
        return self._locks / f"{self._copies.name}~{location.replace('/', '~')}"

    def _forget(self, location: str) -> None:
        self._verified.pop(location, None)
        self._manifests.pop(location, None)
        self._copied.discard(location)


class Damage(Exception):
    """An artifact does not match its manifest; the message names the file."""


def _ref(manifest: Json) -> ArtifactRef:
    return ArtifactRef(**{name: manifest[name] for name in ("kind", "key", "digest", "rows")})


def _sealed(manifest: Json) -> bytes:
    """A manifest as it is written, with the hash of itself."""
    whole = {**manifest, "check": digest_of(manifest)}
    return json.dumps(whole, indent=1, sort_keys=True).encode()


def _place(location: str, manifest: Json) -> str:
    """Where the payload of an artifact lies in a store far away."""
    return f"{location}/{manifest['part']}" if "part" in manifest else location


def _draft_name(what: str) -> str:
    """A name that says whose draft it is, so that it can be swept when its process is gone."""
    return f"{what}~{platform.node()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"


def _verify(folder: Path, manifest: Json, name: str) -> None:
    """Compare every file with the manifest, byte for byte through its hash."""
    for file in manifest["files"]:
        path = folder / file["name"]
        if not path.is_file():
            raise Damage(f"artifact {name}: {file['name']} is missing")
        if path.stat().st_size != file["bytes"] or _sha256(path) != file["sha256"]:
            raise Damage(f"artifact {name}: {file['name']} does not match its manifest")


def _describe(path: Path, folder: Path, volatile: set[str]) -> Json:
    name = str(path.relative_to(folder))
    return {
        "name": name,
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "volatile": name in volatile,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Flush to disk before the rename, so that a power cut cannot commit empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _rename(draft: Path, place: Path) -> None:
    """Put a draft in its place, and away what was damaged there."""
    place.parent.mkdir(exist_ok=True)  # never the store itself, whose disk may be unmounted
    try:
        os.rename(draft, place)
    except OSError:
        trash = draft.with_name(draft.name + ".old")
        os.rename(place, trash)
        os.rename(draft, place)
        shutil.rmtree(trash, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
