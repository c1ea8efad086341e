"""The last step of an evaluation: results.json, every sample in one table, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa

from flows.config.benchmarks import BENCHMARKS
from flows.config.evaluate import EvaluateConfig
from flows.evaluate.bbh import TASK_MEAN, by_task
from flows.evaluate.hand import exported, read_grades, scored_by_hand
from flows.evaluate.page import markdown, render
from flows.evaluate.paired import compared, flags
from flows.evaluate.results import Evaluated, Result
from flows.orchestrator.shards import Shards
from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import JUDGED, inputs_of, rows_of, verdicts_of
from tasks.dag.step import Call, step
from tasks.evaluate.results import Metrics
from tasks.evaluate.step import read_groups
from tasks.problems.step import load_splits
from tasks.rows import (
    SAMPLE,
    SAMPLES_FILE,
    VERDICT,
    Json,
    Row,
    write_rows,
)
from tasks.settings import BenchmarkName
from tasks.store.store import ArtifactRef, Draft, Store

# A row is a sample with its verdict, and what it was drawn for.
EVALUATED = pa.schema(
    [
        ("benchmark", pa.string()),
        ("policy", pa.int32()),  # its number in results.json
        ("drawn", pa.string()),  # "greedy" (the one solution) or "sampled" (pass@k and vote)
        *SAMPLE,
        *(column for column in VERDICT if column.name not in SAMPLE.names),
        ("group", pa.int32()),  # first sample of the problem with an equal answer; -1: no vote
    ]
)
SETS = ("greedy", "sampled")


def results_call(config: EvaluateConfig, done: list[Evaluated]) -> Call:
    """The call that writes the results of an evaluation.

    Raises:
        UserError: the file with grades cannot be read.
    """
    inputs: dict[str, ArtifactRef] = {}
    for one in done:
        name = f"{one.benchmark} p{one.number}"
        inputs[f"{one.benchmark} problems"] = one.problems
        inputs[f"p{one.number} policy"] = one.policy
        for kind, ref in (("groups", one.groups), ("metrics", one.metrics)):
            if ref is not None:
                inputs[f"{name} {kind}"] = ref
        for kind in SETS:
            shards: Shards = getattr(one, kind)
            inputs |= inputs_of(f"{name} {kind}", shards.samples, shards.verdicts)
    settings = {
        "run": config.run_id,
        "config": config.model_dump(exclude={"resources", "grades"}),
        "labels": {str(one.number): one.label for one in done},
        "grades": read_grades(config.grades) if config.grades else [],
    }
    return Call(write_results, "report", settings, inputs)


@step("results", "report")
def write_results(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write results.json, samples.parquet, the report, and what a person has to grade."""
    store, settings = runtime.store, call.settings
    found = [
        _result(call, store, name, int(number))
        for name in settings["config"]["on"]
        for number in settings["labels"]
    ]
    results = summarise(found, settings, {n: r.digest for n, r in call.inputs.items()})
    (draft.path / "results.json").write_text(json.dumps(results, indent=1, sort_keys=True))
    draft.rows = write_rows(draft.path / SAMPLES_FILE, EVALUATED, _samples(call, store, found))
    for name in settings["config"]["on"]:
        if BENCHMARKS[name].by_hand:
            lines = exported([one for one in found if one.benchmark == name], settings["grades"])
            (draft.path / f"{name}.jsonl").write_text(lines)
    (draft.path / "report.html").write_text(render(results))
    (draft.path / "report.md").write_text(markdown(results))
    draft.volatile = {"report.html", "report.md"}


def summarise(found: list[Result], settings: Json, digests: dict[str, str]) -> Json:
    """The results (their form is described in flows/evaluate/tables.py)."""
    config = settings["config"]
    results: Json = {
        "run": settings["run"],
        "name": config["name"],
        "model": config["model"],
        "against": config["against"],
        "config": config,
        "policies": [
            {"number": int(number), "label": label, "digest": digests[f"p{number} policy"]}
            for number, label in settings["labels"].items()
        ],
        "benchmarks": [_benchmark(found, name, settings) for name in config["on"]],
        "warnings": [],
    }
    flags(results, config["measure"]["confidence"])
    return results


def _benchmark(found: list[Result], name: BenchmarkName, settings: Json) -> Json:
    of = [one for one in found if one.benchmark == name]
    measure = settings["config"]["measure"]
    item: Json = {
        "name": name,
        "problems": len(of[0].problems),
        "policies": [{"number": one.number, "metrics": {}, **one.metrics} for one in of],
        "hand": None,
        "comparison": None,
    }
    if BENCHMARKS[name].data == "bbh":
        for policy, one in zip(item["policies"], of, strict=True):
            policy["subjects"], policy["metrics"][TASK_MEAN] = by_task(one, measure)
    if BENCHMARKS[name].by_hand:
        item["hand"] = scored_by_hand(of, settings["grades"], measure)
    elif len(of) > 1:
        item["comparison"] = compared(of[0], of[1], measure)
    return item


def _result(call: Call, store: Store, name: BenchmarkName, number: int) -> Result:
    key, inputs = f"{name} p{number}", call.inputs
    groups, metrics = inputs.get(f"{key} groups"), inputs.get(f"{key} metrics")
    return Result(
        name,
        number,
        load_splits(store.path(inputs[f"{name} problems"]))["test"],
        list(rows_of(store, inputs, f"{key} greedy")),
        list(verdicts_of(store, inputs, f"{key} sampled", (*JUDGED, "extracted"))),
        read_groups(store, groups) if groups else {},
        Metrics.read(store.path(metrics)).to_json() if metrics else {},
    )


def _samples(call: Call, store: Store, found: list[Result]) -> Iterator[Row]:
    """Every sample with its verdict, streamed."""
    for one in found:
        for kind in SETS:
            for row in rows_of(store, call.inputs, f"{one.benchmark} p{one.number} {kind}"):
                place = (row["problem_id"], row["index"])
                group = one.groups.get(place, -1) if kind == "sampled" else -1
                yield {
                    "benchmark": one.benchmark,
                    "policy": one.number,
                    "drawn": kind,
                    "group": group,
                    **row,
                }
