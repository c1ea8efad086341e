"""The step `diversity`: how different a policy's samples are."""

from __future__ import annotations

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import DIVERSITY
from tasks.evaluate.step import BOOTSTRAP_SEED, SampledShards, read_groups
from tasks.settings import MeasureSettings
from tasks.store.manifest import Stats
from tasks.store.store import ArtifactRef, Draft

_SAMPLED, _GROUPS = "sampled", "groups"


def diversity_call(
    label: str,
    settings: MeasureSettings,
    sampled: SampledShards,
    groups: ArtifactRef | None,
) -> Call:
    """The call that looks at samples of test problems; arguments as those of `measure_call`."""
    inputs = inputs_of(_SAMPLED, *sampled) | ({_GROUPS: groups} if groups else {})
    keyed = settings.model_dump(include={"bootstrap", "confidence"})
    return Call(measure_diversity, label, keyed, inputs)


@step(DIVERSITY, "metrics")
def measure_diversity(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write diversity.json."""
    from tasks.evaluate.diversity import diversity

    groups = call.inputs.get(_GROUPS)
    found = diversity(
        rows_of(runtime.store, call.inputs, _SAMPLED),
        None if groups is None else read_groups(runtime.store, groups),
        call.settings["bootstrap"],
        call.settings["confidence"],
        BOOTSTRAP_SEED,
    )
    found.write(draft.path)
    paths, bits = found.paths, found.entropy
    note = f"{paths.value:.2f} right paths a problem" if paths else "no correct sample"
    draft.stats = Stats(note=note + (f", {bits.value:.2f} bits" if bits else ""))
    draft.rows = sum(one is not None for one in (found.paths, found.right, found.entropy))
