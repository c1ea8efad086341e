"""What every artifact of a run cost when it was made, by the names that the journal has."""

from __future__ import annotations

from flows.report.cost import CostLine, made_line
from flows.rest_em.inputs import (
    DRAWN,
    GREEDY,
    METRICS,
    POLICY,
    SAMPLED,
    SELECTION,
    TRANSFER,
    RunInputs,
    parse_name,
)
from tasks.dag.shard_inputs import is_sample_input, is_verdict_input
from tasks.dag.step_names import (
    BASE_MODEL,
    DRAW,
    FINETUNE,
    GENERATE,
    GROUP_ANSWERS,
    MEASURE,
    PASS_AT_K,
    SCORE,
    SELECT,
    TEST,
    line_name,
)
from tasks.rows import Json

_STEPS = {METRICS: MEASURE, SELECTION: SELECT}
_PURPOSES = {GREEDY: TEST, SAMPLED: PASS_AT_K, DRAWN: DRAW}


def cost_lines(inputs: RunInputs) -> list[CostLine]:
    """A line for each input of a report, and for what stands behind it: votes, Improve steps."""
    lines = []
    for name, ref in inputs.refs.items():
        number, kind = parse_name(name)
        manifest = inputs.store.manifest(ref)
        # A selection stands under the iteration that is trained on it.
        at = number + (kind == SELECTION)
        lines.append(made_line(at, _step(name, number, kind), manifest["stats"]))
        if kind == POLICY:
            lines += _earlier_steps(inputs, number, manifest)
        if kind == METRICS and (groups := _made_from(manifest).get("groups")):
            grouped = inputs.store.read_manifest(groups["kind"], groups["key"])
            lines.append(made_line(number, GROUP_ANSWERS, grouped["stats"]))
    return lines


def _step(name: str, number: int, kind: str) -> str:
    """The journal's name of the step that made an input."""
    if kind == POLICY:
        return FINETUNE if number else BASE_MODEL
    if not is_sample_input(name) and not is_verdict_input(name):
        return _STEPS.get(kind, kind)
    purpose = _PURPOSES.get(kind, kind)
    if kind.startswith(TRANSFER):
        purpose = f"{kind.removeprefix(TRANSFER)} (transfer)"
    return line_name(GENERATE if is_sample_input(name) else SCORE, purpose)


def _earlier_steps(inputs: RunInputs, number: int, manifest: Json) -> list[CostLine]:
    """What the other Improve steps of an iteration made, where it has several (`thresholds`)."""
    known = {ref.key for ref in inputs.refs.values()}
    lines = []
    while "start" in (made := _made_from(manifest)):
        if "rows" in made and made["rows"]["key"] not in known:
            rows = inputs.store.read_manifest(made["rows"]["kind"], made["rows"]["key"])
            lines.append(made_line(number, SELECT, rows["stats"]))
        if made["start"]["key"] in known:
            break
        manifest = inputs.store.read_manifest(made["start"]["kind"], made["start"]["key"])
        lines.append(made_line(number, FINETUNE, manifest["stats"]))
    return lines


def _made_from(manifest: Json) -> Json:
    """The inputs of the call that made an artifact."""
    return manifest["stats"].get("provenance", {}).get("inputs", {})
