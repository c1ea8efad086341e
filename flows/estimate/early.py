"""Bad data are refused before a server or an engine is started: files of one's own are read twice.

The run reads them again, as a step. Only what takes a moment is read here; the rest is refused by
that step, seconds later.
"""

from __future__ import annotations

from pathlib import Path

from flows.config.rest_em import RestEmConfig
from tasks.problems.loading import prepare_splits
from tasks.settings.problems import OWN

# Of text, which is read and checked in less than a second.
_MOST_BYTES = 5_000_000
_SUFFIXES = frozenset({".csv", ".json", ".jsonl", ".parquet"})


def refuse_bad_data(config: RestEmConfig) -> None:
    """Read the user's own problems, if that is quick.

    Raises:
        UserError: as the run would, naming file, row and column.
    """
    data = config.data
    if data.train != OWN or data.functions:
        return
    paths = [Path(place).expanduser() for _, place in data.places if place]
    if paths and all(map(_is_quick, paths)):
        prepare_splits(data)


def _is_quick(path: Path) -> bool:
    """Whether it is a small file; one that is missing is said at once."""
    if not path.exists():
        return path.suffix in _SUFFIXES
    return path.is_file() and path.stat().st_size <= _MOST_BYTES
