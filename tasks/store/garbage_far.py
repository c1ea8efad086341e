"""What a cleaning finds in a store far away, from one listing of all its objects, and removes.

Manifests go first, a thousand in a request, then what they named: a cleaning that is killed leaves
each artifact whole or not there, and parts that nothing names, which the next one finds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from tasks.store.garbage import About, IsOld, Waste
from tasks.store.manifest import MANIFEST, Damage, Manifest
from tasks.store.quarantine import QUARANTINE
from tasks.store.remote import Remote


class FarGround:
    """A store far away, as it was when this was made."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._objects = remote.many.objects()
        self._files: dict[str, list[str]] = {}
        for name in self._objects:
            kind, *rest = name.split("/")
            if len(rest) > 1 and not kind.startswith(".") and not rest[0].startswith("."):
                self._files.setdefault(f"{kind}/{rest[0]}", []).append(name)
        # Payloads of what was set aside lie where they lay.
        self._aside = self._read_quarantine()

    def artifacts(self) -> list[str]:
        """All KIND/KEY, sorted, but for those of which all is set aside."""
        aside = {name for names in self._aside.values() for name in names}
        return sorted(place for place, names in self._files.items() if set(names) - aside)

    def about(self, location: str) -> About:
        """Sizes and times of its objects."""
        names = self._files[location]
        modified = max(self._objects[name].modified for name in names)
        return About(self._bytes(names), modified, f"{location}/{MANIFEST}" in self._objects)

    def waste(self, old: IsOld, parts: Mapping[str, str | None]) -> list[Waste]:
        """Parts that no manifest names, and what was set aside."""
        found = [
            Waste("quarantine", record, self._bytes([record, *names]))
            for record, names in self._aside.items()
            if old(self._objects[record].modified)
        ]
        aside = {name for names in self._aside.values() for name in names}
        for location, counts in parts.items():
            for part, names in self._parts(location).items():
                named = counts in ("", part)
                newest = max(self._objects[name].modified for name in names)
                if not named and not aside & set(names) and old(newest):
                    found.append(Waste("upload", f"{location}/{part}", self._bytes(names)))
        return found

    def remove(self, locations: list[str], waste: list[Waste]) -> list[str]:
        """Manifests, then everything else."""
        manifests = [f"{location}/{MANIFEST}" for location in locations]
        self._remote.many.remove([name for name in manifests if name in self._objects])
        names = [name for location in locations for name in self._files[location]]
        for one in waste:
            if one.what == "quarantine":
                names += self._aside[one.name]
            elif one.what == "upload":
                location, _, part = one.name.rpartition("/")
                names += self._parts(location)[part]
        self._remote.many.remove(sorted(set(names) - set(manifests)))
        # Last: without its record the payload of something set aside would be an upload.
        self._remote.many.remove([one.name for one in waste if one.what == "quarantine"])
        return []

    def _parts(self, location: str) -> dict[str, list[str]]:
        parts: dict[str, list[str]] = {}
        for name in self._files.get(location, ()):
            part, *rest = name.removeprefix(f"{location}/").split("/")
            if rest:
                parts.setdefault(part, []).append(name)
        return parts

    def _read_quarantine(self) -> dict[str, list[str]]:
        """The objects of each thing that was set aside, by the name of its record."""
        records = [name for name in self._objects if name.startswith(f"{QUARANTINE}/")]
        found: dict[str, list[str]] = {name: [] for name in records}
        for name, raw in self._remote.many.read(records).items():
            # A manifest that cannot be read names nothing: its part is an upload.
            with contextlib.suppress(Damage):
                manifest = Manifest.from_bytes(raw, name)
                location = "/".join(name.removeprefix(f"{QUARANTINE}/").split("~")[:2])
                if manifest.part:
                    found[name] = self._parts(location).get(manifest.part, [])
        return found

    def _bytes(self, names: Iterable[str]) -> int:
        return sum(self._objects[name].bytes for name in names)
