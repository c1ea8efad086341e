"""Artifacts of a run whose loss is known: gc removed them, or a person said to build them again.

They are not missed at the next start. One that is built again is no more among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

GONE = "gone.txt"


def read_gone(folder: Path) -> set[str]:
    """Locations, KIND/KEY, of a run's folder."""
    try:
        return set((folder / GONE).read_text(encoding="utf-8", errors="replace").splitlines())
    except FileNotFoundError:
        return set()


def write_gone(folder: Path, gone: Iterable[str]) -> None:
    """Keep them; none removes the file."""
    lines = sorted(set(gone))
    draft = folder / f".{GONE}"
    draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if lines:
        draft.replace(folder / GONE)
    else:
        draft.unlink()
        (folder / GONE).unlink(missing_ok=True)
