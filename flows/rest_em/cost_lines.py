"""What every artifact of a run cost when it was made, by the names that the journal has."""

from __future__ import annotations

from collections.abc import Iterator

from flows.report.cost import CostLine, made_line
from flows.rest_em import inputs as kinds
from flows.rest_em.inputs import RunInputs, parse_name
from tasks.dag import step_names
from tasks.dag.shard_inputs import is_sample_input, is_verdict_input
from tasks.evaluate.labels_step import MODEL, NULL, PEOPLE, PREFERENCES
from tasks.evaluate.win_rate_step import preferences_of
from tasks.finetune.blend import TUNED
from tasks.rate.step import rate_shard
from tasks.store.manifest import ArtifactRef, Manifest

_STEPS = {
    kinds.METRICS: step_names.MEASURE,
    kinds.SELECTION: step_names.SELECT,
    kinds.WIN_RATES: step_names.WIN_RATES,
    kinds.LABELS: step_names.MEASURE_LABELS,
    kinds.PROXY: step_names.MEASURE_PROXY,
}
# What stands behind the metrics of labels: kind of input -> step.
_LABELLING = {
    PREFERENCES: step_names.line_name(step_names.COMPARE, step_names.DRAW),
    PEOPLE: step_names.line_name(step_names.COMPARE, PEOPLE),
    MODEL: step_names.FIT,
    NULL: step_names.line_name(step_names.FIT, "null"),
}
_PURPOSES = {
    kinds.GREEDY: step_names.TEST,
    kinds.SAMPLED: step_names.PASS_AT_K,
    kinds.DRAWN: step_names.DRAW,
}


def cost_lines(inputs: RunInputs) -> list[CostLine]:
    """A line for each input of a report, and for what stands behind it: votes, Improve steps."""
    lines = []
    known = {ref.key for ref in inputs.refs.values()}
    for name, ref in inputs.refs.items():
        number, kind = parse_name(name)
        manifest = inputs.store.manifest(ref)
        # A selection stands under the iteration that is trained on it.
        at = number + (kind == kinds.SELECTION)
        made = _step(name, number, kind)
        if kind == kinds.POLICY and _is_blend(manifest):
            made = step_names.BLEND
        lines.append(made_line(at, made, manifest.stats))
        if kind == kinds.POLICY:
            if _is_blend(manifest):
                manifest = inputs.store.manifest(_made_from(manifest)[TUNED])
                lines.append(made_line(number, step_names.FINETUNE, manifest.stats))
            lines += _earlier_steps(inputs, number, manifest)
        if kind == kinds.METRICS and (groups := _made_from(manifest).get("groups")):
            grouped = inputs.store.manifest(groups)
            lines.append(made_line(number, step_names.GROUP_ANSWERS, grouped.stats))
        for step, made in _rewarding(kind, manifest):
            if made.key not in known:
                known.add(made.key)
                lines.append(made_line(number, step, inputs.store.manifest(made).stats))
    return lines


def _rewarding(kind: str, manifest: Manifest) -> Iterator[tuple[str, ArtifactRef]]:
    """What a judge or a reward model did, and the step: behind labels, proxies, wins and rows."""
    rated = {kinds.PROXY: step_names.TEST, kinds.SELECTION: step_names.DRAW}
    for name, ref in _made_from(manifest).items():
        if kind == kinds.LABELS:
            for what, step in _LABELLING.items():
                if name.startswith(what):
                    yield step, ref
        elif kind in rated and ref.kind == rate_shard.kind:
            yield step_names.line_name(step_names.RATE, rated[kind]), ref
    if kind == kinds.WIN_RATES:
        for ref in preferences_of(_made_from(manifest)):
            yield step_names.COMPARE_ANSWERS, ref


def _step(name: str, number: int, kind: str) -> str:
    """The journal's name of the step that made an input."""
    if kind == kinds.POLICY:
        return step_names.FINETUNE if number else step_names.BASE_MODEL
    if not is_sample_input(name) and not is_verdict_input(name):
        return _STEPS.get(kind, kind)
    purpose = _PURPOSES.get(kind, kind)
    if kind.startswith(kinds.TRANSFER):
        purpose = f"{kind.removeprefix(kinds.TRANSFER)} (transfer)"
    return step_names.line_name(
        step_names.GENERATE if is_sample_input(name) else step_names.SCORE, purpose
    )


def _earlier_steps(inputs: RunInputs, number: int, manifest: Manifest) -> list[CostLine]:
    """What the other Improve steps of an iteration made, where it has several (`thresholds`)."""
    known = {ref.key for ref in inputs.refs.values()}
    lines = []
    while "start" in (made := _made_from(manifest)):
        if "rows" in made and made["rows"].key not in known:
            rows = inputs.store.manifest(made["rows"])
            lines.append(made_line(number, step_names.SELECT, rows.stats))
        if made["start"].key in known:
            break
        manifest = inputs.store.manifest(made["start"])
        lines.append(made_line(number, step_names.FINETUNE, manifest.stats))
    return lines


def _is_blend(manifest: Manifest) -> bool:
    return manifest.provenance.step == step_names.BLEND


def _made_from(manifest: Manifest) -> dict[str, ArtifactRef]:
    """The inputs of the call that made an artifact."""
    made = manifest.stats.provenance
    return made.inputs if made else {}
