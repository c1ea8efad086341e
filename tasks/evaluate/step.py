"""Metrics of one policy from its scored samples."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.rows import Row, read_rows
from tasks.settings import MeasureSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Only these change the metrics of given samples; the others change which samples are given.
_KEYED = {"pass_k", "majority", "samples", "bootstrap", "confidence"}
# Intervals are a property of the samples, so equal samples have equal intervals for every run.
_BOOTSTRAP_SEED = 0

Shards = tuple[list[ArtifactRef], list[ArtifactRef]]


def measure_call(
    label: str,
    settings: MeasureSettings,
    sets: dict[str, Shards],
    problems: ArtifactRef,
    groups: ArtifactRef | None = None,
) -> Call:
    """The call that measures a policy.

    Args:
        label: Name of the task run.
        settings: Which metrics.
        sets: Shards of samples and of verdicts of `greedy` (test problems), `train`,
            `validation` and `sampled` (test problems, for pass@k and the vote).
        problems: All problems.
        groups: Groups of equal answers among the sampled ones; without them there is no vote.
    """
    inputs = {"problems": problems} | ({"groups": groups} if groups else {})
    for name, (samples, verdicts) in sets.items():
        for number, (sample, verdict) in enumerate(zip(samples, verdicts, strict=True)):
            inputs[f"{name} samples {number}"] = sample
            inputs[f"{name} verdicts {number}"] = verdict
    return Call(measure_policy, label, settings.model_dump(include=_KEYED), inputs)


@step("measure", "metrics", version=2)
def measure_policy(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write metrics.json: every metric with its interval."""
    from tasks.evaluate.metrics import measure

    problems = read_rows(runtime.store.path(call.inputs["problems"]) / "problems.parquet")
    groups = None
    if (ref := call.inputs.get("groups")) is not None:
        rows = read_rows(runtime.store.path(ref) / "groups.parquet")
        groups = {(row["problem_id"], row["index"]): row["group"] for row in rows}
    metrics = measure(
        _merged(call, runtime, "greedy"),
        _merged(call, runtime, "sampled"),
        _merged(call, runtime, "train"),
        list(problems),
        MeasureSettings(**call.settings),
        _BOOTSTRAP_SEED,
        validation_rows=_merged(call, runtime, "validation"),
        groups=groups,
    )
    (draft.path / "metrics.json").write_text(json.dumps(metrics, indent=1, sort_keys=True))
    draft.rows = len(metrics["metrics"])
    greedy = metrics["metrics"]["greedy"]
    draft.stats = Stats(
        note=f"greedy {100 * greedy['value']:.1f} [{100 * greedy['low']:.1f}, "
        f"{100 * greedy['high']:.1f}] on {greedy['problems']} problems"
    )


def _merged(call: Call, runtime: Runtime, name: str) -> Iterator[Row]:
    """Samples of a set with their verdicts, shard by shard."""
    number = 0
    while (sample := call.inputs.get(f"{name} samples {number}")) is not None:
        verdict = call.inputs[f"{name} verdicts {number}"]
        pairs = zip(
            read_rows(runtime.store.path(sample) / "samples.parquet"),
            read_rows(runtime.store.path(verdict) / "verdicts.parquet"),
            strict=True,
        )
        for sampled, judged in pairs:
            yield {**sampled, **judged}
        number += 1
