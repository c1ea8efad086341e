"""An artifact in a store that somebody else may write, and what they might put there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from tasks.store.manifest import digest_of
from tasks.store.store import MANIFEST, Store
from tasks.store.untrusted import INT_DIGITS, JSON_DEPTH, MANIFEST_BYTES

KIND, KEY = "model", "0123456789abcdef"
HASH = "0" * 64


def put(store: Store, kind: str = KIND, key: str = KEY) -> None:
    """A whole artifact."""
    with store.draft(kind, key) as draft:
        (draft.path / "a.txt").write_text("payload")
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "b.bin").write_bytes(bytes(256))
        (draft.path / "seconds.txt").write_text("1")
        draft.volatile = {"seconds.txt"}


class Site:
    """The store as its other writers see it: files below an address."""

    def __init__(self, address: str) -> None:
        self.fs, self.root = fsspec.url_to_fs(address, skip_instance_cache=True)
        self.local = "file" in self.fs.protocol

    def write(self, name: str, content: bytes) -> None:
        path = f"{self.root}/{name}"
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(path, content)
        self.fs.invalidate_cache()

    def names(self) -> list[str]:
        self.fs.invalidate_cache()
        return sorted(path.removeprefix(f"{self.root}/") for path in self.fs.find(self.root))

    def manifest(self) -> dict[str, Any]:
        raw = self.fs.cat_file(f"{self.root}/{KIND}/{KEY}/{MANIFEST}")
        found = json.loads(raw)
        del found["check"]
        return found

    def payload(self) -> str:
        """Where the payload of the artifact lies."""
        part = self.manifest().get("part")
        return f"{KIND}/{KEY}/{part}" if part else f"{KIND}/{KEY}"

    def change(self, change: Callable[[dict[str, Any]], object], *, honest: bool = True) -> None:
        """Another manifest, with a right hash of itself and, if honest, a right digest."""
        found = self.manifest()
        change(found)
        if honest:
            pairs = [[f["name"], f["sha256"]] for f in found["files"] if not f["volatile"]]
            found["digest"] = digest_of(pairs)
        raw = json.dumps({**found, "check": digest_of(found)}).encode()
        self.write(f"{KIND}/{KEY}/{MANIFEST}", raw)


def first_file(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["files"][0].update(fields)


def one_more(**fields: object) -> Callable[[dict[str, Any]], object]:
    entry = {"name": "more", "bytes": 0, "sha256": HASH, "volatile": False, **fields}
    return lambda found: found["files"].append(entry)


@dataclass(frozen=True)
class Claim:
    """A manifest that says what is not so; `said` stands in the damage."""

    name: str
    change: Callable[[dict[str, Any]], object]
    said: str
    honest: bool = True


CLAIMS = [
    *(
        Claim(f"file {name!r:.20}", one_more(name=name), r"files: 3: name: .*expected")
        for name in (
            "../../escaped",
            "../../../../../../../../tmp/escaped",
            "/tmp/escaped",
            "deep/../../escaped",
            "./a.txt",
            "deep//c",
            "",
            "..",
            "a\\..\\b",
            "a\0b",
            "a\x1b[2Jb",
            "a\nb",
            "‮txt.a",
            "a" * 256,
            "a/" * 600 + "a",
        )
    ),
    Claim("a lone surrogate", one_more(name="\ud800"), "surrogates not allowed"),
    Claim("a name twice", one_more(name="a.txt"), "expected each name once"),
    Claim("a file that is a folder", one_more(name="deep"), "expected a file or a folder"),
    Claim("a negative size", first_file(bytes=-1), "bytes: -1; expected a size"),
    Claim("a huge size", first_file(bytes=2**63), "bytes: 9223372036854775808"),
    Claim("a hash of one digit", first_file(sha256="0"), "sha256: '0'; expected a hash"),
    Claim("a hash of other letters", first_file(sha256="G" * 64), "expected a hash"),
    Claim("another kind", lambda m: m.update(kind="rows"), "kind: 'rows'; expected that of its"),
    Claim("another key", lambda m: m.update(key="ff"), "key: 'ff'; expected that of its place"),
    Claim("another digest", lambda m: m.update(digest=HASH), "digest: .*by its files", False),
    Claim("negative rows", lambda m: m.update(rows=-1), "rows: -1; expected a number of rows"),
    Claim("huge rows", lambda m: m.update(rows=10**30), "rows: 1000000000.*expected a number"),
    Claim("part elsewhere", lambda m: m.update(part="../rows"), "part: '../rows'; expected one"),
    Claim("part of two names", lambda m: m.update(part="a/b"), "part: 'a/b'; expected one plain"),
    Claim("part that is hidden", lambda m: m.update(part=".."), "part: '..'; expected one plain"),
    Claim("part of no name", lambda m: m.update(part=""), "part: ''; expected one plain name"),
]

# Files that are no manifest at all.
BROKEN = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"kind": "\xff"}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "nested arrays": b"[" * 200_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested a little too deep": b'{"a":' + b"[" * JSON_DEPTH + b"]" * JSON_DEPTH + b"}",
    "NaN": b'{"rows": NaN}',
    "infinity": b'{"rows": 1e999}',
    "a huge number": b'{"rows": ' + b"9" * (INT_DIGITS + 1) + b"}",
    "a number of a megabyte": b'{"rows": ' + b"9" * 2**20 + b"}",
    "too large": b'{"a": "' + b"a" * MANIFEST_BYTES + b'"}',
    "200 MB": b"\0" * 200_000_000,
}


def escaped(folder: Path) -> list[str]:
    """Files that an attack left outside."""
    return [p for p in ("/tmp/escaped", *map(str, folder.rglob("escaped*"))) if os.path.exists(p)]
