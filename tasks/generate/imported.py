"""Samples that others made, in the place of drawn ones (`sampling.teacher = "import:NAME"`).

`restem import` keeps them in RESTEM_HOME/imports/NAME. Here they come into the store, named by
their content, and are given to the problems of a run, shard by shard: a rollout belongs to the
problem with its id, else to the one with its question, equal up to white space. The first one of a
problem is its sample 0, and so on in the order of the file. What they were asked with is not
known, nor their seeds and tokens: the prompt is the one that they are trained with, the seed -1.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.dag.runtime import Runtime, home
from tasks.dag.step import Call, step
from tasks.dag.step_names import IMPORT, IMPORT_SAMPLES
from tasks.errors import UserError
from tasks.generate.step import read_block
from tasks.prompts import PromptChoice, load_template
from tasks.rows import (
    GIVEN,
    ROLLOUTS_FILE,
    ROW_GROUP,
    SAMPLE,
    SAMPLES_FILE,
    SCORES_FILE,
    Row,
    question_key,
    text_digest,
    write_rows,
)
from tasks.settings import IMPORTED
from tasks.store.files import sha256
from tasks.store.manifest import Stats
from tasks.store.store import ArtifactRef, Draft

ROLLOUTS = "rollouts"  # kind of the artifact
_TAKEN = ("text", "finish", "score", "kept")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def import_folder(name: str) -> Path:
    """Where the rollouts of a name are kept.

    Raises:
        UserError: it is no name.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r}: expected a name of lower-case letters, digits, dots, hyphens and "
            "underscores, at most 64"
        )
    return home() / "imports" / name


def import_call(teacher: str) -> Call:
    """The call that brings `import:NAME` into the store.

    Raises:
        UserError: nothing was imported under that name.
    """
    name = teacher.removeprefix(IMPORTED)
    path = import_folder(name) / ROLLOUTS_FILE
    if not path.is_file():
        known = sorted(one.parent.name for one in (home() / "imports").glob(f"*/{ROLLOUTS_FILE}"))
        raise UserError(
            f"sampling.teacher: nothing was imported as {name!r}; expected one of: "
            f"{', '.join(known) or 'none yet; restem import FILE --as NAME'}"
        )
    return Call(bring_rollouts, f"import {name}", {"content": sha256(path)}, hints={"name": name})


@step(IMPORT, ROLLOUTS)
def bring_rollouts(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Fill a draft with the rollouts of an import."""
    name = call.hints["name"]
    shutil.copyfile(import_folder(name) / ROLLOUTS_FILE, draft.path / ROLLOUTS_FILE)
    if sha256(draft.path / ROLLOUTS_FILE) != call.settings["content"]:
        raise UserError(f"import {name}: it was changed meanwhile; run the same command again")
    draft.rows = pq.read_metadata(draft.path / ROLLOUTS_FILE).num_rows
    draft.stats = Stats(source=f"{IMPORTED}{name}", note=f"{draft.rows:,} rollouts")


def imported_call(
    label: str,
    settings: dict[str, object],
    rollouts: ArtifactRef,
    problems: ArtifactRef,
    hints: dict[str, object],
) -> Call:
    """The call that gives rollouts to a block of problems; arguments as those of `generate_call`.

    Of the settings only those stand in the key that change what is given.
    """
    names = ("prompt", "shots", "problems", "samples", "only")
    kept = {name: settings[name] for name in names if name in settings}
    return Call(import_samples, label, kept, {ROLLOUTS: rollouts}, hints, {"problems": problems})


@step(IMPORT_SAMPLES, "samples")
def import_samples(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Give each problem of a block its rollouts `samples[0] <= index < samples[1]`."""
    settings, rollouts = call.settings, call.inputs[ROLLOUTS]
    template = load_template(PromptChoice.of(call.hints), settings["prompt"])
    block = read_block(call, runtime)
    if "only" in settings:
        block = [block[i] for i in settings["only"]]
    first, last = settings["samples"]
    found = _by_problem(runtime.store.path(rollouts) / ROLLOUTS_FILE, block)
    scores: list[float] = []

    def rows() -> Iterator[Row]:
        for problem in block:
            prompt = template.render(problem["question"], settings["shots"], problem["subject"])
            digest = text_digest(prompt)
            for index, row in enumerate(found[problem["id"]][first:last], first):
                if row["kept"]:
                    scores.append(row["score"])
                yield {
                    "problem_id": problem["id"],
                    "index": index,
                    "seed": -1,
                    "text": row["text"],
                    "tokens": 0,
                    "finish": row["finish"],
                    "model": rollouts.digest,
                    "prompt": digest,
                }

    draft.rows = write_rows(draft.path / SAMPLES_FILE, SAMPLE, rows())
    if scores:
        write_rows(draft.path / SCORES_FILE, GIVEN, ({"score": score} for score in scores))


@dataclass(frozen=True)
class Matches:
    """How rollouts fit the problems of a run.

    Attributes:
        rollouts: All of them.
        matched: Those that belong to a problem.
        beyond: Of these, the ones beyond the most that a problem may have.
        problems: Problems with at least one.
    """

    rollouts: int
    matched: int
    beyond: int
    problems: int


def match(path: Path, problems: Sequence[Row], most: int) -> Matches:
    """Count how the rollouts of a file fit problems, of which each may have `most`."""
    total, matched, counts = 0, 0, Counter[str]()
    place = _places(problems)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=["id", "key"]):
            total += len(batch)
            for row in batch.to_pylist():
                mine = _problems_of(row, place)
                matched += bool(mine)
                counts.update(mine)
    beyond = sum(max(0, count - most) for count in counts.values())
    return Matches(total, matched, beyond, len(counts))


def _by_problem(path: Path, block: Sequence[Row]) -> dict[str, list[Row]]:
    """The rollouts of each problem of a block, in order."""
    place = _places(block)
    ids, keys = pa.array(list(place.ids), pa.string()), pa.array(list(place.keys), pa.string())
    found: dict[str, list[Row]] = defaultdict(list)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=["id", "key", *_TAKEN]):
            wanted = pc.or_(pc.is_in(batch.column("id"), ids), pc.is_in(batch.column("key"), keys))
            for row in batch.filter(wanted).to_pylist():
                for name in _problems_of(row, place):
                    found[name].append(row)
    return found


@dataclass(frozen=True)
class _Places:
    """Problems by id and by question."""

    ids: frozenset[str]
    keys: Mapping[str, list[str]]


def _places(problems: Sequence[Row]) -> _Places:
    keys: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        keys[question_key(problem["question"])].append(problem["id"])
    return _Places(frozenset(problem["id"] for problem in problems), keys)


def _problems_of(row: Row, place: _Places) -> list[str]:
    """Ids of the problems that a rollout belongs to: several, where they ask the same."""
    return [row["id"]] if row["id"] in place.ids else place.keys.get(row["key"], [])
