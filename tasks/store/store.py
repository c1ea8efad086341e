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
import hashlib
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from tasks.durable import sync_folder, sync_tree
from tasks.store.draft import Draft
from tasks.store.draft_owner import draft_name, is_abandoned
from tasks.store.files import describe_files, put_in_place, verify_files
from tasks.store.local_copies import LocalCopies
from tasks.store.locks import alone, sweep_locks
from tasks.store.manifest import (
    MANIFEST,
    ArtifactRef,
    Damage,
    Manifest,
    Refused,
    digest_of,
    digest_of_files,
)
from tasks.store.mark import StoreMark
from tasks.store.place import Place
from tasks.store.read_only import needs_writing, see_writable
from tasks.store.reading import Manifests
from tasks.store.remote import Remote, open_fs
from tasks.store.signing import key_of_environment, signed

# A store's folder that vanishes, as one on a network does, is waited for so long.
STORE_GONE_SECONDS = 60.0


class Store:
    """A place for artifacts: a local folder, or any address that fsspec understands."""

    def __init__(self, address: str, *, cache: Path, trusting: bool = False) -> None:
        """Open the store to read; nothing is written, not even where there is none.

        Args:
            address: Folder, or URL such as `s3://bucket/prefix`.
            cache: Local folder for drafts and copies of a store that is not local.
            trusting: Take artifacts that the key of RESTEM_STORE_KEY_FILE has not signed.

        Raises:
            UserError: the address, the credentials or the key are wrong.
        """
        self.address = address
        fs, self._root = open_fs(address)
        self.local = "file" in fs.protocol
        self._drafts = Path(self._root) / ".drafts" if self.local else cache / "drafts"
        self._locks = Path(self._root) / ".locks" if self.local else cache / "locks"
        self._remote = None if self.local else Remote(fs, self._root)
        self._copies: LocalCopies | None = None
        if self._remote is not None:
            # Stores of one home may hold other files under one key, such as wall times.
            folder = cache / "copies" / digest_of(address.rstrip("/"))[:12]
            self._copies = LocalCopies(self._remote, folder, self._drafts, self._locks)
        self._verified: dict[str, ArtifactRef] = {}
        self._manifests: dict[str, Manifest] = {}  # of verified artifacts
        self._settled: set[str] = set()  # kinds whose folder outlives a power cut
        self._key = key_of_environment()
        self.manifests = Manifests(self._root, self._remote, None if trusting else self._key)
        self._mark = StoreMark(self._root, self._remote, cache.parent)
        self.id = self._mark.found()
        self._seen = self.id is not None

    @property
    def root(self) -> str:
        """Its address, for people."""
        return self._root if self._remote is None else self._remote.name

    def prepare(self) -> None:
        """See that there is a store to write into; a new one is made.

        Raises:
            UserError: none can be made there.
        """
        self._mark.make()
        self.id, self._seen = self._mark.found(), True

    def _wait_for_root(self) -> bool:
        """See that a local store's folder is still that store; whether that took a wait.

        One that was there and is not, or is suddenly empty, had its disk unmounted: taken for an
        empty store, everything would be paid for again.

        Raises:
            StepError: it does not come back.
        """
        if self._mark.is_there():
            self._seen = True
            return False
        if not self._seen:  # there was none from the start
            return False
        self._mark.wait(STORE_GONE_SECONDS)
        return True

    @contextlib.contextmanager
    def draft(self, kind: str, key: str) -> Generator[Draft]:
        """A folder to fill, committed when the block ends well and removed otherwise."""
        path = self._drafts / draft_name(f"{kind}~{key}")
        self._wait_to_write()
        with needs_writing(self.root):
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
            Refused: it is there, but may not be taken here.
            Damage: it is there but does not match its manifest.
        """
        location = f"{kind}/{key}"
        if location not in self._verified:
            manifest = self.manifests.manifest(kind, key)
            if manifest is None and self._wait_for_root():
                manifest = self.manifests.manifest(kind, key)
            if manifest is None:
                return None
            if self._copies is None:
                folder = Path(self._root) / location
                verify_files(folder, manifest, str(folder), frozenset({MANIFEST}))
            else:
                self._copies.check(location, manifest)
            self._verified[location] = manifest.ref
            self._manifests[location] = manifest
        return self._verified[location]

    def path(self, ref: ArtifactRef) -> Path:
        """Local folder with the payload of a verified artifact (downloaded if need be).

        Raises:
            Damage: what a store far away sends does not match the manifest, or the reference
                leads nowhere in a store.
        """
        self.manifests.see_names(ref.kind, ref.key)
        if self._copies is None:
            return Path(self._root) / ref.location
        return self._copies.path(ref.location, self.manifest(ref))

    def read(self, ref: ArtifactRef, name: str) -> bytes:
        """Content of one small file of a verified artifact, without a copy of the others.

        Args:
            ref: The artifact.
            name: Of a file that its manifest names.

        Raises:
            Damage: there is none, or what a store far away sends does not match the manifest.
        """
        manifest = self.manifest(ref)
        entry = next((file for file in manifest.files if file.name == name), None)
        place = f"artifact {self.root}/{ref.location}: {name}"
        if entry is None:
            raise Damage(f"{place} is not in its manifest")
        if self._remote is None:
            return (self.path(ref) / name).read_bytes()
        found = self._remote.read(f"{manifest.payload}/{name}", entry.bytes)
        if found is None or hashlib.sha256(found).hexdigest() != entry.sha256:
            raise Damage(f"{place} does not match its manifest")
        return found

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
        manifest = self.manifests.manifest(kind, key)
        if manifest is None:
            raise Damage(f"artifact {self._root}/{kind}/{key}: {MANIFEST} is missing")
        return manifest

    def replace_manifest(self, ref: ArtifactRef, content: bytes) -> None:
        """Write the manifest of an artifact that is there anew."""
        self.manifests.replace(ref.kind, ref.key, content, self._drafts)
        self._manifests.pop(ref.location, None)

    def discard(self, kind: str, key: str) -> None:
        """Remove an artifact, damaged or not."""
        self.forget(f"{kind}/{key}")
        with needs_writing(self.root):
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
        self._wait_to_write()
        with needs_writing(self.root):
            self._locks.mkdir(parents=not self.local, exist_ok=True)
            see_writable(self._locks)
        return alone(self._locks / f"{kind}~{key}", waits)

    def entries(self) -> Iterator[tuple[str, str]]:
        """All (kind, key) in the store, sorted, whole or not."""
        for kind in self.manifests.names():
            for key in self.manifests.names(kind):
                yield kind, key

    def unfinished(self, kind: str, key: str) -> bool:
        """Whether there are uploads of an artifact, but nothing that says that one is whole.

        Somebody uploads it now, or was killed while doing so. A local store has no such state.
        """
        with contextlib.suppress(Damage):
            return self._remote is not None and self.manifests.raw(kind, key) is None
        return False

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
            if is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
                swept += 1
        with contextlib.suppress(OSError):  # a store that is only read
            sweep_locks(self._locks)
        return swept

    def _commit(self, kind: str, key: str, draft: Draft) -> None:
        files = describe_files(draft.path, draft.volatile)
        manifest = Manifest(kind, key, digest_of_files(files), draft.rows, files, draft.stats)
        if self._remote is not None:
            self._upload(f"{kind}/{key}", draft.path, manifest)
            return
        (draft.path / MANIFEST).write_bytes(signed(manifest.to_bytes(), self._key))
        sync_tree(draft.path)
        if self._is_there(kind, key):  # an equal run committed it meanwhile; readers may hold it
            sync_folder(Path(self._root) / kind)  # that run may not have come to it yet
        else:
            put_in_place(draft.path, Path(self._root) / kind / key)
            self._verified[f"{kind}/{key}"] = manifest.ref
        if kind not in self._settled:
            sync_folder(Path(self._root))
            self._settled.add(kind)

    def _upload(self, location: str, draft: Path, manifest: Manifest) -> None:
        """Commit a draft to a store far away, and keep it as the copy on this machine."""
        assert self._remote is not None and self._copies is not None
        part, files = self._remote.upload(draft, location, manifest.files)
        manifest = replace(manifest, part=part, files=files)
        if self._is_there(manifest.kind, manifest.key):
            self._remote.remove(manifest.payload)
            return  # an equal run on another machine committed it meanwhile
        self._remote.write(f"{location}/{MANIFEST}", signed(manifest.to_bytes(), self._key))
        self._copies.keep(location, draft)
        self._verified[location] = manifest.ref
        self._manifests[location] = manifest

    def _is_there(self, kind: str, key: str) -> bool:
        """Whether an artifact is there and whole; raises `Refused` where it may not be replaced."""
        try:
            return self.lookup(kind, key) is not None
        except Refused:
            raise
        except Damage:
            if self.local:
                self.discard(kind, key)  # nothing is put in its place through a link
            return False

    def _wait_to_write(self) -> None:
        if self._seen:
            self._wait_for_root()
        else:
            self.prepare()
