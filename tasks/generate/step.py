"""The E-step's sampling, one shard at a time: a block of problems by a block of sample indices.

Each sample has a seed of its own (tasks/rows.py), so a shard gives the same samples wherever and
whenever it is made, and a larger N adds shards without touching those that are there.
"""

from __future__ import annotations

from tasks.artifacts import ArtifactRef, Draft, Json
from tasks.costs import ENGINE, clocked
from tasks.prompts import load_template
from tasks.rows import SAMPLE, read_rows, sample_seed, text_digest, write_rows
from tasks.runtime import Runtime
from tasks.sampling import Sampling
from tasks.steps import Call, step

FILE = "samples.parquet"


def generate_call(
    label: str,
    settings: Json,
    model: ArtifactRef,
    problems: ArtifactRef,
    hints: Json,
) -> Call:
    """The call that samples one shard.

    Args:
        label: Name of the task run.
        settings: engine, dtype, sampling, prompt (template digest), shots, seed,
            problems (block digest), samples ([first, last)).
        model: The policy.
        problems: Artifact in which the block lies.
        hints: split, start, stop (the block's place) and template (its name).
    """
    return Call(generate_shard, label, settings, {"model": model}, hints, {"problems": problems})


@step("generate", "samples")
def generate_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Sample every problem of a block `samples[0] <= index < samples[1]` times."""
    settings, hints = call.settings, call.hints
    template = load_template(hints["template"], settings["prompt"])
    block = read_block(runtime, call.context["problems"], hints)
    prompts = [template.render(row["question"], settings["shots"], row["subject"]) for row in block]
    indices = range(*settings["samples"])
    requests = [
        (number, sample_seed(settings["seed"], row["id"], index))
        for number, row in enumerate(block)
        for index in indices
    ]
    sampling = Sampling(**settings["sampling"], stop=tuple(template.stop))
    engine = runtime.engine(call.inputs["model"], settings)
    with clocked(ENGINE):
        completions = engine.sample(
            prompts,
            requests,
            sampling,
            lambda done, total: runtime.progress(call.label, done, total),
        )
    digests = [text_digest(prompt) for prompt in prompts]
    model = call.inputs["model"].digest
    rows = (
        {
            "problem_id": block[number]["id"],
            "index": indices[position % len(indices)],
            "seed": seed,
            "text": completion.text,
            "tokens": completion.tokens,
            "finish": completion.finish,
            "model": model,
            "prompt": digests[number],
        }
        for position, ((number, seed), completion) in enumerate(
            zip(requests, completions, strict=True)
        )
    )
    draft.rows = write_rows(draft.path / FILE, SAMPLE, rows)
    draft.stats["tokens"] = sum(completion.tokens for completion in completions)


def read_block(runtime: Runtime, problems: ArtifactRef, hints: Json) -> list[Json]:
    """The problems of a block, by its split and place."""
    rows = read_rows(runtime.store.path(problems) / "problems.parquet")
    split = [row for row in rows if row["split"] == hints["split"]]
    return split[hints["start"] : hints["stop"]]
