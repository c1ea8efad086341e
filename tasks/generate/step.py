"""The E-step's sampling, one shard at a time: a block of problems by a block of sample indices.

Each sample has a seed of its own (tasks/rows.py), so a shard gives the same samples wherever and
whenever it is made, and a larger N adds shards without touching those that are there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from tasks.dag.contracts import EngineSettings
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import GENERATE
from tasks.decoding.chat import Chat
from tasks.decoding.policy_tokenizer import policy_tokenizer
from tasks.decoding.prompt_tokens import Prompt, prompt_ids
from tasks.decoding.request import Sampling
from tasks.decoding.thinking import answer_start
from tasks.generate.hosted.chat import lead_of, turns
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.prompts import PromptChoice, PromptTemplate, load_template
from tasks.rows import (
    CHAT_SAMPLE,
    PROBLEMS_FILE,
    SAMPLE,
    SAMPLES_FILE,
    TOKEN_IDS,
    Row,
    read_rows,
    sample_seed,
    text_digest,
    with_ids,
    write_rows,
)
from tasks.store.manifest import Stats
from tasks.store.store import ArtifactRef, Draft


def generate_call(
    label: str,
    settings: dict[str, object],
    model: ArtifactRef,
    problems: ArtifactRef,
    hints: dict[str, object],
) -> Call:
    """The call that samples one shard.

    Args:
        label: Name of the task run.
        settings: engine, dtype (of a hosted model there is none, but perhaps a system text),
            vllm_args (where there are any), sampling, prompt (template digest), shots, seed,
            problems (block digest), samples ([first, last)) and, where not the whole block is
            sampled, only (places in it).
        model: The policy.
        problems: Artifact in which the block lies.
        hints: split, start, stop (the block's place) and those of the PromptChoice.
    """
    return Call(generate_shard, label, settings, {"model": model}, hints, {"problems": problems})


# 2: samples have their tokens.
@step(GENERATE, "samples", version=2)
def generate_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Sample every problem of a block `samples[0] <= index < samples[1]` times."""
    settings = call.settings
    template = load_template(PromptChoice.of(call.hints), settings["prompt"])
    block = read_block(call, runtime)
    if (
        "only" in settings
    ):  # the problems that verdicts on earlier samples left (flows/orchestrator/sampler.py)
        block = [block[i] for i in settings["only"]]
    model = call.inputs["model"]
    hosted = settings["engine"] == HOSTED_ENGINE
    chat = None
    if template.form == "chat" and not hosted:
        chat = Chat(runtime.store.path(model), template)
    prompts = [_prompt(template, chat, row, call) for row in block]
    lead = lead_of(template) if hosted else ""
    indices = range(*settings["samples"])
    requests = [
        (number, sample_seed(settings["seed"], row["id"], index))
        for number, row in enumerate(block)
        for index in indices
    ]
    sampling = Sampling(**settings["sampling"], stop=tuple(template.stop))
    engine = runtime.engine(model, EngineSettings.of(settings))
    asked: Sequence[Prompt] = prompts
    if chat:
        asked = chat.ids(prompts)
    elif runtime.resources.endpoints and not hosted:  # which would put tokens around a text
        asked = prompt_ids(policy_tokenizer(runtime.store.path(model)), prompts)
    began = time.perf_counter()
    completions = engine.sample(
        asked,
        requests,
        chat.sampling(sampling) if chat else sampling,
        lambda done, total: runtime.progress(call.label, done, total),
    )
    took = time.perf_counter() - began
    digests = [text_digest(prompt) for prompt in prompts]
    rows = (
        {
            "problem_id": block[number]["id"],
            "index": indices[position % len(indices)],
            "seed": seed,
            "text": lead + completion.text if completion.text else "",
            "tokens": completion.tokens,
            "finish": completion.finish,
            TOKEN_IDS: completion.ids,
            "model": model.digest,
            "prompt": digests[number],
            **({"answer": answer_start(prompts[number], completion.text)} if chat else {}),
        }
        for position, ((number, seed), completion) in enumerate(
            zip(requests, completions, strict=True)
        )
    )
    schema = with_ids(CHAT_SAMPLE if chat else SAMPLE, TOKEN_IDS)
    draft.rows = write_rows(draft.path / SAMPLES_FILE, schema, rows)
    draft.stats = Stats(
        tokens=sum(completion.tokens for completion in completions),
        engine_seconds=round(completions.engine_seconds, 3),
        input_tokens=completions.input_tokens,
        money=completions.money,
    )
    # With several shards at one engine, the time until it came to this one is not this one's.
    draft.waited = max(0.0, took - completions.engine_seconds)
    pairs = zip(requests, completions, strict=True)
    lost = sorted({block[n]["id"] for (n, _), found in pairs if found.finish == "error"})
    if lost:
        named = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        runtime.say(
            f"{call.label}: no samples of {named}: the prompt does not fit into the model or ends "
            "the engine (status engine_error)"
        )


def _prompt(template: PromptTemplate, chat: Chat | None, row: Row, call: Call) -> str:
    """The prompt of a problem; for a hosted model its messages, as JSON."""
    settings = call.settings
    asked = (row["question"], settings["shots"], row["subject"])
    if settings["engine"] == HOSTED_ENGINE:
        return json.dumps(turns(template, *asked, settings.get("system", "")))
    return (chat or template).render(*asked)


def read_block(call: Call, runtime: Runtime) -> list[Row]:
    """The problems of the block that a call samples, by its split and place."""
    hints = call.hints
    rows = read_rows(runtime.store.path(call.context["problems"]) / PROBLEMS_FILE)
    split = [row for row in rows if row["split"] == hints["split"]]
    return split[hints["start"] : hints["stop"]]
