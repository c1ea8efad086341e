"""The filter steps: `score` gives every sample a verdict, `select` makes training rows.

`pairs` stands in the place of `select` where a policy is improved by preference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from sandbox import TAG
from tasks.artifacts import ArtifactRef, Draft, Json
from tasks.rows import PAIR, TIMING, TRAINING, VERDICT, Row, read_rows, write_rows
from tasks.runtime import Runtime
from tasks.settings import ExecutionSettings, FilterSettings
from tasks.steps import Call, step

VERDICTS = "verdicts.parquet"
ROWS = "rows.parquet"
# Raised with every change of how programs are found in texts or judged: they are scored again.
CODE_RULES = 2
# Domain of problems -> how their samples are checked. Those of math and code have no entry.
CHECKERS = {"text": "exact", "hand": "hand"}
# Verdicts between two words on progress.
TELL_EVERY = 64


def sandbox_settings(execution: ExecutionSettings) -> Json:
    """What decides the verdict on a program, for cache keys: limits, image, and our rules."""
    return {**execution.model_dump(), "image": TAG, "rules": CODE_RULES}


def score_call(
    label: str,
    samples: ArtifactRef,
    references: str,
    problems: ArtifactRef,
    hints: Json,
    sandbox: Json | None = None,
    checker: str = "",
    score: str = "correct",
) -> Call:
    """The call that scores one shard of samples.

    Args:
        label: Name of the task run.
        samples: The shard.
        references: Digest of the block of problems it answers.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        sandbox: Of code problems: what decides their verdicts (`sandbox_settings`).
        checker: Of problems neither of math nor of code: their CHECKERS entry.
        score: The reward, as in FilterSettings.
    """
    keyed: Json = {"references": references}
    if sandbox is not None:
        keyed["sandbox"] = sandbox
    if checker:
        keyed["checker"] = checker
    if score != "correct":
        keyed["score"] = score
    return Call(score_shard, label, keyed, {"samples": samples}, hints, {"problems": problems})


# Raise the version with every change of the checker: samples are scored again, not drawn again.
@step("score", "verdicts", version=3)
def score_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Give every sample of a shard a verdict; none is dropped here."""
    from tasks.filter.rewards import REWARDS
    from tasks.filter.score import score_rows

    hints = call.hints
    problems = runtime.store.path(call.context["problems"]) / "problems.parquet"
    split = [row for row in read_rows(problems) if row["split"] == hints["split"]]
    references = {row["id"]: row["reference"] for row in split[hints["start"] : hints["stop"]]}
    samples = read_rows(runtime.store.path(call.inputs["samples"]) / "samples.parquet")
    total = call.inputs["samples"].rows
    how = call.settings
    score = how.get("score", "correct")
    grader = runtime.grader(how.get("sandbox"), how.get("checker", ""), score)
    seconds: list[float] = []
    correct = 0

    def verdicts() -> Iterator[Row]:
        nonlocal correct
        for verdict, taken in score_rows(samples, references, grader, REWARDS.get(score)):
            seconds.append(taken)
            if len(seconds) % TELL_EVERY == 0:
                runtime.progress(call.label, len(seconds), total)
            correct += verdict["status"] == "correct"
            yield verdict

    draft.rows = write_rows(draft.path / VERDICTS, VERDICT, verdicts())
    write_rows(draft.path / "timing.parquet", TIMING, ({"seconds": s} for s in seconds))
    draft.volatile = {"timing.parquet"}
    draft.stats["correct"] = correct
    if "sandbox" in call.settings:
        draft.stats["image"] = grader.image


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
    from tasks.filter.select import select

    facts = _make(call, draft, runtime, select, TRAINING)
    accepted = "correct" if call.settings.get("score", "correct") == "correct" else "accepted"
    draft.stats["note"] = (
        f"{facts['samples']:,} samples, {facts['correct']:,} {accepted}, {draft.rows:,} rows kept"
    )


@step("pairs", "rows")
def make_pairs(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Put a wrong sample beside each that `select` would keep."""
    from tasks.filter.pairs import pairs

    facts = _make(call, draft, runtime, pairs, PAIR)
    draft.stats["note"] = (
        f"{facts['samples']:,} samples, {facts['correct']:,} correct, {facts['kept']:,} kept, "
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
