"""The select and pairs steps: which samples become training rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.rows import PAIR, TRAINING, VERDICTS, Json, read_rows, write_rows
from tasks.settings import FilterSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

ROWS = "rows.parquet"


def select_call(
    label: str,
    settings: FilterSettings,
    *,
    seed: int,
    prompt: str,
    shots: int,
    template: str,
    problems: ArtifactRef,
    samples: list[ArtifactRef],
    verdicts: list[ArtifactRef],
    adaptive: bool = False,
) -> Call:
    """The call that makes the training rows of an iteration.

    Args:
        label: Name of the task run.
        settings: The rules.
        seed: Of the draw behind the cap.
        prompt: Digest of the prompt template that rows are written with.
        shots: Exemplars in that prompt.
        template: Name of the template.
        problems: All problems (training ones, and test ones to decontaminate against).
        samples: Shards, and in the same order
        verdicts: their verdicts.
        adaptive: Whether verdicts decided how many samples a problem got.
    """
    inputs = {"problems": problems}
    for number, (sample, verdict) in enumerate(zip(samples, verdicts, strict=True)):
        inputs[f"samples {number}"] = sample
        inputs[f"verdicts {number}"] = verdict
    keyed = {**settings.recipe(), "seed": seed, "prompt": prompt, "shots": shots}
    if adaptive:
        keyed["adaptive"] = True
    return Call(select_rows, label, keyed, inputs, {"template": template})


def pairs_call(selection: Call) -> Call:
    """The call that makes preference pairs in the place of the rows of a `select_call`."""
    return replace(selection, step=make_pairs)


@step("select", "rows")
def select_rows(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Apply the rules of FilterSettings and count what each dropped."""
    from tasks.select.select import select

    facts = _make(call, draft, runtime, select, TRAINING)
    accepted = "correct" if call.settings.get("score", "correct") == "correct" else "accepted"
    draft.stats = Stats(
        note=f"{facts['samples']:,} samples, {facts['correct']:,} {accepted}, "
        f"{draft.rows:,} rows kept"
    )


@step("pairs", "rows")
def make_pairs(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Put a wrong sample beside each that `select` would keep."""
    from tasks.select.pairs import pairs

    facts = _make(call, draft, runtime, pairs, PAIR)
    draft.stats = Stats(
        note=f"{facts['samples']:,} samples, {facts['correct']:,} correct, {facts['kept']:,} kept, "
        f"{draft.rows:,} pairs"
    )


def _make(
    call: Call, draft: Draft, runtime: Runtime, rule: Callable[..., Any], schema: pa.Schema
) -> Json:
    """Write the rows that `rule` makes of the samples, and what it counted, which is returned."""
    from tasks.prompts import load_template

    settings = dict(call.settings)
    template = load_template(call.hints["template"], settings.pop("prompt"))
    seed, shots = settings.pop("seed"), settings.pop("shots")
    adaptive = settings.pop("adaptive", False)
    rules = FilterSettings(**settings)
    rows, counts = rule(
        _shards(call, runtime),
        list(read_rows(runtime.store.path(call.inputs["problems"]) / "problems.parquet")),
        rules,
        seed,
        lambda problem: template.render(problem["question"], shots, problem["subject"]),
        adaptive=adaptive,
    )
    draft.rows = write_rows(draft.path / ROWS, schema, rows)
    facts = counts.to_json()
    (draft.path / "counts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    return facts


def _shards(call: Call, runtime: Runtime) -> list[tuple[str, str, str]]:
    """Paths of samples and verdicts, and the key of the samples, shard by shard."""
    count = sum(name.startswith("samples ") for name in call.inputs)
    shards = []
    for number in range(count):
        sample = call.inputs[f"samples {number}"]
        verdict = call.inputs[f"verdicts {number}"]
        shards.append(
            (
                str(runtime.store.path(sample) / "samples.parquet"),
                str(runtime.store.path(verdict) / VERDICTS),
                sample.key,
            )
        )
    return shards
