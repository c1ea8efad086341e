"""The registry of data sets, and the splits that a run trains, validates and tests on.

The order of problems is that of a hash of (seed, id), so it does not depend on the order in a file
and a larger limit keeps the earlier problems: their samples are found in the cache. Validation is
held out of the training split before any limit. Problems of the user's own (`file`) are read by
tasks/problems/own.
"""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tasks.errors import UserError
from tasks.problems.own.load import OwnProblems, Seen, read_own
from tasks.problems.own.places import SplitNames, Where
from tasks.problems.own_loader import OwnLoader
from tasks.problems.ungradable import LeftOut
from tasks.rows import Row
from tasks.settings import DataSettings, MoreData
from tasks.settings.problems import OWN

# name -> module and function; imported when asked for.
LOADERS = {
    "gsm8k": ("tasks.problems.gsm8k", "load_split"),
    "svamp": ("tasks.problems.svamp", "load_split"),
    "svamp_code": ("tasks.problems.svamp", "load_code_split"),
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
    "synthetic_notes": ("tasks.problems.synthetic_notes", "load_split"),
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
    loaders: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> Iterator[Row]:
    """Yield the problem rows of a data set's split, in the data set's own order.

    Args:
        name: One of LOADERS.
        split: train or test.
        source: A folder, a .jsonl or .jsonl.gz file, or a Hub id; empty: RESTEM_DATA, then the Hub.
        left_out: Counts the rows that cannot be used, by level and reason.
        loaders: The user's own, by name.

    Raises:
        UserError: An unknown name or split, data that are nowhere, a malformed row, an id that
            comes twice.
    """
    if name in loaders:
        return _unique(loaders[name](split, source), f"{loaders[name].function.label} ({split})")
    if name not in LOADERS:  # problems of the user's own are read whole, by `prepare_splits`
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
    own: list[OwnProblems] | None = None,
    loaders: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> dict[str, list[Row]]:
    """The problems of a run by split: train, validation and test, each shuffled by the seed.

    Args:
        settings: Which problems.
        left_out: Gets the number of rows of train and test that cannot be used, by reason.
        own: Gets what was found in files of the user's own, in the order they are read.
        loaders: The user's own, by name.

    Raises:
        UserError: As `load_split`; and when a split is left empty, or one file without a `split`
            field is given for both sides.
    """
    left_out = {} if left_out is None else left_out
    own = [] if own is None else own
    seen = Seen(settings.repeated == "first")
    # Test problems of a place of their own first: a question of both sides is then named, or left
    # out, where it is trained on.
    test = _own_test(settings, seen, left_out, own)
    held: list[Row] = []
    if settings.train == OWN:
        main = read_own(_where(settings), settings.columns, settings.domain, seen)
        own.append(main)
        _count(main, left_out)
        pool, held, tested = (
            _of_level(settings, main.splits[split]) for split in ("train", "validation", "test")
        )
        if not pool:
            raise UserError(f"data.source: {settings.source}: expected training problems")
        if test is None and settings.test_name == OWN:
            test = tested or _cut_test(settings, pool)
            if not tested:
                main.notes.append(f"{len(test)} of {len(pool)} problems are drawn for test")
        if len(held) > settings.validation:
            main.notes.append(f"{settings.validation} of {len(held)} validation problems are used")
    else:
        pool = _read(settings, settings.train, "train", settings.source, left_out, loaders)
    if test is None:
        source = settings.test_source
        if not source and settings.test_name == settings.train:
            source = settings.source
        test = _read(settings, settings.test_name, "test", source, left_out, loaders)
        if settings.test_name in loaders and settings.test_name == settings.train:
            loaders[settings.test_name].keep_apart(pool, test)
        else:
            _keep_apart(settings, source, pool, test)
    names = {row["id"] for row in test}
    pool = [row for row in pool if row["id"] not in names]
    for number, more in enumerate(settings.more, start=2):
        pool += _more(settings, more, number, seen, left_out, own)
    pool = list(_unique(pool, "data.more"))
    held = _order(held or pool, settings.seed, "validation")[: settings.validation]
    names = {row["id"] for row in held}
    left = [row for row in pool if row["id"] not in names]
    if not left:
        raise UserError(
            f"data.validation: holding out {settings.validation} of {len(pool)} training problems "
            "leaves none to train on; expected a smaller number"
        )
    return {
        "train": _limit(_order(left, settings.seed, "train"), settings.train_limit),
        "validation": [{**row, "split": "validation"} for row in held],
        "test": [
            {**row, "split": "test"}
            for row in _limit(_order(test, settings.seed, "test"), settings.test_limit)
        ],
    }


def _where(settings: DataSettings, *, test: bool = False) -> Where:
    """Where problems of the user's own are."""
    names = SplitNames(settings.train_split, settings.validation_split, settings.test_split)
    field = "data.test_source" if test else "data.source"
    source = settings.test_source if test else settings.source
    # A test source that names its own revision does not share that of training.
    revision = "" if test and "@" in source else settings.revision
    return Where(source, field, names, settings.config, revision)


def _own_test(
    settings: DataSettings, seen: Seen, left_out: LeftOut, own: list[OwnProblems]
) -> list[Row] | None:
    """The test problems of a file of their own; None where they are elsewhere."""
    if settings.test_name != OWN or not settings.test_source:
        return None
    where = _where(settings, test=True)
    found = read_own(*(where, settings.columns, settings.domain, seen), rest="test", only=("test",))
    own.append(found)
    _count(found, left_out)
    if not found.splits["test"]:
        raise UserError(f"data.test_source: {where.source}: expected test problems")
    return found.splits["test"]


def _of_level(settings: DataSettings, rows: list[Row]) -> list[Row]:
    """The rows of the level asked for."""
    kept = [row for row in rows if not settings.level or row["level"] == str(settings.level)]
    if rows and not kept:
        has = ", ".join(sorted({row["level"] for row in rows} - {""})) or "no levels"
        raise UserError(
            f"data.level: no {rows[0]['split']} problem of {settings.source} has level "
            f"{settings.level}; it has {has}"
        )
    return kept


def _cut_test(settings: DataSettings, pool: list[Row]) -> list[Row]:
    """The share of the training problems that is for test, where there are no others."""
    count = max(1, round(settings.test_share * len(pool)))
    if count >= len(pool):
        raise UserError(
            f"data.test_share: {settings.test_share:g} of {len(pool)} problems leaves none to "
            "train on; expected more problems, a smaller share, or data.test_source"
        )
    return _order(pool, settings.seed, "test share")[:count]


def _more(
    settings: DataSettings,
    more: MoreData,
    number: int,
    seen: Seen,
    left_out: LeftOut,
    own: list[OwnProblems],
) -> list[Row]:
    """The training problems of one more set, in the share that is asked for."""
    place = f"data.more.{number - 2}"
    if more.train == OWN:
        where = Where(
            more.source,
            f"{place}.source",
            SplitNames(more.train_split),
            more.config,
            more.revision,
        )
        found = read_own(
            *(where, more.columns, more.domain, seen), prefix=f"file{number}", only=("train",)
        )
        own.append(found)
        _count(found, left_out)
        rows = found.splits["train"]
    else:
        whole = DataSettings(difficulty=settings.difficulty)
        rows = _read(whole, more.train, "train", more.source, left_out)
    if not rows:
        raise UserError(f"{place}.source: {more.source}: expected training problems")
    count = max(1, round(more.weight * len(rows)))
    return _order(rows, settings.seed, "more")[:count]


def _count(found: OwnProblems, left_out: LeftOut) -> None:
    for (split, reason), number in found.left_out.items():
        left_out.setdefault(split, Counter())[reason] += number


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
    loaders: Mapping[str, OwnLoader] = MappingProxyType({}),
) -> list[Row]:
    """The rows of the level asked for; the rest, big for code, is never held at once."""
    field, wanted = "level", str(settings.level) if settings.level else ""
    if name == "apps":
        field, wanted = "difficulty", settings.difficulty.replace("all", "")
    kept, levels, count = [], set(), 0
    unusable: Counter[tuple[str, str]] = Counter()
    for row in load_split(name, split, source=source, left_out=unusable, loaders=loaders):
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
    left_out.setdefault(split, Counter())
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
