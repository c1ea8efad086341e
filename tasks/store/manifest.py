"""What is said of an artifact: its reference, and the manifest that lies beside its payload.

A manifest is JSON with the hash of itself. It is written and read here alone; a field that is
missing or of another type is `Damage` that names it, one that this version does not know is passed
over. What one claims is held against its place by `check_claims`, for others may write a store too.
Not here: where artifacts lie and how they are committed (tasks/store/store.py), and the files
themselves (tasks/store/files.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import Facts, WrongFacts
from tasks.metering import ALL_COSTS
from tasks.rows import Json
from tasks.store.canonical import canonical_json, digest_of
from tasks.store.signing import SigningKey
from tasks.store.untrusted import (
    Damage,
    Refused,
    is_safe_name,
    parse_object,
    wrong_file_name,
)

__all__ = [
    "MANIFEST",
    "ArtifactRef",
    "Damage",
    "FileEntry",
    "Manifest",
    "Provenance",
    "Refused",
    "Stats",
    "canonical_json",
    "check_claims",
    "digest_of",
    "digest_of_files",
]

MANIFEST = "manifest.json"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Rows and bytes are 64-bit numbers in Parquet and on disks.
_MOST = 2**63 - 1


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
        commits: Of the Hub's repositories that were read, by id@revision (tasks/hub.py).
        parts: Of a fine-tune: its seconds by what they went to.
        problems: How many, by split.
        left_out: Rows that cannot be used, by split and reason.
        several_answers: Problems with several right answers, by split.
        provenance: What went into the call; every step leaves it.
    """

    STRICT: ClassVar[bool] = False
    SPARSE: ClassVar[tuple[str, ...]] = (
        *ALL_COSTS,
        *("note", "correct", "failed", "image", "source", "commits", "parts"),
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
    commits: dict[str, str] | None = None
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
        signature: By the key of those who write, where they have one (tasks/store/signing.py).
    """

    STRICT: ClassVar[bool] = False
    SPARSE: ClassVar[tuple[str, ...]] = ("part", "signature")

    kind: str
    key: str
    digest: str
    rows: int
    files: tuple[FileEntry, ...]
    stats: Stats
    part: str | None = None
    signature: str | None = None

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
    def from_bytes(cls, raw: bytes, name: str, key: SigningKey | None = None) -> Manifest:
        """The inverse of `to_bytes`.

        Args:
            raw: Content of the file.
            name: Of the artifact, for messages.
            key: That it has to be signed by.

        Raises:
            Refused: it is not.
            Damage: it does not match its own hash, or a field is not what it should be.
        """
        place = f"artifact {name}: {MANIFEST}"
        try:
            found = parse_object(raw)
        except ValueError as error:
            raise Damage(f"{place}: {error}") from None
        if found.pop("check", None) != digest_of(found):
            raise Damage(f"{place} does not match its own hash")
        if key is not None and not key.has_signed(found):
            raise Refused(f"{place} is not signed by the key of {key.file}")
        try:
            return cls.from_json(found, place)
        except WrongFacts as error:
            raise Damage(str(error)) from None


def digest_of_files(files: Iterable[FileEntry]) -> str:
    """The digest of an artifact: of the names and hashes of all files that are not volatile."""
    return digest_of([[file.name, file.sha256] for file in files if not file.volatile])


def check_claims(manifest: Manifest, kind: str, key: str, place: str) -> None:
    """Hold what a manifest says against where it lies, before anything is done by it.

    Args:
        kind: Folder in which it lies.
        key: The folder below.
        place: Of the artifact, for messages.

    Raises:
        Damage: naming the field.
    """

    def see(true: bool, field: str, found: object, expected: str) -> None:
        if not true:
            raise Damage(f"artifact {place}: {MANIFEST}: {field}: {found!r:.200}; {expected}")

    see(manifest.kind == kind, "kind", manifest.kind, f"expected that of its place, {kind}")
    see(manifest.key == key, "key", manifest.key, f"expected that of its place, {key}")
    see(0 <= manifest.rows <= _MOST, "rows", manifest.rows, "expected a number of rows")
    if manifest.part is not None:
        see(is_safe_name(manifest.part), "part", manifest.part, "expected one plain name")
    names: set[str] = set()
    folders: set[str] = set()
    for at, file in enumerate(manifest.files):
        field = f"files: {at}"
        wrong = wrong_file_name(file.name)
        see(not wrong, f"{field}: name", file.name, wrong)
        see(file.name not in names, f"{field}: name", file.name, "expected each name once")
        see(0 <= file.bytes <= _MOST, f"{field}: bytes", file.bytes, "expected a size")
        see(bool(_HASH.fullmatch(file.sha256)), f"{field}: sha256", file.sha256, "expected a hash")
        names.add(file.name)
        parts = file.name.split("/")
        folders |= {"/".join(parts[:end]) for end in range(1, len(parts))}
    if both := names & folders:
        see(False, "files", min(both), "expected a file or a folder of this name")
    digest = digest_of_files(manifest.files)
    see(manifest.digest == digest, "digest", manifest.digest, f"expected {digest} by its files")


def step_key(step: str, version: int, settings: dict[str, object], inputs: dict[str, str]) -> str:
    """The cache key of a step: 32 hex digits over all that may change its result.

    Args:
        version: Raised by hand whenever the step's code changes what it gives.
        settings: The recipe settings the step reads; never resources.
        inputs: Digest of each input.
    """
    return digest_of([step, version, settings, inputs])[:32]
