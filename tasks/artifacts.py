"""Artifacts: content-addressed folders that are either whole and verified, or not there.

An artifact is a folder `KIND/KEY` in a store: payload files and `manifest.json`. The key says what
was asked (step, version, settings, digests of the inputs); the digest says what came out. Payloads
are written into a folder beside the store's artifacts, the manifest last, and one rename commits
all of it; on a store without renames the manifest is uploaded last and nothing counts without it.

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

import fsspec

from tasks.errors import StepError
from tasks.locks import POLL_SECONDS, alone, sweep

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
        self._fs, self._root = fsspec.core.url_to_fs(address)
        self._root = self._root.rstrip("/")
        self.local = "file" in self._fs.protocol
        self._drafts = Path(self._root) / ".drafts" if self.local else cache / "drafts"
        self._copies = cache / "copies"
        self._mark = Path(self._root) / ".restem-store"
        self._locks = Path(self._root) / ".locks" if self.local else cache / "locks"
        self._verified: dict[str, ArtifactRef] = {}
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
        path = self._drafts / f"{kind}~{key}~{platform.node()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"
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
            folder = self._folder(kind, key, manifest)
            _verify(folder, manifest, f"{self._root}/{location}")
            self._verified[location] = _ref(manifest)
        return self._verified[location]

    def path(self, ref: ArtifactRef) -> Path:
        """Local folder with the payload of a verified artifact (downloaded if need be)."""
        return self._folder(ref.kind, ref.key, self.manifest(ref))

    def manifest(self, ref: ArtifactRef) -> Json:
        """The manifest: provenance, files with digests, and the step's stats."""
        return self.read_manifest(ref.kind, ref.key)

    def read_manifest(self, kind: str, key: str) -> Json:
        """The manifest of an artifact that should be there.

        Raises:
            Damage: it is not, or is not whole.
        """
        manifest = self._manifest(kind, key)
        if manifest is None:
            raise Damage(f"artifact {self._root}/{kind}/{key}: {MANIFEST} is missing")
        return manifest

    def discard(self, kind: str, key: str) -> None:
        """Remove an artifact, damaged or not."""
        self._verified.pop(f"{kind}/{key}", None)
        place = f"{self._root}/{kind}/{key}"
        if self._fs.exists(place):
            self._fs.rm(place, recursive=True)
        shutil.rmtree(self._copies / kind / key, ignore_errors=True)

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
        if not self._fs.exists(self._root):
            return
        for kind in sorted(self._fs.ls(self._root, detail=False)):
            name = kind.rstrip("/").rsplit("/", 1)[-1]
            if not name.startswith(".") and self._fs.isdir(kind):
                for entry in sorted(self._fs.ls(kind, detail=False)):
                    yield name, entry.rstrip("/").rsplit("/", 1)[-1]

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
        manifest["check"] = digest_of(manifest)
        (draft.path / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        place = f"{self._root}/{kind}/{key}"
        if self.local:
            _sync(draft.path)
            with contextlib.suppress(Damage):
                if self.lookup(kind, key) is not None:
                    return  # an equal run committed it meanwhile; readers may hold its files
            _rename(draft.path, Path(place))
        else:
            self._fs.makedirs(place, exist_ok=True)
            for name in [f["name"] for f in files] + [MANIFEST]:
                self._fs.makedirs(os.path.dirname(f"{place}/{name}"), exist_ok=True)
                self._fs.put_file(str(draft.path / name), f"{place}/{name}")
        self._verified[f"{kind}/{key}"] = _ref(manifest)

    def _manifest(self, kind: str, key: str) -> Json | None:
        place = f"{self._root}/{kind}/{key}"
        try:
            with self._fs.open(f"{place}/{MANIFEST}", "rb") as file:
                manifest = json.loads(file.read())
            check = manifest.pop("check")
            if check != digest_of(manifest):
                raise ValueError
            return manifest
        except FileNotFoundError:
            if self.local and Path(place).is_dir():
                raise Damage(f"artifact {place}: {MANIFEST} is missing") from None
            return None
        except (ValueError, KeyError, TypeError):
            raise Damage(f"artifact {place}: {MANIFEST} does not match its own hash") from None

    def _folder(self, kind: str, key: str, manifest: Json) -> Path:
        if self.local:
            return Path(self._root) / kind / key
        copy = self._copies / kind / key
        with contextlib.suppress(Damage):
            _verify(copy, manifest, str(copy))
            return copy
        shutil.rmtree(copy, ignore_errors=True)
        for file in manifest["files"]:
            (copy / file["name"]).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                place = f"{self._root}/{kind}/{key}/{file['name']}"
                self._fs.get_file(place, str(copy / file["name"]))
        return copy


class Damage(Exception):
    """An artifact does not match its manifest; the message names the file."""


def _ref(manifest: Json) -> ArtifactRef:
    return ArtifactRef(**{name: manifest[name] for name in ("kind", "key", "digest", "rows")})


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
