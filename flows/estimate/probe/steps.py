"""What a probe does: shards of several sizes, the steps between them, a short fine-tune."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from flows.estimate.probe.recorder import SEED, Recorder
from flows.estimate.simulation.batching import shard_seconds
from flows.estimate.simulation.costs import EngineParts, TrainParts
from flows.estimate.simulation.jobs import Shard
from flows.orchestrator.shards import GREEDY, Shards
from flows.rest_em.loop import Iteration, LoopResult
from flows.rest_em.summary import report_call
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import FINETUNE, GENERATE, GROUP_ANSWERS, MEASURE, REPORT, SELECT
from tasks.evaluate.step import measure_call
from tasks.finetune.objectives import OBJECTIVES
from tasks.finetune.results import TrainingFacts
from tasks.finetune.step import finetune_call
from tasks.finetune.trainer import micro_batch
from tasks.generate.step import SAMPLES_FILE
from tasks.prompts import load_template
from tasks.rows import (
    PAIR,
    PROBLEMS_FILE,
    ROWS_FILE,
    TRAINING,
    VERDICTS_FILE,
    Json,
    Row,
    read_rows,
    write_rows,
)
from tasks.score.group_step import group_call
from tasks.select.step import select_call
from tasks.store.store import ArtifactRef, Draft

# Seconds of sampling, and of training, that a probe aims at.
SAMPLING_SECONDS, TRAINING_SECONDS = 20.0, 15.0
# A small shard beside the large one, to tell costs of a shard from those of a sample.
SMALLER = 8
MAX_REPEATS = 3
# Shards in flight together, of which an engine has some at once (flows/machines/local.py).
TOGETHER = 4
ROWS = 256
# A backward pass costs twice a forward one; the optimiser and short batches cost the rest.
TRAINING_FACTOR = 4.0


@dataclass(frozen=True)
class Together:
    """A set of shards that went through the lanes side by side.

    Attributes:
        shard: Size of each.
        count: How many.
        seconds: From the first to the end of the last.
    """

    shard: Shard
    count: int
    seconds: float


@step("probe rows", "rows")
def probe_rows(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Training rows from samples, right or wrong: what matters here is how long they are."""
    template = load_template(call.hints["template"])
    schema = PAIR if OBJECTIVES[call.settings["improve"]].pairs else TRAINING
    problems = {
        row["id"]: row
        for row in read_rows(runtime.store.path(call.context["problems"]) / PROBLEMS_FILE)
    }

    def rows() -> Iterator[Row]:
        samples = read_rows(runtime.store.path(call.inputs["samples"]) / SAMPLES_FILE)
        for sample, _ in zip(samples, range(call.settings["rows"]), strict=False):
            problem = problems[sample["problem_id"]]
            yield {
                "prompt": template.render(
                    problem["question"], call.settings["shots"], problem["subject"]
                ),
                "completion": sample["text"],
                "weight": 1.0,
                "problem_id": sample["problem_id"],
                "index": sample["index"],
                "samples": call.inputs["samples"].key,
                "rejected": sample["text"],  # the columns of a pair are left out of a plain row
                "rejected_index": sample["index"],
                "rejected_samples": call.inputs["samples"].key,
            }

    draft.rows = write_rows(draft.path / ROWS_FILE, schema, rows())


def draw_shards(
    work: Recorder, base: ArtifactRef, greedy: Shard, sampled: Shard, prompt: float
) -> tuple[Shards, list[Shards], Together]:
    """Shards of several sizes; a greedy one, those sampled to the end, and a set of them.

    Args:
        work: Calls the steps.
        base: The policy.
        greedy: Largest greedy shard of the run.
        sampled: Largest sampled one.
        prompt: Seconds that a prompt takes at most.
    """
    budget = SAMPLING_SECONDS
    problems = _within(sampled.problems, budget / 4, prompt)
    ones = work.sampling(max_tokens=1)
    for name in ("start", "prompts"):  # the first may start further children of the engine
        work.sample(base, name, Shard(problems, sampled.samples), ones)
    small = max(1, problems // SMALLER)
    work.sample(base, "small whole", Shard(small, sampled.samples), work.sampling())
    each = work.last(GENERATE).seconds / small
    problems = _within(problems, budget / 2, each)
    longest = work.config.sampling.max_tokens
    plain = Shard(_within(greedy.problems, budget / 4, each), 1)
    found: list[Shards] = []
    began = time.perf_counter()
    while True:
        once = work.sample(base, "greedy whole", plain, {**GREEDY, "max_tokens": longest})
        found.append(work.sample(base, "whole", Shard(problems, sampled.samples), work.sampling()))
        spent = time.perf_counter() - began
        if len(found) == MAX_REPEATS or spent * (1 + 1 / len(found)) > budget / 2:
            break
    whole = Shard(problems, sampled.samples)
    made, seconds = work.sample_set(base, whole, work.sampling(), TOGETHER)
    return once, [*found, made], Together(whole, TOGETHER, seconds)


def other_steps(work: Recorder, base: ArtifactRef, plain: Shards, whole: list[Shards]) -> Json:
    """Seconds of the steps that have no shards."""
    config, shards = work.config, whole[0]
    number = 0
    domain = work.sampler.domain("train")
    votes = domain != "code" and config.evaluation.samples > 1 and config.evaluation.majority
    group = None
    if votes:
        group = work.call(
            group_call("group probe", shards.verdicts, exact=domain != "math"), 0, GROUP_ANSWERS
        )
    sets = dict.fromkeys(("greedy", "train", "validation"), (plain.samples, plain.verdicts))
    sampled = (shards.samples, shards.verdicts)
    sizes = [size for size in config.evaluation.pass_k if size <= _samples_of(work)]
    settings = config.evaluation.model_copy(
        update={
            "samples": _samples_of(work),
            "pass_k": sizes or [1],
            "majority": [],
        }
    )
    metrics = work.call(
        measure_call("measure probe", settings, {**sets, "sampled": sampled}, work.problems, group),
        number,
        MEASURE,
    )
    selected = select_call(
        "select probe",
        config.filter,
        seed=SEED,
        prompt=load_template(config.model.prompt).digest,
        shots=work.sampler.shots(config.model.shots),
        template=config.model.prompt,
        problems=work.problems,
        samples=shards.samples,
        verdicts=shards.verdicts,
    )
    selection = work.call(selected, 1, SELECT)
    now = Iteration(0, base, plain, plain, plain, shards, metrics, {}, shards, selection)
    work.call(report_call(config, LoopResult(work.problems, [now], [])), 1, REPORT)
    return {
        line.group: line.seconds
        for line in work.lines
        if line.group in (GROUP_ANSWERS, MEASURE, SELECT, REPORT)
    }


def short_finetune(
    work: Recorder, base: ArtifactRef, whole: list[Shards], engine: EngineParts
) -> tuple[TrainParts, ArtifactRef]:
    """A short fine-tune on samples, right or wrong; the policy that it made."""
    config = work.config
    settings = config.finetune
    each = TRAINING_FACTOR * max(engine.prompt, 1e-6)
    shots = work.sampler.shots(
        config.model.tuned_shots if config.model.tuned_shots >= 0 else config.model.shots
    )
    rows = work.call(
        Call(
            probe_rows,
            "rows of the probe",
            {
                "rows": _within(ROWS, TRAINING_SECONDS, each),
                "shots": shots,
                "seed": work.seed,
                "improve": settings.improve,
            },
            {"samples": whole[0].samples[0]},
            {"template": config.model.prompt},
            {"problems": work.problems},
        ),
        1,
        "rows",
    )
    validation = len(work.splits["validation"])
    length = sum(work.last(GENERATE).lengths) // max(1, work.last(GENERATE).rows)
    check = shard_seconds(engine, validation, [max(1, length)] * validation)
    checked = bool(settings.checks and validation and check < TRAINING_SECONDS)
    micro = micro_batch(settings.batch_size, config.resources.train_batch_size)
    asked: Json = {
        "prompt": load_template(config.model.prompt).digest,
        "shots": shots,
        "max_tokens": config.sampling.max_tokens,
        "problems": [],
    }
    if sandbox := work.sampler.sandbox("validation"):
        asked["sandbox"] = sandbox
    call = finetune_call(
        "finetune probe",
        settings.model_copy(update={"epochs": 1.0, "checks": int(checked), "batch_size": micro}),
        seed=work.seed,
        validation=asked,
        template=config.model.prompt,
        problems=work.problems,
        start=base,
        rows=rows,
    )
    policy = work.call(call, 1, FINETUNE)
    steps = list(work.stamps)
    line = work.last(FINETUNE)
    facts = TrainingFacts.read(work.store.path(policy))
    taken = line.facts.get("parts", {})
    sequence = _per_step(steps, taken, facts) / micro
    check = taken.get("validation", 0.0) if checked else check
    done = facts.steps * min(micro, facts.sequences)
    packing = taken.get("packing", 0.0)
    start = line.seconds - done * sequence - packing
    start -= taken.get("validation", 0.0) + taken.get("checkpoints", 0.0)
    return (
        TrainParts(
            start=max(0.0, start),
            row=packing / max(1, facts.rows),
            sequence=sequence,
            check=check if settings.checks else 0.0,
            save=taken.get("checkpoints", 0.0),
            tokens_row=facts.tokens / max(1, facts.rows),
        ),
        policy,
    )


def kept_shares(work: Recorder, whole: list[Shards]) -> tuple[float, ...]:
    """For each probed problem the share of its samples that would become training rows."""
    rules = work.config.filter
    least = min(rules.thresholds, default=rules.min_reward)
    texts: dict[str, list[str | None]] = {}
    for shards in whole:
        for sample, verdict in zip(shards.samples, shards.verdicts, strict=True):
            for row, judged in zip(
                read_rows(work.store.path(sample) / SAMPLES_FILE),
                read_rows(work.store.path(verdict) / VERDICTS_FILE),
                strict=True,
            ):
                good = judged["reward"] >= least
                if rules.finished_only and row["finish"] == "length":
                    good = False
                texts.setdefault(row["problem_id"], []).append(
                    " ".join(row["text"].split()) if good else None
                )
    most = work.config.sampling.samples
    shares = []
    for found in texts.values():
        taken = [text for text in found[:most] if text is not None]
        kept = len(set(taken)) if rules.dedup == "exact" else len(taken)
        shares.append(kept / min(len(found), most))
    return tuple(shares)


def _samples_of(work: Recorder) -> int:
    return work.last(GENERATE).rows // max(1, work.last(GENERATE).problems)


def _within(wanted: int, seconds: float, each: float) -> int:
    """As many of `wanted` as fit into so many seconds, but a few in any case."""
    return max(min(wanted, 4), min(wanted, int(seconds / max(each, 1e-9))))


def _per_step(stamps: list[float], taken: Json, facts: TrainingFacts) -> float:
    """Seconds of an optimiser step: between progress reports, the last of which has a check."""
    gaps = sorted(b - a for a, b in pairwise(stamps[:-1]))
    if gaps:
        return gaps[len(gaps) // 2]
    return taken.get("training", 0.0) / max(1, facts.steps)
