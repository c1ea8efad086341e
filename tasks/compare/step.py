"""The step `compare`: which of two samples is preferred, for drawn pairs of a block of problems."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tasks.compare.draw import Pair, draw_pairs
from tasks.compare.judge_prompt import JudgePrompt, load_judge_prompt
from tasks.compare.label import JUDGED, Costs, Judge, Reasoning, by_reward
from tasks.compare.people import read_people
from tasks.compare.rendering import hosted_renderer, renderer
from tasks.dag.contracts import EngineSettings
from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, shards_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import COMPARE
from tasks.generate.hosted.client import JUDGE as FIELD
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.rows import (
    PREFERENCE,
    PREFERENCES_FILE,
    PROBLEMS_FILE,
    SAMPLES_FILE,
    VERDICTS_FILE,
    Row,
    read_rows,
    write_rows,
)
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Input of a call that asks a model.
JUDGE = "judge"
# Pairs that a judge is asked about at once: between two of them a person hears of progress.
_AT_ONCE = 512


def compare_call(
    label: str,
    settings: JudgeSettings,
    *,
    seed: int,
    references: str,
    problems: ArtifactRef,
    hints: dict[str, object],
    samples: Sequence[ArtifactRef],
    verdicts: Sequence[ArtifactRef],
    judge: ArtifactRef | None,
    engine: Mapping[str, object],
    unlike: bool = False,
) -> Call:
    """The call that compares samples of one block of problems.

    Args:
        label: Name of the task run.
        settings: Who says it, and how it is asked.
        seed: Of the draw of pairs, and of what simulated people say.
        references: Digest of the block.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        samples: The shards of the block, and in the same order
        verdicts: the checker's verdicts on them, which a judge does not see.
        judge: The model that is asked, where `labels` is judge.
        engine: Its engine and dtype.
        unlike: Whether only samples with different verdicts are paired; not with a judge.
    """
    keyed: dict[str, object] = {
        "labels": settings.labels,
        "pairs": settings.pairs,
        "seed": seed,
        "references": references,
    }
    if settings.labels == "judge":
        assert judge is not None
        keyed |= {**judging(settings), **engine}
        inputs = {f"samples {n}": ref for n, ref in enumerate(samples)} | {JUDGE: judge}
        return Call(
            compare_samples,
            label,
            keyed,
            inputs,
            {**hints, "template": settings.prompt},
            {"problems": problems},
        )
    if settings.source:
        source = Path(settings.source).expanduser()
        keyed["source"] = hashlib.sha256(source.read_bytes()).hexdigest()
        hints = {**hints, "source": str(source)}
    if unlike:
        keyed["unlike"] = True
    inputs = inputs_of("", samples, verdicts)
    return Call(compare_samples, label, keyed, inputs, hints, {"problems": problems})


def judging(settings: JudgeSettings) -> dict[str, object]:
    """What decides a judge's labels, for cache keys."""
    prompt = load_judge_prompt(settings.prompt)
    how: dict[str, object] = {"prompt": prompt.digest, "swap": settings.swap}
    if settings.reasoning:
        how["reason_tokens"] = settings.reason_tokens
        if settings.reason_temperature:
            how |= {
                "reasons": settings.reasons,
                "reason_temperature": settings.reason_temperature,
            }
    return how


@step(COMPARE, "preferences")
def compare_samples(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a row of rows.PREFERENCE for each pair."""
    how, hints = call.settings, call.hints
    shards = [ref for name, ref in call.inputs.items() if name.startswith("samples ")]
    samples = (row for ref in shards for row in read_rows(runtime.store.path(ref) / SAMPLES_FILE))
    rewards = {
        (row["problem_id"], row["index"]): row["reward"]
        for shard in (shards_of(call.inputs) if how["labels"] != "judge" else ())
        for row in read_rows(runtime.store.path(shard.verdicts) / VERDICTS_FILE)
    }
    unlike = rewards if how.get("unlike") else None
    pairs = list(draw_pairs(samples, how["seed"], how["pairs"], unlike))
    judge, began = None, time.perf_counter()
    if how["labels"] == "judge":
        judge = open_judge(call, runtime, load_judge_prompt(hints["template"], how["prompt"]))
        rows = _by_judge(judge, call, runtime, pairs)
    elif "source" in how:
        rows = read_people(Path(hints["source"]), how["source"], pairs)
    else:
        rows = by_reward(pairs, rewards, by=how["labels"], seed=how["seed"])
    judged = 0

    def counted() -> Iterator[Row]:
        nonlocal judged
        for done, row in enumerate(rows, start=1):
            judged += row["status"] == JUDGED
            if done % _AT_ONCE == 0:
                runtime.progress(call.label, done, len(pairs))
            yield row

    draft.rows = write_rows(draft.path / PREFERENCES_FILE, PREFERENCE, counted())
    lost = draft.rows - judged
    note = f"{draft.rows:,} pairs" + (f", {lost:,} without a label" if lost else "")
    if judge is None:
        draft.stats = Stats(note=note)
        return
    if lost and lost == draft.rows:
        runtime.say(f"{call.label}: the judge chose between the samples of no pair (judge_error)")
    draft.stats = judge_stats(judge.costs, note)
    draft.waited = max(0.0, time.perf_counter() - began - judge.costs.engine_seconds)


def judge_stats(costs: Costs, note: str) -> Stats:
    """Of an artifact that a judge made.

    Args:
        costs: Of the judge.
        note: One line for people.
    """
    return Stats(
        note=note,
        tokens=costs.tokens,
        engine_seconds=round(costs.engine_seconds, 3),
        input_tokens=costs.input_tokens,
        money=costs.money,
    )


def _by_judge(judge: Judge, call: Call, runtime: Runtime, pairs: Sequence[Pair]) -> Iterator[Row]:
    hints = call.hints
    stored = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    split = [row for row in read_rows(stored) if row["split"] == hints["split"]]
    questions = {row["id"]: row["question"] for row in split[hints["start"] : hints["stop"]]}
    for begin in range(0, len(pairs), _AT_ONCE):
        yield from judge.label(pairs[begin : begin + _AT_ONCE], questions)


def open_judge(call: Call, runtime: Runtime, prompt: JudgePrompt) -> Judge:
    """The judge of a call that has one among its inputs."""
    how, model = call.settings, call.inputs[JUDGE]
    hosted = how["engine"] == HOSTED_ENGINE
    if hosted:
        render, sampling = hosted_renderer(prompt)
    else:
        served = bool(runtime.resources.endpoints)
        render, sampling = renderer(runtime.store.path(model), prompt, as_tokens=served)
    engine = runtime.engine(model, EngineSettings.of(how, FIELD if hosted else ""))
    reasoning = None
    if "reason_tokens" in how:
        temperature = how.get("reason_temperature", 0.0)
        reasons = how.get("reasons", 1)
        reasoning = Reasoning(how["reason_tokens"], reasons, temperature, how.get("seed", 0))
    return Judge(engine, prompt, render, sampling, how.get("swap", True), reasoning)
