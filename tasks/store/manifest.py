"""What is said of an artifact: its reference, and the manifest that lies beside its payload.

A manifest is JSON with the hash of itself. It is written and read here alone, field by field, so a
field that is missing or of another type is `Damage` that names it; a field that this version does
not know is passed over. Not here: where artifacts lie and how they are committed
(tasks/store/store.py), and the files themselves (tasks/store/files.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast, get_origin

from tasks.metering import ALL_COSTS
from tasks.rows import Json

MANIFEST = "manifest.json"
_T = TypeVar("_T")


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value in its canonical form, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class Damage(Exception):
    """An artifact does not match its manifest; the message names the file, or the field."""


class _WrongField(Exception):
    """The message names the field and what was expected."""


def _field(raw: object, name: str, kind: type[_T]) -> _T:
    """A field of a JSON object; a float may stand there without its point."""
    value = cast(Json, raw).get(name) if isinstance(raw, dict) else None
    plain: Any = get_origin(kind) or kind
    accepted = int | float if plain is float else plain
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _WrongField(f"{name!r}: expected {plain.__name__}, not {json.dumps(value)[:60]}")
    return cast(_T, value)


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

    @classmethod
    def from_json(cls, raw: Json) -> ArtifactRef:
        """The inverse of `to_json`.

        Raises:
            Damage: naming the field.
        """
        return _named("reference", lambda: _reference(raw))


@dataclass(frozen=True)
class Provenance:
    """What went into a call: enough to trace and to repeat it."""

    step: str
    version: int
    label: str
    settings: Json
    inputs: dict[str, ArtifactRef]
    context: dict[str, ArtifactRef]
    hints: Json

    def to_json(self) -> Json:
        """As it stands in a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Stats:
    """Facts about how an artifact was made, some of them volatile; they stand in no digest.

    Attributes:
        seconds: Wall time of the step, without the time it waited for an engine.
        cpu_seconds: Processor time, of the step and its child processes.
        engine_seconds: Wall time in the sampling engine.
        sandbox_seconds: Wall time of containers, added up.
        tokens: Generated, or trained on.
        input_tokens: That a hosted model read.
        money: That it cost, by the prices of the run that asked it.
        note: One line for people.
        correct: Samples that are.
        image: Docker's id of the sandbox's image.
        source: Of a base policy: as the configuration names it.
        parts: Of a fine-tune: its seconds by what they went to.
        problems: How many, by split.
        left_out: Rows that cannot be used, by split and reason.
        several_answers: Problems with several right answers, by split.
        provenance: What went into the call; every step leaves it.
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    engine_seconds: float | None = None
    sandbox_seconds: float | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    money: float | None = None
    note: str | None = None
    correct: int | None = None
    image: str | None = None
    source: str | None = None
    parts: dict[str, float] | None = None
    problems: dict[str, int] | None = None
    left_out: dict[str, dict[str, int]] | None = None
    several_answers: dict[str, int] | None = None
    provenance: Provenance | None = None

    def costs(self) -> dict[str, float]:
        """What the step cost, by its name in tables (tasks/metering.py), where it cost any."""
        return {name: found for name in ALL_COSTS if (found := getattr(self, name)) is not None}

    def to_json(self) -> Json:
        """As it stands in a manifest: without what there is none of."""
        return {name: value for name, value in asdict(self).items() if value is not None}


_KINDS: dict[str, type[Any]] = {
    **dict.fromkeys(("seconds", "cpu_seconds", "engine_seconds", "sandbox_seconds"), float),
    "money": float,
    **dict.fromkeys(("tokens", "input_tokens", "correct"), int),
    **dict.fromkeys(("note", "image", "source"), str),
    **dict.fromkeys(("parts", "problems", "left_out", "several_answers"), dict),
}


@dataclass(frozen=True)
class FileEntry:
    """A payload file in a manifest.

    Attributes:
        name: Path in the artifact's folder.
        bytes: Size.
        sha256: Of its content, in hex.
        volatile: Whether it stays out of the artifact's digest.
        etag: What a store far away said of it after the upload, or "" where it says nothing.
    """

    name: str
    bytes: int
    sha256: str
    volatile: bool
    etag: str | None = None

    def to_json(self) -> Json:
        """As it stands in a manifest."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Manifest:
    """All that is said of an artifact.

    Attributes:
        part: Of an artifact in a store far away: the upload that counts.
    """

    kind: str
    key: str
    digest: str
    rows: int
    files: tuple[FileEntry, ...]
    stats: Stats
    part: str | None = None

    @property
    def ref(self) -> ArtifactRef:
        """The reference to the artifact."""
        return ArtifactRef(self.kind, self.key, self.digest, self.rows)

    @property
    def payload(self) -> str:
        """Where the payload lies in a store far away, relative to it."""
        return f"{self.kind}/{self.key}/{self.part}" if self.part else f"{self.kind}/{self.key}"

    @property
    def provenance(self) -> Provenance:
        """What went into it.

        Raises:
            Damage: no step made it.
        """
        if self.stats.provenance is None:
            raise Damage(f"artifact {self.ref.location}: {MANIFEST} has no provenance")
        return self.stats.provenance

    def to_bytes(self) -> bytes:
        """As it is written, with the hash of itself."""
        raw = {name: getattr(self, name) for name in ("kind", "key", "digest", "rows")}
        raw["files"] = [file.to_json() for file in self.files]
        raw["stats"] = self.stats.to_json()
        if self.part:
            raw["part"] = self.part
        return json.dumps({**raw, "check": digest_of(raw)}, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, raw: bytes, name: str) -> Manifest:
        """The inverse of `to_bytes`.

        Args:
            raw: Content of the file.
            name: Of the artifact, for messages.

        Raises:
            Damage: it does not match its own hash, or a field is not what it should be.
        """
        try:
            found: Json = json.loads(raw)
            check = found.pop("check")
            if check != digest_of(found):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damage(f"artifact {name}: {MANIFEST} does not match its own hash") from None
        return _named(f"artifact {name}: {MANIFEST}", lambda: _manifest(found))


def _named(where: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except _WrongField as error:
        raise Damage(f"{where}: field {error}") from None


def _manifest(raw: Json) -> Manifest:
    ref = _reference(raw)
    return Manifest(
        ref.kind,
        ref.key,
        ref.digest,
        ref.rows,
        files=tuple(_file(one) for one in _field(raw, "files", list[object])),
        stats=_stats(_field(raw, "stats", Json)),
        part=_field(raw, "part", str) if "part" in raw else None,
    )


def _reference(raw: object) -> ArtifactRef:
    kind, key, digest = (_field(raw, name, str) for name in ("kind", "key", "digest"))
    return ArtifactRef(kind, key, digest, _field(raw, "rows", int))


def _references(raw: Json, name: str) -> dict[str, ArtifactRef]:
    return {name: _reference(one) for name, one in _field(raw, name, Json).items()}


def _file(raw: object) -> FileEntry:
    return FileEntry(
        _field(raw, "name", str),
        _field(raw, "bytes", int),
        _field(raw, "sha256", str),
        _field(raw, "volatile", bool),
        _field(raw, "etag", str) if "etag" in cast(Json, raw) else None,
    )


def _stats(raw: Json) -> Stats:
    found: Json = {name: _field(raw, name, kind) for name, kind in _KINDS.items() if name in raw}
    made = _provenance(_field(raw, "provenance", Json)) if "provenance" in raw else None
    return Stats(**found, provenance=made)


def _provenance(raw: Json) -> Provenance:
    return Provenance(
        _field(raw, "step", str),
        _field(raw, "version", int),
        _field(raw, "label", str),
        _field(raw, "settings", Json),
        _references(raw, "inputs"),
        _references(raw, "context"),
        _field(raw, "hints", Json),
    )
