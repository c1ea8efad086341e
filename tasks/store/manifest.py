"""What is said of an artifact: its reference, and the manifest that lies beside its payload.

A manifest is JSON with the hash of itself. It is written and read here alone; a field that is
missing or of another type is `Damage` that names it, one that this version does not know is passed
over. Not here: where artifacts lie and how they are committed
(tasks/store/store.py), and the files themselves (tasks/store/files.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import Facts, WrongFacts
from tasks.metering import ALL_COSTS
from tasks.rows import Json

MANIFEST = "manifest.json"


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value in its canonical form, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class Damage(Exception):
    """An artifact does not match its manifest; the message names the file, or the field."""


@dataclass(frozen=True)
class ArtifactRef(Facts):
    """What a step returns and Prefect keeps: a name for a payload, never the payload.

    Its JSON names no class, so that moving this one loses no cache.
    """

    STRICT: ClassVar[bool] = False

    kind: str
    key: str
    digest: str
    rows: int

    @property
    def location(self) -> str:
        """Path relative to the store."""
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Provenance(Facts):
    """What went into a call: enough to trace and to repeat it."""

    STRICT: ClassVar[bool] = False

    step: str
    version: int
    label: str
    settings: Json
    inputs: dict[str, ArtifactRef]
    context: dict[str, ArtifactRef]
    hints: Json


@dataclass(frozen=True)
class Stats(Facts):
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
        failed: Samples on which a reward of the user's own failed.
        image: Docker's id of the sandbox's image.
        source: Of a base policy: as the configuration names it.
        parts: Of a fine-tune: its seconds by what they went to.
        problems: How many, by split.
        left_out: Rows that cannot be used, by split and reason.
        several_answers: Problems with several right answers, by split.
        provenance: What went into the call; every step leaves it.
    """

    STRICT: ClassVar[bool] = False
    SPARSE: ClassVar[tuple[str, ...]] = (
        *ALL_COSTS,
        *("note", "correct", "failed", "image", "source", "parts"),
        *("problems", "left_out", "several_answers", "provenance"),
    )

    seconds: float | None = None
    cpu_seconds: float | None = None
    engine_seconds: float | None = None
    sandbox_seconds: float | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    money: float | None = None
    note: str | None = None
    correct: int | None = None
    failed: int | None = None
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


@dataclass(frozen=True)
class FileEntry(Facts):
    """A payload file in a manifest.

    Attributes:
        name: Path in the artifact's folder.
        sha256: Of its content, in hex.
        volatile: Whether it stays out of the artifact's digest.
        etag: What a store far away said of it after the upload, or "" where it says nothing.
    """

    STRICT: ClassVar[bool] = False
    SPARSE: ClassVar[tuple[str, ...]] = ("etag",)

    name: str
    bytes: int
    sha256: str
    volatile: bool
    etag: str | None = None


@dataclass(frozen=True)
class Manifest(Facts):
    """All that is said of an artifact.

    Attributes:
        part: Of an artifact in a store far away: the upload that counts.
    """

    STRICT: ClassVar[bool] = False
    SPARSE: ClassVar[tuple[str, ...]] = ("part",)

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
        raw = self.to_json()
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
            found = json.loads(raw)
            check = found.pop("check")
            if check != digest_of(found):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damage(f"artifact {name}: {MANIFEST} does not match its own hash") from None
        try:
            return cls.from_json(found, f"artifact {name}: {MANIFEST}")
        except WrongFacts as error:
            raise Damage(str(error)) from None
