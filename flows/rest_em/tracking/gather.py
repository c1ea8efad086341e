"""Gathers what a tracker is told of a run from its artifacts; a cached run tells the same again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.report.cost import CostLine
from flows.report.values import flat
from flows.rest_em.cost_lines import cost_lines
from flows.rest_em.inputs import RunInputs, report_inputs
from flows.rest_em.iterations import LoopResult
from flows.rest_em.results import PolicyReport, RunReport
from flows.rest_em.tracking.record import TRAIN, Point, TrackedRun
from tasks.evaluate.intervals import Interval
from tasks.store.store import Store

# mlflow takes these characters alone.
_OTHER = re.compile(r"[^\w.\-]+")


def tracked_run(
    config: RestEmConfig, outcome: LoopResult, found: RunReport, page: Path, store: Store
) -> TrackedRun:
    """What there is to tell of a run that came to its end.

    Args:
        config: Of the run.
        outcome: Its artifacts.
        found: Its report.
        page: Path of that.
        store: Where the artifacts lie.
    """
    lines = cost_lines(RunInputs(store, report_inputs(outcome)))
    return TrackedRun(
        run=found.run,
        config=dict(flat(config.model_dump())),
        report=str(page),
        iterations=iteration_points(found.iterations, lines),
        training=training_points(found.iterations),
    )


def iteration_points(policies: Iterable[PolicyReport], costs: Iterable[CostLine]) -> list[Point]:
    """A point for each policy."""
    spent: dict[int, dict[str, float]] = {}
    for line in costs:
        into = spent.setdefault(line.iteration, {})
        for name, amount in line.made.items():
            into[f"cost/{name}"] = into.get(f"cost/{name}", 0.0) + amount
    return [
        Point(one.iteration, dict(_values(one)) | spent.get(one.iteration, {})) for one in policies
    ]


def training_points(policies: Iterable[PolicyReport]) -> list[Point]:
    """The points of each fine-tune."""
    return [
        Point(
            entry.step,
            {
                f"{TRAIN}iteration_{policy.iteration}/{name}": value
                for name, value in (("loss", entry.loss), ("reward", entry.reward))
                if value is not None
            },
        )
        for policy in policies
        if policy.finetune
        for entry in policy.finetune.history
    ]


def _values(policy: PolicyReport) -> Iterator[tuple[str, float]]:
    yield from _with_bounds("eval", policy.metrics)
    yield from _with_bounds("transfer", {k: one.greedy for k, one in policy.transfer.items()})
    if policy.acceptance is not None:
        yield "samples/accepted", policy.acceptance


def _with_bounds(prefix: str, metrics: Mapping[str, Interval]) -> Iterator[tuple[str, float]]:
    for name, metric in metrics.items():
        series = f"{prefix}/{series_name(name)}"
        yield series, metric.value
        yield f"{series}_low", metric.low
        yield f"{series}_high", metric.high


def series_name(metric: str) -> str:
    """A metric's name as every tracker takes it: `pass@4` is `pass_at_4`."""
    return _OTHER.sub("_", metric.replace("@", "_at_"))
