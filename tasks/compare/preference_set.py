"""The step `preference set`: pairs of others, with texts of their own, to fit a reward model on.

What it leaves has the form that a run's own artifacts have together: problems (what was asked),
samples (the answers) and preferences, so `fit` reads it as it reads those. Its samples have no
tokens. Several labels of the same two texts are one pair, with the mean of their p. Pairs whose
answers are equal, or empty, are left out and counted; any other row that is no pair is an error.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.compare.pair_columns import find_pair_columns
from tasks.compare.pair_texts import LeftOut, PairTexts, read_pair
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import PREFERENCE_SET
from tasks.errors import UserError
from tasks.hub import noting_commits
from tasks.problems.own.places import Part, SplitNames, Where
from tasks.rows import (
    PREFERENCE,
    PREFERENCES_FILE,
    PROBLEM,
    PROBLEMS_FILE,
    SAMPLE,
    SAMPLES_FILE,
    Json,
    Row,
    question_key,
    write_rows,
)
from tasks.settings.judge import JudgeSettings, PairColumns
from tasks.store.manifest import Stats
from tasks.store.store import Draft

# Of labels of a run's samples (people.py), each line has these.
_OF_LABELS = {"problem", "first", "second"}
_LONGEST = 1_000_000  # bytes; a longer line is no label


def names_set(settings: JudgeSettings) -> bool:
    """Whether `judge.source` is a preference set, and not a file of labels of a run's samples."""
    path = Path(settings.source).expanduser()
    return bool(settings.source) and not (path.is_file() and _has_labels(path))


def _has_labels(path: Path) -> bool:
    """Whether the first line of a file is a label, or the file has nothing at all."""
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(_LONGEST), b"")
        line = next((line for line in lines if line.strip()), b"")
    try:
        row = json.loads(line) if line else dict.fromkeys(_OF_LABELS)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and row.keys() >= _OF_LABELS


def preference_set_call(settings: JudgeSettings, seed: int) -> Call:
    """The call that reads a preference set.

    Args:
        settings: Where it is, and what its columns are.
        seed: Of the draw of `limit`.

    Raises:
        UserError: there is nothing of this name.
    """
    keyed: dict[str, object] = {
        "source": _where(settings.source, settings.config, settings.split)[0].fingerprint(),
        "columns": {name: one for name, one in settings.columns.model_dump().items() if one},
        "config": settings.config,
        "split": settings.split,
    }
    if settings.limit:
        keyed |= {"limit": settings.limit, "seed": seed}
    return Call(read_preference_set, PREFERENCE_SET, keyed, hints={"source": settings.source})


def _where(source: str, config: str, split: str) -> tuple[Where, str]:
    """The source, and which of its splits is read."""
    usual = SplitNames().split_of(split or "train")
    names = SplitNames() if usual else SplitNames(train=split)
    where = Where(
        source,
        "judge.source",
        names,
        config,
        config_field="judge.config",
        split_fields="judge.split",
    )
    return where, usual or "train"


@step(PREFERENCE_SET, "preference-set")
def read_preference_set(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write the problems, samples and preferences of a set."""
    how, source = call.settings, call.hints["source"]
    left_out: Counter[str] = Counter()
    notes: list[str] = []
    with noting_commits() as commits:
        parts = _parts(source, how["config"], how["split"])
        pairs = _drawn(_pairs(parts, PairColumns(**how["columns"]), left_out, notes), how)
    if not pairs:
        counted = ", ".join(f"{count:,}: {reason}" for reason, count in left_out.items())
        raise UserError(
            f"judge.source: {source}: expected pairs; it has none ({counted or 'empty'})"
        )
    problems, samples, preferences = rows_of_pairs(pairs)
    write_rows(draft.path / PROBLEMS_FILE, PROBLEM, problems)
    write_rows(draft.path / SAMPLES_FILE, SAMPLE, samples)
    draft.rows = write_rows(draft.path / PREFERENCES_FILE, PREFERENCE, preferences)
    lost = [f"{count:,} left out: {reason}" for reason, count in left_out.items()]
    draft.stats = Stats(
        problems={"train": len(problems)},
        left_out={"train": dict(left_out)},
        commits=commits or None,
        note=". ".join([f"{draft.rows:,} pairs", *lost, *notes]),
    )


def _parts(source: str, config: str, split: str) -> list[Part]:
    """What is read of a source."""
    where, wanted = _where(source, config, split)
    parts = where.parts()
    if split and not any(part.split for part in parts):
        raise UserError(
            f"judge.split: {source} has no splits and is read whole; expected no judge.split"
        )
    used = [part for part in parts if part.split in ("", wanted)]
    if not used:
        raise UserError(
            f"judge.source: {source} has no split {split or wanted}; expected one in judge.split"
        )
    return used


def _pairs(
    parts: list[Part], columns: PairColumns, left_out: Counter[str], notes: list[str]
) -> Iterator[PairTexts]:
    """All labelled pairs of a source, in its order."""
    for part in parts:
        found, records = find_pair_columns(iter(part.records), columns, part.place)
        notes.append(f"{part.place}: {found.words()}")
        for record in records:
            try:
                yield read_pair(record, found)
            except LeftOut as reason:
                left_out[str(reason)] += 1


def _drawn(pairs: Iterator[PairTexts], how: Json) -> list[PairTexts]:
    """All pairs, or `limit` of them, in their order."""
    if "limit" not in how:
        return list(pairs)
    ranked = ((_rank(how["seed"], pair), place, pair) for place, pair in enumerate(pairs))
    kept = heapq.nsmallest(how["limit"], ranked, key=lambda one: one[:2])
    return [pair for _, _, pair in sorted(kept, key=lambda one: one[1])]


def _rank(seed: int, pair: PairTexts) -> bytes:
    named = "\x1f".join([str(seed), pair.question, pair.first, pair.second])
    return hashlib.sha256(named.encode()).digest()


def rows_of_pairs(pairs: list[PairTexts]) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows of problems, samples and preferences; equal questions, and equal answers, are one."""
    indices: dict[str, dict[str, int]] = {}
    questions: dict[str, str] = {}
    said: dict[str, dict[tuple[int, int], list[float]]] = {}
    for pair in pairs:
        name = f"pairs/{question_key(pair.question)[:16]}"
        questions.setdefault(name, pair.question)
        known = indices.setdefault(name, {})
        first, second = (known.setdefault(text, len(known)) for text in (pair.first, pair.second))
        p = pair.p if first < second else 1 - pair.p
        place = min(first, second), max(first, second)
        said.setdefault(name, {}).setdefault(place, []).append(p)
    problems = [_problem(name, question) for name, question in questions.items()]
    samples = [
        _sample(name, index, text)
        for name, known in indices.items()
        for text, index in known.items()
    ]
    preferences = [
        preference_row(Pair(name, first, second, ("", "")), [sum(p) / len(p)], [""])
        for name, labels in said.items()
        for (first, second), p in sorted(labels.items())
    ]
    return problems, samples, preferences


def _problem(name: str, question: str) -> Row:
    empty = dict.fromkeys(("reference", "solution", "level", "subject"), "")
    return {"id": name, "domain": "text", "question": question, "split": "train", **empty}


def _sample(name: str, index: int, text: str) -> Row:
    made = {"seed": 0, "tokens": 0, "finish": "stop", "model": "", "prompt": ""}
    return {"problem_id": name, "index": index, "text": text, **made}
