"""`restem import`: rollouts that others made, kept under a name for `sampling.teacher`.

RESTEM_HOME/imports/NAME holds `rollouts.parquet`; `problems.jsonl`, the questions among them that
have a reference, for training on these very problems; and `import.json`, which says what it is.
The folder is there as a whole or not at all, and is the source that a run's store is filled from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn

from flows.api.imports.forms import Form, Rollout, rollouts_of, score_field
from flows.config.rest_em import RestEmConfig
from flows.runs.store_use import held
from tasks.dag.runtime import Runtime, home, open_store
from tasks.dag.step import perform
from tasks.durable import make_folders, sync_tree
from tasks.errors import UserError
from tasks.facts import FactsFile
from tasks.generate.imported import Matches, import_folder, match
from tasks.problems.source import ENDINGS, Record, read_json_lines
from tasks.problems.step import load_splits, problems_call
from tasks.rows import ROLLOUT, ROLLOUTS_FILE, Row, question_key, read_rows, write_rows
from tasks.store.draft_owner import draft_name
from tasks.store.files import put_in_place, sha256
from tasks.store.locks import alone

PROBLEMS_LINES = "problems.jsonl"
_PARQUET = ".parquet"


@dataclass(frozen=True)
class Imported(FactsFile):
    """What was imported under a name.

    Attributes:
        file: Name of the file that it came from.
        content: SHA-256 of the rollouts.
        lines: That were read, by form.
        rollouts: How many there are.
        questions: Different ones among them.
        scores: Rollouts with a score.
        keep_scores: Whether it is their reward.
        problems: Questions with a reference.
        repeated: Answers that lm-eval wrote once more, for another filter; they are left out.
    """

    FILE: ClassVar[str] = "import.json"

    name: str
    file: str
    content: str
    lines: dict[str, int]
    rollouts: int
    questions: int
    scores: int
    keep_scores: bool
    problems: int
    repeated: int


def import_rollouts(file: Path, name: str, *, keep_scores: bool = False) -> Imported:
    """Read a file of rollouts and keep it under a name.

    Args:
        file: JSON lines, gzipped or not, or Parquet; see flows/api/imports/forms.py.
        name: Lower-case letters, digits, dots, hyphens, underscores.
        keep_scores: The scores that came with them are the rewards; else our checker grades.

    Raises:
        UserError: a malformed line (file, line and field are named), or the name is taken.
    """
    place = import_folder(name)
    if not file.is_file() or not file.name.endswith((*ENDINGS, _PARQUET)):
        raise UserError(f"FILE {file}: expected a .jsonl, .jsonl.gz or .parquet file")
    make_folders(place.parent)
    with alone(place.with_name(".lock")):
        for left in place.parent.glob(f".{name}~*"):  # by a kill
            shutil.rmtree(left, ignore_errors=True)
        return _keep(file, name, place, keep_scores)


def _keep(file: Path, name: str, place: Path, keep_scores: bool) -> Imported:
    draft = place.with_name(draft_name(f".{name}"))
    draft.mkdir()
    try:
        found = _write(draft, file, name, keep_scores)
        if place.exists():
            there = Imported.read(place)
            if there.content != found.content:
                raise UserError(
                    f"--as {name}: {there.rollouts:,} other rollouts, of {there.file}, have that "
                    f"name; expected another one (or delete {place})"
                )
            return there
        sync_tree(draft)
        put_in_place(draft, place)
        return found
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_import(name: str, config: RestEmConfig) -> Matches:
    """How the rollouts of an import fit the training problems of a configuration.

    Raises:
        UserError: the problems are not to be had.
    """
    store = open_store(config.resources)
    runtime = Runtime(
        store=store,
        logs=home() / "logs",
        resources=config.resources,
        engine=_none,
        grader=_none,
        progress=lambda *_: None,
    )
    with held(store, "restem import"):
        problems = load_splits(store.path(perform(problems_call(config.data), runtime)))["train"]
    return match(import_folder(name) / ROLLOUTS_FILE, problems, config.sampling.samples)


def _write(draft: Path, file: Path, name: str, keep: bool) -> Imported:
    lines: dict[Form, int] = {}
    keys: set[str] = set()
    scores = repeated = 0
    seen: set[tuple[str, str]] = set()
    problems: dict[str, Row] = {}

    def rows() -> Iterator[Row]:
        nonlocal scores, repeated
        for record in _records(file):
            form, rollouts = rollouts_of(record)
            lines[form] = lines.get(form, 0) + 1
            if form == "lm-eval" and _is_repeated(record, seen):
                repeated += len(rollouts)
                continue
            for one in rollouts:
                key = question_key(one.question)
                keys.add(key)
                scores += one.score is not None
                if one.reference:
                    problems.setdefault(one.id or key, _problem(one, key))
                if keep and (one.score is None or not 0 <= one.score <= 1):
                    record.fail(score_field(record), "a score from 0 to 1, for --keep-scores")
                yield {"key": key, "kept": keep, **vars(one)}

    count = write_rows(draft / ROLLOUTS_FILE, ROLLOUT, rows())
    if not count:
        raise UserError(f"FILE {file}: it has no rollout")
    with (draft / PROBLEMS_LINES).open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in problems.values())
    found = Imported(
        name=name,
        file=file.name,
        content=sha256(draft / ROLLOUTS_FILE),
        lines={str(form): number for form, number in lines.items()},
        rollouts=count,
        questions=len(keys),
        scores=scores,
        keep_scores=keep,
        problems=len(problems),
        repeated=repeated,
    )
    found.write(draft)
    return found


def _problem(one: Rollout, key: str) -> Row:
    return {"id": one.id or key[:16], "question": one.question, "reference": one.reference}


def _records(file: Path) -> Iterator[Record]:
    if not file.name.endswith(_PARQUET):
        yield from read_json_lines(file)
        return
    import pyarrow as pa

    try:
        for number, row in enumerate(read_rows(file), 1):
            yield Record(row, str(file), number)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"FILE {file}: it is no Parquet file ({str(error).splitlines()[0]})"
        ) from None


def _is_repeated(record: Record, seen: set[tuple[str, str]]) -> bool:
    """Whether a line of lm-eval has the answers of an earlier one, under another filter."""
    named = record.data.get("doc_hash", record.data.get("doc_id"))
    if named is None or "filter" not in record.data:
        return False
    mine = (json.dumps(named), question_key(json.dumps(record.data["resps"])))
    if mine in seen:
        return True
    seen.add(mine)
    return False


def _none(*_: object) -> NoReturn:
    raise AssertionError("reading problems needs no engine and no grader")
