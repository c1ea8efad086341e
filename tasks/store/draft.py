"""An artifact that is being made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tasks.store.manifest import Stats


@dataclass
class Draft:
    """A folder being filled; the rest may be set until it is committed.

    Attributes:
        rows: Of the artifact, for people.
        stats: What the step tells of its making.
        waited: Seconds that the step waited for what other steps used; not its own.
        volatile: Names of files left out of the digest.
    """

    path: Path
    rows: int = 0
    stats: Stats = field(default_factory=Stats)
    waited: float = 0.0
    volatile: set[str] = field(default_factory=set[str])
