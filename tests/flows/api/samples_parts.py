"""A run whose samples and verdicts are made by hand, in the home of the environment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import load_config
from flows.runs.journal import Journal
from flows.runs.journal_forms import StepLine
from tasks.dag.runtime import home
from tasks.dag.shard_inputs import inputs_of
from tasks.dag.step_names import SELECT, line_name
from tasks.rows import PROBLEM, SAMPLE, TRAINING, VERDICT, Row, Status, write_rows
from tasks.select.results import SelectionCounts
from tasks.store.manifest import ArtifactRef, Provenance, Stats
from tasks.store.store import Store

RUN = "made-1"


@dataclass(frozen=True)
class Made:
    """A sample with its verdict."""

    problem: str
    index: int
    text: str
    status: Status
    finish: str = "stop"

    @property
    def reward(self) -> float:
        return float(self.status is Status.CORRECT)


@dataclass(frozen=True)
class Shard:
    """Samples that one step drew."""

    purpose: str
    iteration: int
    samples: Sequence[Made]


@dataclass(frozen=True)
class Selected:
    """Rows that were selected from the samples of all shards of a policy.

    Attributes:
        rows: Of each its sample, by the number of the shard and its place there.
    """

    iteration: int
    rows: Sequence[tuple[int, int]]
    counts: SelectionCounts
    rules: dict[str, Any] = field(default_factory=dict)
    step: str = SELECT


def make_run(
    problems: dict[str, str],
    shards: Sequence[Shard],
    run: str = RUN,
    selected: Sequence[Selected] = (),
    config: EvaluateConfig | None = None,
) -> Path:
    """The folder of a run that is under way.

    Args:
        problems: Questions by id; the reference of each is its id.
        run: Its name.
        selected: In the order of their policies.
        config: Of an evaluation; None: the run is one of the loop.
    """
    store = Store(str(home() / "store"), cache=home() / "cache")
    of = config or load_config("math-demo", [])
    made = Journal(run, of.model_dump(mode="json"), "evaluate" if config else "rest-em")
    rows = [_problem(name, question) for name, question in problems.items()]
    ref = _put(store, "problems", f"{run} problems", PROBLEM, rows)
    made.step(_line("problems", 0, ref))
    inputs, scored = {"problems": ref}, list[tuple[ArtifactRef, ArtifactRef]]()
    for number, one in enumerate(shards):
        samples = [_sample(sample) for sample in one.samples]
        of = _put(store, "samples", f"{run} samples {number}", SAMPLE, samples)
        verdicts = [_verdict(sample) for sample in one.samples]
        name = f"{run} verdicts {number}"
        ref = _put(store, "verdicts", name, VERDICT, verdicts, {"samples": of})
        scored.append((of, ref))
        made.step(_line(line_name("score", one.purpose), one.iteration, ref))
    for one in selected:
        own = [
            refs
            for refs, shard in zip(scored, shards, strict=True)
            if (shard.purpose, shard.iteration) == ("draw", one.iteration)
        ]
        rows = [_row(shards[of].samples[at], scored[of][0].key) for of, at in one.rows]
        ref = _put(
            store,
            "rows",
            f"{run} rows {one.iteration}",
            TRAINING,
            rows,
            {**inputs, **inputs_of("", *map(list, zip(*own, strict=True)))},
            made=one,
        )
        made.step(_line(SELECT, one.iteration + 1, ref))
    return made.folder


def _put(
    store: Store,
    kind: str,
    name: str,
    schema: object,
    rows: list[Row],
    inputs: dict[str, ArtifactRef] | None = None,
    made: Selected | None = None,
) -> ArtifactRef:
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    with store.draft(kind, key) as draft:
        draft.rows = write_rows(draft.path / f"{kind}.parquet", schema, rows)
        step, settings = (made.step, made.rules) if made else ("step", {})
        draft.stats = Stats(provenance=Provenance(step, 1, name, settings, inputs or {}, {}, {}))
        if made:
            made.counts.write(draft.path)
    ref = store.lookup(kind, key)
    assert ref is not None
    return ref


def _line(step: str, iteration: int, ref: ArtifactRef) -> StepLine:
    return StepLine(
        iteration=iteration,
        step=step,
        label=f"{step} p{iteration}",
        state="Completed",
        took=0.5,
        seconds=0.5,
        tokens=0,
        rows=ref.rows,
        artifact=ref.location,
        digest=ref.digest,
    )


def _problem(name: str, question: str) -> Row:
    plain = {"domain": "math", "solution": "", "level": "1", "subject": "", "split": "test"}
    return {"id": name, "question": question, "reference": name, **plain}


def _sample(one: Made) -> Row:
    plain = {"seed": 7, "tokens": len(one.text), "model": "m", "prompt": "p"}
    of = {"problem_id": one.problem, "index": one.index, "text": one.text, "finish": one.finish}
    return {**of, **plain}


def _row(one: Made, samples: str) -> Row:
    plain = {"prompt": "", "completion": one.text, "weight": 1.0}
    return {"problem_id": one.problem, "index": one.index, "samples": samples, **plain}


def _verdict(one: Made) -> Row:
    found = {"reward": one.reward, "status": one.status.value, "extracted": one.text[-1:]}
    return {"problem_id": one.problem, "index": one.index, "first_failure": -1, **found}
