"""Manifests of a store that somebody else writes, on this disk and far away."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from bench.recovery._fuzz_inputs import changed, torn, written
from bench.recovery.fuzz import Violation
from flows.runs.store import listing, verify_store
from tasks.store.manifest import MANIFEST, ArtifactRef, Damage, Provenance, Stats, digest_of
from tasks.store.store import Store

_KIND, _KEY = "samples", "0123456789abcdef0123456789abcdef"
_FAR = "memory://fuzzed"
# Every so many inputs the whole store is listed and verified as well.
_WHOLE = 25


class Manifests:
    """A store with one artifact, whose manifest is changed, near and far."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self._own, self._outside = folder / "own", folder / "outside"
        self._outside.mkdir(exist_ok=True)
        (self._outside / "payload").write_bytes(b"rows")
        self._stores = (str(self._own / "store"), _FAR)
        self._good: dict[str, dict[str, bytes]] = {}
        self._tried = 0
        for address in self._stores:
            store = Store(address, cache=self._own / "cache")
            with store.draft(_KIND, _KEY) as draft:
                for name in ("rows.parquet", "notes.json", "more/part.bin"):
                    path = draft.path / name
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(b"rows")
                draft.rows, draft.volatile = 3, {"notes.json"}
                draft.stats = Stats(seconds=1.5, tokens=3, parts={"a": 0.5}, provenance=_made())
            self._good[address] = self._files(address)

    def try_one(self, random: Random) -> str:
        """Change the manifest, or what lies around it, and read the artifact in all ways."""
        self._tried += 1
        address = random.choice(self._stores)
        shutil.rmtree(self._own / "cache", ignore_errors=True)
        try:
            how = self._spoil(address, random)
            return f"{'far' if address == _FAR else 'near'}, {how}: {self._read(address)}"
        finally:
            self._mend(address)

    def close(self) -> None:
        """Forget what is far away."""
        fsspec.filesystem("memory").store.clear()

    def _spoil(self, address: str, random: Random) -> str:
        name = next(one for one in self._good[address] if one.endswith(MANIFEST))
        raw = self._good[address][name]
        if address != _FAR and random.random() < 0.08:
            return self._misplace(Path(name), random)
        way = random.random()
        if way < 0.3:
            spoiled, how = torn(raw, random), "bytes"
        else:
            value = changed(json.loads(raw), random)
            how = "fields"
            if way < 0.8 and isinstance(value, dict):  # as one who can write them would
                how = "signed"
                value.pop("check", None)
                try:
                    value["check"] = digest_of(value)
                except (RecursionError, ValueError):
                    how = "fields"
            spoiled = written(value)
            if random.random() < 0.1:
                spoiled, how = torn(spoiled, random), "bytes"
        self._write(address, name, spoiled)
        return how

    def _misplace(self, manifest: Path, random: Random) -> str:
        """Put something else in the place of a file."""
        victim = random.choice((manifest, manifest.parent / "rows.parquet", manifest.parent))
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
        way = random.randrange(7)
        if way == 0:
            victim.mkdir()
        elif way == 1:
            victim.symlink_to(victim)
        elif way == 2:
            victim.symlink_to(self._outside / "payload")
        elif way == 3:
            victim.symlink_to("/dev/zero")
        elif way == 4:
            os.mkfifo(victim)
        elif way == 5:
            victim.write_bytes(b"")
        return "place"

    def _read(self, address: str) -> str:
        store = Store(address, cache=self._own / "cache")
        found: ArtifactRef | None = None
        try:
            found = store.lookup(_KIND, _KEY)
            if found is not None:
                place = store.path(found).resolve()
                if not place.is_relative_to(self._own):
                    raise Violation(f"a payload outside: {place}")
                store.read_manifest(_KIND, _KEY)
            said = "absent" if found is None else "whole"
        except Damage as damage:
            said = "damage"
            if "\n" in str(damage) or len(str(damage)) > 2000:
                raise Violation("damage is said in more than a line") from None
        if found is not None and (found.kind, found.key) != (_KIND, _KEY):
            raise Violation("an artifact of another name")
        if self._tried % _WHOLE == 0:
            listing(address)
            verify_store(address)
        return said

    def _files(self, address: str) -> dict[str, bytes]:
        if address == _FAR:
            store: dict[str, Any] = fsspec.filesystem("memory").store
            return {name: file.getvalue() for name, file in store.items()}
        files = (path for path in Path(address).rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    def _write(self, address: str, name: str, raw: bytes) -> None:
        if address == _FAR:
            fsspec.filesystem("memory").pipe_file(name, raw)
            return
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(raw)

    def _mend(self, address: str) -> None:
        """Put everything back, and see that nothing outside was changed."""
        if address == _FAR:
            fsspec.filesystem("memory").store.clear()
        else:
            place = Path(address) / _KIND
            if place.is_symlink() or not place.is_dir():
                place.unlink(missing_ok=True)
            shutil.rmtree(place, ignore_errors=True)
        for name, raw in self._good[address].items():
            self._write(address, name, raw)
        if [one.name for one in self._outside.iterdir()] != ["payload"]:
            raise Violation("something was written outside")
        if (self._outside / "payload").read_bytes() != b"rows":
            raise Violation("a file outside was changed")


def _made() -> Provenance:
    other = ArtifactRef("problems", "f" * 32, "e" * 64, 7)
    return Provenance("generate", 3, "generate p0 [0:3]", {"seed": 1}, {"p": other}, {}, {})


def open_target(folder: Path) -> Manifests:
    """The target, in a folder of its own."""
    return Manifests(folder)
