"""The first step: problems of all splits as one artifact, and how blocks of them are named."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.hub import noting_commits
from tasks.problems.own.places import Where
from tasks.rows import PROBLEM, PROBLEMS_FILE, Json, Row, read_rows, write_rows
from tasks.settings import DataSettings
from tasks.settings.problems import OWN
from tasks.store.manifest import Stats, digest_of
from tasks.store.store import Draft


@dataclass(frozen=True)
class Block:
    """Neighbouring problems of one split; the digest names their content, not their place."""

    split: str
    start: int
    stop: int
    digest: str

    def to_json(self) -> dict[str, object]:
        """Where the block lies in its split; travels as a hint, not in keys."""
        return {"split": self.split, "start": self.start, "stop": self.stop}


def problems_call(settings: DataSettings) -> Call:
    """The call that reads, shuffles and splits the problems."""
    functions = settings.functions
    keyed: Json = settings.recipe()
    del keyed["source"], keyed["test_source"]
    both = "test" in functions or (settings.test == "same" and "train" in functions)
    keyed["sources"] = [
        _fingerprint(settings.train, settings.source, loader="train" in functions),
        _fingerprint(settings.test_name, settings.test_source, loader=both),
    ]
    for one, more in zip(keyed.get("more", []), settings.more, strict=False):
        one["source"] = _fingerprint(more.train, more.source)
    hints = settings.model_dump()
    if functions:
        hints["functions"] = {name: one.to_json() for name, one in functions.items()}
    return Call(prepare_problems, "problems", keyed, hints=hints)


@step("problems", "problems", version=3)
def prepare_problems(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Fill a draft with the problems; `hints` is a DataSettings."""
    from tasks.problems.loading import prepare_splits
    from tasks.problems.longest import keep_longest
    from tasks.problems.own.load import OwnProblems, said
    from tasks.problems.own_loader import own_loaders
    from tasks.problems.ungradable import LeftOut, count_several, describe

    left_out: LeftOut = {}
    hints = dict(call.hints)
    functions = hints.pop("functions", {})
    loaders = own_loaders(functions, hints, runtime.logs) if functions else {}
    own: list[OwnProblems] = []
    settings = DataSettings(**hints)
    with noting_commits() as commits:
        splits = prepare_splits(settings, left_out, own, loaders)
    splits, cut = keep_longest(splits, settings.max_tests)
    several = {split: count_several(rows) for split, rows in splits.items()}
    draft.stats = Stats(
        problems={split: len(rows) for split, rows in splits.items()},
        left_out={split: dict(reasons) for split, reasons in left_out.items()},
        several_answers=several,
        commits=commits or None,
        note=". ".join(filter(None, [describe(left_out, several), cut, *said(own)])) or None,
    )
    draft.rows = write_rows(
        draft.path / PROBLEMS_FILE, PROBLEM, (row for rows in splits.values() for row in rows)
    )


def load_splits(folder: Path) -> dict[str, list[Row]]:
    """Problems by split, in their order, from a problems artifact."""
    splits: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for row in read_rows(folder / PROBLEMS_FILE):
        splits[row["split"]].append(row)
    return splits


def cut_blocks(rows: Sequence[Row], split: str, size: int, limit: int = 0) -> list[Block]:
    """Cut the first `limit` problems of a split (0: all) into blocks of `size`.

    More problems add blocks and leave the earlier ones, but for a last one that was not full.
    """
    end = min(limit or len(rows), len(rows))
    cut = [(start, min(start + size, end)) for start in range(0, end, size)]
    return [Block(split, start, stop, block_digest(rows[start:stop])) for start, stop in cut]


def block_digest(rows: Sequence[Row]) -> str:
    """Names what sampling and scoring read of these problems.

    Templates with subjects are for problems of text and the user's own; others keep the digest they
    had before.
    """
    return digest_of(
        [
            [
                *(row["id"], row["question"], row["reference"]),
                *([row["subject"]] if row["domain"] == "text" or _has_subject(row) else []),
            ]
            for row in rows
        ]
    )


def _has_subject(row: Row) -> bool:
    return bool(row["subject"]) and row["id"].startswith(OWN)


def _fingerprint(name: str, source: str, *, loader: bool = False) -> str:
    if name == OWN and source:
        return Where(source).fingerprint()
    return source_fingerprint(source, own=loader)


def source_fingerprint(source: str, *, own: bool = False) -> str:
    """What identifies the content of a data source: hash of a file, listing of a folder.

    Args:
        source: As the configuration names it.
        own: Whether a loader of the user's own reads it: no other place, and files of any name.
    """
    path = Path(source or ("" if own else os.environ.get("RESTEM_DATA", ""))).expanduser()
    if str(path) == "." or not path.exists():
        return f"hub:{source}"
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    # A MATH folder holds 12,500 files: their names, sizes and times stand in for the content. APPS
    # has its questions and starter code in files of their own.
    listing = sorted(
        (str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns)
        for pattern in (("*",) if own else ("*.json*", "question.txt", "starter_code.py"))
        for p in path.rglob(pattern)
    )
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def benchmark_call(name: str, source: str, seed: int, limit: int) -> Call:
    """The call that reads the test problems of one data set.

    Args:
        name: The data set.
        source: Where it is; empty: RESTEM_DATA, then its own Hub id.
        seed: Of the shuffle.
        limit: The first so many of it; 0: all.
    """
    keyed = {"name": name, "seed": seed, "limit": limit, "source": source_fingerprint(source)}
    return Call(read_benchmark, f"problems of {name}", keyed, hints={**keyed, "source": source})


@step("benchmark", "problems", version=2)
def read_benchmark(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Fill a draft with the test problems of one data set."""
    from tasks.problems.loading import prepare_test
    from tasks.problems.ungradable import LeftOut, count_several, describe

    left_out: LeftOut = {}
    with noting_commits() as commits:
        rows = prepare_test(**call.hints, left_out=left_out)
    note = describe(left_out, {"test": count_several(rows)})
    draft.stats = Stats(note=note or None, commits=commits or None)
    draft.rows = write_rows(draft.path / PROBLEMS_FILE, PROBLEM, rows)
