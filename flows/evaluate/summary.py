"""The last step of an evaluation: results.json, every sample in one table, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from flows.config.benchmarks import BENCHMARKS
from flows.config.evaluate import EvaluateConfig
from flows.evaluate.bbh import TASK_MEAN, by_task
from flows.evaluate.hand import HandGrade, exported, read_grades, scored_by_hand
from flows.evaluate.page import markdown, render
from flows.evaluate.paired import (
    compare_policies,
    corrected,
    regression_warnings,
    unchecked_warnings,
)
from flows.evaluate.results import (
    BenchmarkResult,
    Evaluated,
    EvaluationResults,
    PolicyLabel,
    PolicyMetrics,
    ScoredBenchmark,
)
from flows.orchestrator.shards import Shards
from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of, verdicts_of
from tasks.dag.step import Call, step
from tasks.evaluate.results import Metrics
from tasks.evaluate.step import read_groups
from tasks.evaluate.win_rate import WinRates
from tasks.problems.step import load_splits
from tasks.rows import SAMPLE, SAMPLES_FILE, VERDICT, Json, Row, write_rows
from tasks.settings import BenchmarkName, MeasureSettings
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
_SETS = ("greedy", "sampled")
_WIN_RATES = "win_rates"


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
        for kind, ref in (
            ("groups", one.groups),
            ("metrics", one.metrics),
            (_WIN_RATES, one.win_rates),
        ):
            if ref is not None:
                inputs[f"{name} {kind}"] = ref
        for kind in _SETS:
            shards: Shards = getattr(one, kind)
            inputs |= inputs_of(f"{name} {kind}", shards.samples, shards.verdicts)
    settings = {
        "run": config.run_id,
        "config": config.described(),
        "labels": {str(one.number): one.label for one in done},
        "grades": [one.to_json() for one in read_grades(config.grades)] if config.grades else [],
    }
    return Call(write_results, "report", settings, inputs)


@step("results", "report")
def write_results(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write results.json, samples.parquet, the report, and what a person has to grade."""
    store, settings = runtime.store, call.settings
    found = [
        _read(call, store, name, int(number))
        for name in settings["config"]["on"]
        for number in settings["labels"]
    ]
    grades = [HandGrade.from_json(one) for one in settings["grades"]]
    labels = [
        PolicyLabel(int(number), label, call.inputs[f"p{number} policy"].digest)
        for number, label in settings["labels"].items()
    ]
    won = {
        name: WinRates.read(store.path(ref))
        for name in settings["config"]["on"]
        if (ref := call.inputs.get(f"{name} p1 {_WIN_RATES}"))
    }
    results = summarise(found, settings["run"], settings["config"], labels, grades, won)
    results.write(draft.path)
    draft.rows = write_rows(draft.path / SAMPLES_FILE, EVALUATED, _samples(call, store, found))
    for name in settings["config"]["on"]:
        if BENCHMARKS[name].by_hand:
            lines = exported([one for one in found if one.benchmark == name], grades)
            (draft.path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (draft.path / "report.html").write_text(render(results), encoding="utf-8")
    (draft.path / "report.md").write_text(markdown(results), encoding="utf-8")
    draft.volatile = {"report.html", "report.md"}


def summarise(
    found: list[ScoredBenchmark],
    run: str,
    config: Json,
    labels: list[PolicyLabel],
    grades: list[HandGrade],
    won: Mapping[str, WinRates],
) -> EvaluationResults:
    """The results of an evaluation.

    Args:
        found: What each policy did on each benchmark.
        run: Its id.
        config: Its configuration as plain data.
        labels: The policies.
        grades: What a person graded.
        won: Win rates by benchmark.
    """
    settings = MeasureSettings(**config["measure"])
    benchmarks = _corrected(
        [
            _benchmark(
                [one for one in found if one.benchmark == name], grades, settings, won.get(name)
            )
            for name in config["on"]
        ]
    )
    compared = {one.name: one.comparison for one in benchmarks if one.comparison}
    warnings = regression_warnings(compared, config["against"], settings.confidence)
    for one in benchmarks:
        for policy in one.policies:
            warnings += unchecked_warnings(one.name, policy.statuses)
    return EvaluationResults(
        run,
        config["name"],
        config["model"],
        config["against"],
        config,
        labels,
        benchmarks,
        warnings,
    )


def _benchmark(
    found: list[ScoredBenchmark],
    grades: list[HandGrade],
    settings: MeasureSettings,
    won: WinRates | None,
) -> BenchmarkResult:
    """One benchmark by all policies."""
    first, how = found[0], BENCHMARKS[found[0].benchmark]
    return BenchmarkResult(
        name=first.benchmark,
        problems=len(first.problems),
        policies=[_metrics(one, settings) for one in found],
        hand=scored_by_hand(found, grades, settings) if how.by_hand else None,
        comparison=compare_policies(first, found[1], settings)
        if len(found) > 1 and not how.by_hand
        else None,
        win_rates=won,
    )


def _metrics(one: ScoredBenchmark, settings: MeasureSettings) -> PolicyMetrics:
    found = one.metrics
    if BENCHMARKS[one.benchmark].data == "bbh":
        subjects, mean = by_task(one, settings)
        found = replace(found, subjects=subjects, metrics={**found.metrics, TASK_MEAN: mean})
    return PolicyMetrics(**vars(found), number=one.number)


def _corrected(benchmarks: list[BenchmarkResult]) -> list[BenchmarkResult]:
    """The same with p-values that are corrected over the benchmarks."""
    with_p = iter(corrected([one.comparison for one in benchmarks if one.comparison]))
    return [replace(one, comparison=next(with_p)) if one.comparison else one for one in benchmarks]


def _read(call: Call, store: Store, name: BenchmarkName, number: int) -> ScoredBenchmark:
    """What a policy did on a benchmark, from the artifacts."""
    key, inputs = f"{name} p{number}", call.inputs
    groups, metrics = inputs.get(f"{key} groups"), inputs.get(f"{key} metrics")
    return ScoredBenchmark(
        name,
        number,
        load_splits(store.path(inputs[f"{name} problems"]))["test"],
        list(rows_of(store, inputs, f"{key} greedy")),
        list(verdicts_of(store, inputs, f"{key} sampled")),
        read_groups(store, groups) if groups else {},
        Metrics.read(store.path(metrics)) if metrics else Metrics(),
    )


def _samples(call: Call, store: Store, found: list[ScoredBenchmark]) -> Iterator[Row]:
    """Every sample with its verdict, streamed."""
    for one in found:
        for kind in _SETS:
            for row in rows_of(store, call.inputs, f"{one.benchmark} p{one.number} {kind}"):
                place = (row["problem_id"], row["index"])
                group = one.groups.get(place, -1) if kind == "sampled" else -1
                drawn = {"benchmark": one.benchmark, "policy": one.number, "drawn": kind}
                yield {**drawn, "group": group, **row}
