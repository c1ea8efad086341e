"""Parts from an earlier run, so that a dry run needs no probe where one was made before.

A completed run of the same model, engine, trainer and machine settings has measured the same costs
(its journal and its artifacts' manifests say what each step took), and those of trained policies
besides. It must have done its own work: a run that found its steps cached has measured nothing.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.estimate.simulation.batching import shard_seconds
from flows.estimate.simulation.costs import Parts, TrainParts
from flows.estimate.simulation.fit import Measured, fit_engine, fit_score
from tasks.dag.runtime import home, open_store
from tasks.generate.step import FILE
from tasks.rows import Json, read_rows
from tasks.store.store import ArtifactRef, Damage, Store


def of_runs(key: str, key_of: Callable[[RestEmConfig], str]) -> Parts | None:
    """Parts from the newest run that measured what a configuration needs; None without one.

    Args:
        key: Of the configuration (`flows.estimate.estimate.parts_key`).
        key_of: The function that gives it.
    """
    heads = sorted((home() / "runs").glob("*/run.json"), key=lambda path: -path.stat().st_mtime)
    for path in heads:
        try:
            head = json.loads(path.read_text())
            if head["state"] != "completed" or head.get("flow", "rest-em") != "rest-em":
                continue
            ran = RestEmConfig.model_validate(head["config"])
            if key_of(ran) != key:
                continue
            parts = _of(path.parent, ran)
        except (OSError, ValueError, KeyError, Damage):
            continue
        if parts is not None:
            day = time.strftime("%Y-%m-%d %H:%M", time.localtime(head["ended"]))
            return replace(parts, source=f"run {head['run']} of {day}")
    return None


def _of(folder: Path, config: RestEmConfig) -> Parts | None:
    steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    store = open_store(config.resources)
    done = [line for line in steps if line["state"] == "Completed"]
    lines = [(line, _line(store, line)) for line in done]
    drawn = [m for _, m in lines if m.step == "generate"]
    scored = [m for _, m in lines if m.step == "score"]
    trained = [m for _, m in lines if m.step == "finetune"]
    if len(drawn) < 3 or not scored or not trained:
        return None
    # The first shard of a policy loads it; the others show what sampling costs.
    firsts, later, seen = [], [], set()
    for line, measured in lines:
        if measured.step == "generate":
            (later if line["iteration"] in seen else firsts).append(measured)
            seen.add(line["iteration"])
    engine = fit_engine(later, config.resources.batch_size)
    loads = [
        max(0.0, one.seconds - shard_seconds(engine, one.problems, one.lengths)) for one in firsts
    ]
    load = statistics.median(loads[1:] or loads)
    greedy = [m for m in drawn if m.facts["greedy"]]
    sampled = [m for m in drawn if not m.facts["greedy"]]
    return Parts(
        engine=replace(engine, load=load),
        score=fit_score(scored[1:] or scored, scored[0]),
        train=_train(store, [line for line in done if line["step"] == "finetune"]),
        lengths=_flat(sampled or greedy),
        greedy_lengths=_flat(greedy or sampled),
        overhead=sum(m.took - m.seconds for _, m in lines) / len(lines),
        once={
            name: statistics.mean(m.seconds for _, m in lines if m.group == name)
            for name in {m.group for _, m in lines} & {"group", "measure", "select", "report"}
        },
        first=max(0.0, loads[0] - load),
        keep=_keep(store, steps),
        source="run",
    )


def _line(store: Store, line: Json) -> Measured:
    """A line of the journal with what its artifact says."""
    kind, key = line["artifact"].split("/")
    made = store.read_manifest(kind, key).provenance
    hints, lengths = made.hints, ()
    facts: Json = {}
    if kind == "samples":
        ref = ArtifactRef(kind, key, line["digest"], line["rows"])
        lengths = tuple(row["tokens"] for row in read_rows(store.path(ref) / FILE, ["tokens"]))
        facts["greedy"] = made.settings["sampling"]["temperature"] == 0.0
    problems = hints["stop"] - hints["start"] if "stop" in hints else 0
    return Measured(
        made.step,
        line["step"],
        problems,
        line["rows"],
        line["seconds"],
        line["took"],
        lengths,
        facts,
    )


def _train(store: Store, lines: list[Json]) -> TrainParts:
    """Costs of fine-tuning, from all fine-tunes of the run."""
    found = []
    for line in lines:
        kind, key = line["artifact"].split("/")
        manifest = store.read_manifest(kind, key)
        ref = ArtifactRef(kind, key, line["digest"], line["rows"])
        facts = json.loads((store.path(ref) / "training.json").read_text())
        taken = manifest.stats.parts or {}
        batch = manifest.provenance.settings["batch_size"]
        done = facts["steps"] * min(batch, facts["sequences"])
        checks = max(1, sum("reward" in entry for entry in facts["history"]))
        # Building the trainer is inside `training`; it is not told apart, and goes with the steps.
        other = taken["training"] + sum(
            taken.get(name, 0.0) for name in ("validation", "checkpoints", "packing")
        )
        found.append(
            TrainParts(
                start=max(0.0, line["seconds"] - other + taken.get("checkpoints", 0.0)),
                row=taken["packing"] / max(1, facts["rows"]),
                sequence=max(0.0, taken["training"] - taken.get("checkpoints", 0.0)) / max(1, done),
                check=taken.get("validation", 0.0) / checks,
                save=taken.get("checkpoints", 0.0) / checks,
                tokens_row=facts["tokens"] / max(1, facts["rows"]),
            )
        )
    names = ("start", "row", "sequence", "check", "save", "tokens_row")
    return TrainParts(*(statistics.mean(getattr(one, name) for one in found) for name in names))


def _keep(store: Store, steps: list[Json]) -> tuple[float, ...]:
    """The share of samples that became rows, over all iterations of the run."""
    shares = []
    for line in steps:
        if line["step"] == "select":
            kind, key = line["artifact"].split("/")
            ref = ArtifactRef(kind, key, line["digest"], line["rows"])
            counts = json.loads((store.path(ref) / "counts.json").read_text())
            before = counts["kept"] + counts["dropped_cap"]
            shares.append(min(1.0, before / max(1, counts["samples"])))
    return tuple(shares)


def _flat(lines: list[Measured]) -> tuple[int, ...]:
    return tuple(length for line in lines for length in line.lengths)
