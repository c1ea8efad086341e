"""Runs made by hand, on which the two checkers disagree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.runs.journal import Journal
from flows.runs.journal_forms import StepLine
from tasks.rows import PROBLEM, SAMPLE, VERDICT, Row, text_digest, write_rows
from tasks.score.math import pool
from tasks.score.score import score_rows
from tasks.store.manifest import Provenance, Stats
from tasks.store.store import ArtifactRef, Store

PAIRS = json.loads(Path(__file__).with_name("audit_pairs.json").read_text())


# Of the second checker for a pair, in wall time; one of the pairs has no end and takes all of it.
LIMIT = 10.0
MADE = Provenance("test", 1, "", {}, {}, {}, {})


def commit(store: Store, kind: str, key: str, schema: Any, rows: list[Row], **made: Any) -> Any:
    with store.draft(kind, key) as draft:
        draft.rows = write_rows(draft.path / f"{kind}.parquet", schema, rows)
        draft.stats = Stats(provenance=replace(MADE, **made))
    ref = store.lookup(kind, key)
    assert ref is not None
    return ref


def make_run(home: Path, pairs: list[dict[str, str]], **settings: Any) -> ArtifactRef:
    """A run `made` with these pairs, two samples of each, scored by the real checker."""
    store = Store(str(home / "store"), cache=home / "cache")
    problems = [
        {
            "id": f"made/test/{number}",
            "domain": "math",
            "question": pair.get("question", f"Question {number}?"),
            "reference": pair["gold"],
            "solution": "",
            "level": pair.get("level", ""),
            "subject": pair.get("subject", ""),
            "split": "test",
        }
        for number, pair in enumerate(pairs)
    ]
    samples = [
        {
            "problem_id": f"made/test/{number}",
            "index": index,
            "seed": index,
            "text": pair["text"],
            "tokens": 5,
            "finish": "stop",
            "model": "0" * 64,
            "prompt": text_digest("?"),
        }
        for number, pair in enumerate(pairs)
        for index in range(2)
    ]
    asked = commit(store, "problems", "p", PROBLEM, problems)
    drawn = commit(store, "samples", "s", SAMPLE, samples)
    references = {row["id"]: row["reference"] for row in problems}
    with pytest.MonkeyPatch.context() as patch:
        # A pair without end uses up its CPU time; on a busy machine the others are not late.
        patch.setattr(pool, "WALL_FACTOR", 100.0)
        with pool.GradePool(workers=1, time_limit=1.0) as checkers:
            scored = [row for row, _ in score_rows(samples, references, checkers)]
    verdicts = commit(
        store,
        "verdicts",
        "v",
        VERDICT,
        scored,
        settings=settings,
        inputs={"samples": drawn},
        context={"problems": asked},
        hints={"split": "test", "start": 0, "stop": len(problems)},
    )
    journal = Journal("made", {"resources": {}}, "rest-em")
    for step, ref in (("problems", asked), ("generate", drawn), ("score", verdicts)):
        journal.step(
            StepLine(
                iteration=0,
                step=step,
                state="Completed",
                label=step,
                took=0.0,
                seconds=0.0,
                tokens=0,
                artifact=ref.location,
                digest=ref.digest,
                rows=ref.rows,
            )
        )
    journal.end("completed")
    return verdicts
