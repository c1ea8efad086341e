"""A store as whoever cleans it sees it: its small files, who uses it, and what lies there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.store.garbage import Ground, LocalGround, remove_one
from tasks.store.garbage_far import FarGround
from tasks.store.manifest import MANIFEST
from tasks.store.quarantine import set_aside, set_aside_far
from tasks.store.remote import Remote
from tasks.store.side_files import LocalSideFiles, RemoteSideFiles, SideFiles
from tasks.store.untrusted import MANIFEST_BYTES
from tasks.store.usage import Usage


@dataclass(frozen=True)
class Place:
    """Where a store lies.

    Attributes:
        root: Of a local store.
        remote: Of one far away; None: it is local.
        drafts: Where its drafts lie on this machine.
    """

    root: Path
    remote: Remote | None
    drafts: Path

    @property
    def side(self) -> SideFiles:
        """The small files beside the artifacts."""
        return RemoteSideFiles(self.remote) if self.remote else LocalSideFiles(self.root)

    @property
    def usage(self) -> Usage:
        """Who uses the store."""
        return Usage(self.side, None if self.remote else self.root)

    def ground(self) -> Ground:
        """What a cleaning finds."""
        return FarGround(self.remote) if self.remote else LocalGround(self.root)

    def prefetch(self, locations: Iterable[str]) -> None:
        """Read many manifests of a store far away at once, each for one `read_manifest`."""
        if self.remote is not None:
            self.remote.many.read_ahead([f"{one}/{MANIFEST}" for one in locations])

    def manifest(self, location: str) -> bytes | None:
        """What the manifest of a store far away says now."""
        name = f"{location}/{MANIFEST}"
        return self.remote.read(name, MANIFEST_BYTES) if self.remote else None

    def set_aside(self, location: str, seen: bytes | None) -> None:
        """Put a damaged artifact into quarantine; see tasks/store/quarantine.py.

        Args:
            seen: Far away: the manifest that was found damaged.
        """
        if self.remote is None:
            set_aside(self.root, location)
        elif seen is not None:
            set_aside_far(self.remote, location, MANIFEST, seen)

    def remove(self, location: str) -> None:
        """Remove an artifact, while runs are at work."""
        if self.remote is None:
            remove_one(self.root, location)
        else:
            self.remote.many.remove([f"{location}/{MANIFEST}"])
            self.remote.remove(location)
