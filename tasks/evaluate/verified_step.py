"""The step `verify`: what a verifier makes of a policy's samples at test time."""

from __future__ import annotations

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import VERIFY
from tasks.evaluate.step import BOOTSTRAP_SEED, SampledShards, read_groups
from tasks.rows import VERDICTS_FILE, read_rows
from tasks.settings import MeasureSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

_SAMPLED, _RATED, _GROUPS = "sampled", "rated", "groups"


def verify_call(
    label: str,
    settings: MeasureSettings,
    sampled: SampledShards,
    rated: list[ArtifactRef],
    groups: ArtifactRef | None,
) -> Call:
    """The call that measures a verifier on a policy's samples.

    Args:
        label: Name of the task run.
        settings: Which k (`pass_k`), and how intervals are made.
        sampled: Shards of samples of test problems and of the checker's verdicts.
        rated: The verifier's rewards for the same shards.
        groups: Groups of equal answers among them; without them there is no vote.
    """
    inputs = inputs_of(_SAMPLED, *sampled)
    inputs |= {f"{_RATED} {number}": ref for number, ref in enumerate(rated)}
    inputs |= {_GROUPS: groups} if groups else {}
    keyed = settings.model_dump(include={"pass_k", "bootstrap", "confidence"})
    return Call(verify_samples, label, keyed, inputs)


@step(VERIFY, "metrics")
def verify_samples(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write verified.json."""
    from tasks.evaluate.verified import verify

    store, groups = runtime.store, call.inputs.get(_GROUPS)
    rated = [ref for name, ref in call.inputs.items() if name.startswith(f"{_RATED} ")]
    rewards = {
        (row["problem_id"], row["index"]): row["reward"]
        for ref in rated
        for row in read_rows(store.path(ref) / VERDICTS_FILE, ["problem_id", "index", "reward"])
    }
    found = verify(
        rows_of(store, call.inputs, _SAMPLED),
        rewards,
        None if groups is None else read_groups(store, groups),
        sorted(set(call.settings["pass_k"])),
        call.settings["bootstrap"],
        call.settings["confidence"],
        BOOTSTRAP_SEED,
    )
    found.write(draft.path)
    draft.rows = len(found.metrics)
    last = f"best@{max(call.settings['pass_k'])}"
    if last in found.metrics:
        draft.stats = Stats(note=f"{last} {100 * found.metrics[last].value:.1f}")
