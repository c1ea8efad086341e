"""The registry of data sets, and the splits that a run trains, validates and tests on.

The order of problems is that of a hash of (seed, id), so it does not depend on the order in a file
and a larger limit keeps the earlier problems: their samples are found in the cache. Validation is
held out of the training split before any limit.
"""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tasks.errors import UserError
from tasks.problems.own_loader import OwnLoader
from tasks.problems.ungradable import LeftOut
from tasks.rows import Row
from tasks.settings import DataSettings

# name -> module and function; imported when asked for.
LOADERS = {
    "gsm8k": ("tasks.problems.gsm8k", "load_split"),
    "svamp": ("tasks.problems.svamp", "load_split"),
    "math": ("tasks.problems.math", "load_split"),
    "math500": ("tasks.problems.math", "load_split_500"),
    "apps": ("tasks.problems.apps", "load_split"),
    "humaneval": ("tasks.problems.humaneval", "load_split"),
    "bbh": ("tasks.problems.bbh", "load_split"),
    "hungarian": ("tasks.problems.hungarian", "load_split"),
    "synthetic_math": ("tasks.problems.synthetic_math", "load_split"),
    "synthetic_sums": ("tasks.problems.synthetic_sums", "load_split"),
    "synthetic_math_shift": ("tasks.problems.synthetic_math_shift", "load_split"),
    "synthetic_code": ("tasks.problems.synthetic_code", "load_split"),
    "synthetic_code_shift": ("tasks.problems.synthetic_code_shift", "load_split"),
}
# Those whose loader leaves rows out, and counts them.
COUNTING = frozenset({"apps"})
SPLITS = ("train", "test")


def load_split(
    name: str,
    split: str,
    *,
    source: str = "",
    left_out: Counter[tuple[str, str]] | None = None,
    own: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> Iterator[Row]:
    """Yield the problem rows of a data set's split, in the data set's own order.

    Args:
        name: One of LOADERS.
        split: train or test.
        source: A folder, a .jsonl or .jsonl.gz file, or a Hub id; empty: RESTEM_DATA, then the Hub.
        left_out: Counts the rows that cannot be used, by level and reason.
        own: The user's own loaders, by name.

    Raises:
        UserError: An unknown name or split, data that are nowhere, a malformed row, an id that
            comes twice.
    """
    if name in own:
        return _unique(own[name](split, source), f"{own[name].function.label} ({split})")
    if name not in LOADERS:
        raise UserError(f"data set {name!r}: expected one of {', '.join(sorted(LOADERS))}")
    if split not in SPLITS:
        raise UserError(f"{name}: split {split!r}: expected one of {', '.join(SPLITS)}")
    module, function = LOADERS[name]
    more = {"left_out": left_out} if name in COUNTING else {}
    rows = getattr(importlib.import_module(module), function)(split, source=source, **more)
    return _unique(rows, f"{name} ({split})")


def prepare_splits(
    settings: DataSettings,
    left_out: LeftOut | None = None,
    own: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> dict[str, list[Row]]:
    """The problems of a run by split: train, validation and test, each shuffled by the seed.

    Args:
        settings: Which problems.
        left_out: Gets the number of rows of train and test that cannot be used, by reason.
        own: The user's own loaders, by name.

    Raises:
        UserError: As `load_split`; and when a split is left empty, or one file without a `split`
            field is given for both sides.
    """
    test_name = settings.train if settings.test == "same" else settings.test
    test_source = settings.test_source
    if not test_source and test_name == settings.train:
        test_source = settings.source
    left_out = {} if left_out is None else left_out
    pool = _read(settings, settings.train, "train", settings.source, left_out, own)
    held = _order(pool, settings.seed, "validation")[: settings.validation]
    names = {row["id"] for row in held}
    left = [row for row in pool if row["id"] not in names]
    if not left:
        raise UserError(
            f"data.validation: holding out {settings.validation} of {len(pool)} training problems "
            "leaves none to train on; expected a smaller number"
        )
    test = _read(settings, test_name, "test", test_source, left_out, own)
    if test_name in own and test_name == settings.train:
        own[test_name].keep_apart(pool, test)
    else:
        _keep_apart(settings, test_source, pool, test)
    return {
        "train": _limit(_order(left, settings.seed, "train"), settings.train_limit),
        "validation": [{**row, "split": "validation"} for row in held],
        "test": _limit(_order(test, settings.seed, "test"), settings.test_limit),
    }


def prepare_test(
    name: str, source: str, seed: int, limit: int, left_out: LeftOut | None = None
) -> list[Row]:
    """The test problems of one data set, shuffled by the seed as in `prepare`.

    Args:
        name: The data set.
        source: Where it is; empty: RESTEM_DATA, then its own Hub id.
        seed: Of the shuffle.
        limit: The first so many; 0: all.
        left_out: Gets the number of rows that cannot be used, by reason.
    """
    settings = DataSettings(difficulty="all")
    rows = _read(settings, name, "test", source, {} if left_out is None else left_out)
    return _limit(_order(rows, seed, "test"), limit)


def _read(
    settings: DataSettings,
    name: str,
    split: str,
    source: str,
    left_out: LeftOut,
    own: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> list[Row]:
    """The rows of the level asked for; the rest, big for code, is never held at once."""
    field, wanted = "level", str(settings.level) if settings.level else ""
    if name == "apps":
        field, wanted = "difficulty", settings.difficulty.replace("all", "")
    kept, levels, count = [], set(), 0
    unusable: Counter[tuple[str, str]] = Counter()
    for row in load_split(name, split, source=source, left_out=unusable, own=own):
        count += 1
        levels.add(row["level"])
        if not wanted or row["level"] == wanted:
            kept.append(row)
    if not count:
        raise UserError(f"{name}: no {split} problem in {source or 'the data set'}")
    if not kept:
        has = ", ".join(sorted(levels - {""})) or "no levels"
        raise UserError(
            f"data.{field}: no {split} problem of {name} has {field} {wanted}; the data set has "
            f"{has}"
        )
    left_out[split] = Counter()
    for (level, reason), number in unusable.items():
        left_out[split][reason] += number if not wanted or level == wanted else 0
    return kept


def _order(rows: Iterable[Row], seed: int, purpose: str) -> list[Row]:
    """Shuffle by a hash of each row's own id, so that no row moves when others come or go."""

    def place(row: Row) -> bytes:
        return hashlib.sha256(f"{purpose}\x1f{seed}\x1f{row['id']}".encode()).digest()

    return sorted(rows, key=place)


def _limit(rows: list[Row], limit: int) -> list[Row]:
    return rows[:limit] if limit else rows


def _unique(rows: Iterable[Row], place: str) -> Iterator[Row]:
    seen: set[str] = set()
    for row in rows:
        if row["id"] in seen:
            raise UserError(f"{place}: problem id {row['id']!r} comes twice; ids must be unique")
        seen.add(row["id"])
        yield row


def _keep_apart(
    settings: DataSettings, test_source: str, train: list[Row], test: list[Row]
) -> None:
    """Refuse one file that serves both sides because its rows name no split."""
    if not settings.source or not test_source:
        return
    files = [Path(source).expanduser() for source in (settings.source, test_source)]
    if not all(file.is_file() for file in files) or not files[0].samefile(files[1]):
        return
    if {row["question"] for row in train} & {row["question"] for row in test}:
        raise UserError(
            f"data.test_source: {test_source} would be training and test set at once; expected "
            "another file, or rows with a field 'split' of train or test"
        )
