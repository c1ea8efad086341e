"""Metrics of one policy from its scored samples."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import MEASURE
from tasks.rows import GROUPS_FILE, PROBLEMS_FILE, Row, read_rows
from tasks.settings import MeasureSettings
from tasks.store.manifest import Stats
from tasks.store.store import ArtifactRef, Draft, Store

# Only these change the metrics of given samples; the others change which samples are given.
_KEYED = {"pass_k", "majority", "samples", "bootstrap", "confidence"}
# Intervals are a property of the samples, so equal samples have equal intervals for every run.
BOOTSTRAP_SEED = 0

SampledShards = tuple[list[ArtifactRef], list[ArtifactRef]]


def measure_call(
    label: str,
    settings: MeasureSettings,
    sets: dict[str, SampledShards],
    problems: ArtifactRef,
    groups: ArtifactRef | None = None,
) -> Call:
    """The call that measures a policy.

    Args:
        sets: Shards of samples and of verdicts of `greedy` (test problems), `train`,
            `validation` and `sampled` (test problems, for pass@k and the vote).
        groups: Groups of equal answers among the sampled ones; without them there is no vote.
    """
    inputs = {"problems": problems} | ({"groups": groups} if groups else {})
    for name, (samples, verdicts) in sets.items():
        inputs |= inputs_of(name, samples, verdicts)
    return Call(measure_policy, label, settings.model_dump(include=_KEYED), inputs)


@step(MEASURE, "metrics", version=2)
def measure_policy(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write metrics.json: every metric with its interval."""
    from tasks.evaluate.metrics import measure

    def merged(name: str) -> Iterator[Row]:
        return rows_of(runtime.store, call.inputs, name)

    problems = read_rows(runtime.store.path(call.inputs["problems"]) / PROBLEMS_FILE)
    groups = call.inputs.get("groups")
    metrics = measure(
        merged("greedy"),
        merged("sampled"),
        merged("train"),
        list(problems),
        MeasureSettings(**call.settings),
        BOOTSTRAP_SEED,
        validation_rows=merged("validation"),
        groups=None if groups is None else read_groups(runtime.store, groups),
    )
    metrics.write(draft.path)
    draft.rows = len(metrics.metrics)
    greedy = metrics.greedy
    draft.stats = Stats(
        note=f"greedy {100 * greedy.value:.1f} [{100 * greedy.low:.1f}, "
        f"{100 * greedy.high:.1f}] on {greedy.problems} problems"
    )


def read_groups(store: Store, groups: ArtifactRef) -> dict[tuple[str, int], int]:
    """What `group` wrote: (problem, index) of a sample to the group of its answer."""
    rows = read_rows(store.path(groups) / GROUPS_FILE)
    return {(row["problem_id"], row["index"]): row["group"] for row in rows}
