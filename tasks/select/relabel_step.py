"""The step `relabel`: verdicts of the checker become rewards that look at no reference answer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import RELABEL
from tasks.errors import StepError
from tasks.rows import (
    GROUPS_FILE,
    SAMPLES_FILE,
    TIMING,
    TIMINGS_FILE,
    VERDICT,
    VERDICTS_FILE,
    Row,
    Status,
    read_rows,
    write_rows,
)
from tasks.select.relabel import Judged, at_random, by_vote, count_votes
from tasks.settings import FilterSettings
from tasks.solutions import said_digest
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

_GROUPS = "groups"


def relabel_call(
    label: str,
    rules: FilterSettings,
    *,
    seed: int,
    shards: list[tuple[ArtifactRef, ArtifactRef]],
    place: int,
    groups: ArtifactRef | None = None,
) -> Call:
    """The call that rewards one shard of samples.

    Args:
        label: Name of the task run.
        rules: `score`, and what `random` has to know of the selection that follows.
        seed: Of the draw of `random`.
        shards: Samples and verdicts of all shards with these problems.
        place: The shard among them.
        groups: Of `vote`: which of these problems' samples gave equal answers.
    """
    keyed: dict[str, object] = {"score": rules.score}
    if rules.score == "random":
        keyed |= {"seed": seed, "dedup": rules.dedup, "finished_only": rules.finished_only}
    if rules.first:
        keyed["first"] = rules.first
    if rules.score == "any":
        shards, place = [shards[place]], 0
    # The shard itself comes first, so that its place among the others is not in the key.
    ordered = [shards[place], *shards[:place], *shards[place + 1 :]]
    inputs: dict[str, ArtifactRef] = {}
    for number, (samples, verdicts) in enumerate(ordered):
        inputs |= {f"samples {number}": samples, f"verdicts {number}": verdicts}
    if groups is not None:
        inputs[_GROUPS] = groups
    return Call(relabel_shard, label, keyed, inputs)


@step(RELABEL, "verdicts")
def relabel_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a verdict with reward 1 or 0 for each sample of the first shard."""
    score = call.settings["score"]
    problems, here, order = _gather(call, runtime)
    rewarded: dict[str, set[int]] = {}
    for name, samples in problems.items():
        samples.sort()
        if score == "vote":
            rewarded[name] = by_vote(samples)
        elif score == "random":
            rewarded[name] = at_random(samples, name, call.settings["seed"])
        else:
            rewarded[name] = {one.index for one in samples if one.usable}
    good = 0

    def verdicts() -> Iterator[Row]:
        nonlocal good
        for name, index, extracted in order:
            reward = float(index in rewarded[name])
            good += bool(reward)
            yield {
                "problem_id": name,
                "index": index,
                "reward": reward,
                "status": Status.RATED,
                "extracted": extracted,
                "first_failure": -1,
            }

    draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, verdicts())
    write_rows(draft.path / TIMINGS_FILE, TIMING, ({"seconds": 0.0} for _ in order))
    draft.volatile = {TIMINGS_FILE}
    note = f"{score}: {good:,} of {draft.rows:,} samples"
    if score == "vote":
        facts = count_votes(problems, rewarded, here)
        facts.write(draft.path)
        note += f", {facts.rewards_right:,} as the checker"
    draft.stats = Stats(note=note)


def _gather(
    call: Call, runtime: Runtime
) -> tuple[dict[str, list[Judged]], dict[str, set[int]], list[tuple[str, int, str]]]:
    """All samples by problem; the indices of the first shard; its rows in order."""
    groups: dict[tuple[str, int], int] = {}
    if _GROUPS in call.inputs:
        rows = read_rows(runtime.store.path(call.inputs[_GROUPS]) / GROUPS_FILE)
        groups = {(row["problem_id"], row["index"]): row["group"] for row in rows}
    dedup = call.settings.get("dedup", "none")
    finished_only = call.settings.get("finished_only", False)
    first = call.settings.get("first") or math.inf
    problems: dict[str, list[Judged]] = {}
    here: dict[str, set[int]] = {}
    order: list[tuple[str, int, str]] = []
    number = 0
    while f"samples {number}" in call.inputs:
        samples = runtime.store.path(call.inputs[f"samples {number}"]) / SAMPLES_FILE
        verdicts = runtime.store.path(call.inputs[f"verdicts {number}"]) / VERDICTS_FILE
        for sample, verdict in zip(read_rows(samples), read_rows(verdicts), strict=True):
            key = name, index = sample["problem_id"], sample["index"]
            if key != (verdict["problem_id"], verdict["index"]):
                raise StepError(f"{verdicts} does not belong to {samples}")
            text = said_digest(sample["text"], dedup) or f"{key}".encode()
            one = Judged(
                index,
                verdict["status"] == Status.CORRECT,
                sample["finish"] == "stop" if finished_only else sample["finish"] != "error",
                text,
                groups.get(key, -1),
            )
            problems.setdefault(name, [])
            if index < first:
                problems[name].append(one)
            if number == 0:
                here.setdefault(name, set()).add(index)
                order.append((name, index, verdict["extracted"] or ""))
        number += 1
    return problems, here, order
