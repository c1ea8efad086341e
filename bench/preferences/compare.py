"""`restem bench compare`: labelling pairs by a judge against its model's forward pass, in turns.

The same pairs of notes on posts of `synthetic_notes`, three of a post, in both orders. Labelling is
what the step `compare` does without reasons: prompts are rendered, given to the engine, cut into
tokens and weighed, and rows come out. The baseline is given the tokens as they are: batches of
prompts of like length, padded, the logits behind the last token, and the softmax of the two
choices, with as many threads as the engine has (one: threads that wait for each other would say
more of the machine's other work than of the two ways). Loading is not counted.

The largest difference of the labels p is printed too: both compute the same.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

from bench._others import Others
from models.note_writers import write_note
from tasks.compare.draw import Pair
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.label import Judge
from tasks.compare.rendering import renderer
from tasks.decoding.decode import PREFILL_TOKENS
from tasks.decoding.tokens import completion_ids, prompt_ids
from tasks.generate.engine import open_engine
from tasks.paths import MODELS
from tasks.problems.synthetic_notes import post_stream
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources

NOTES = 3
BATCH = 512


def run(
    model: str = "mini-judge",
    pairs: int | str = 512,
    rounds: int | str = 7,
    threads: int | str = 1,
) -> float:
    """Print tokens of prompts a second of both, and the ratio.

    Args:
        model: A shipped model, or the folder of one.
        pairs: Labelled in a turn, as many as the step asks about at once.
        rounds: Pairs of turns.
        threads: Of both.

    Returns:
        Speed of labelling over that of the forward pass: the median of the pairs of turns.
    """
    folder = MODELS / model if (MODELS / model).is_dir() else Path(model).expanduser()
    asked, questions = _pairs(int(pairs))
    prompt = load_judge_prompt("notes")
    render, sampling = renderer(folder, prompt)
    ratios: list[float] = []
    preload(["flows.machines.preload"])
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as scratch, Others() as others:
        engine = open_engine(
            "transformers",
            folder,
            resources=Resources(device="cpu", threads=int(threads), batch_size=BATCH),
            dtype="float32",
            log=Path(scratch) / "engine.log",
            home=Path(scratch),
            say=print,
        )
        judge = Judge(engine, prompt, render, sampling, swap=True)

        def ours() -> list[float]:
            return [row["p"] for row in judge.label(asked, questions)]

        straight, tokens = _straight(folder, asked, questions, int(threads))
        try:
            for way in (ours, straight):  # loads
                way()
            for turn in range(int(rounds)):
                # Each second turn the other way round, so that a drift favours neither.
                ways = [("labels", ours), ("forward", straight)][:: 1 if turn % 2 else -1]
                speeds = dict[str, float]()
                labels = dict[str, list[float]]()
                for name, way in ways:
                    began = time.perf_counter()
                    labels[name] = way()
                    speeds[name] = tokens / (time.perf_counter() - began)
                ratios.append(speeds["labels"] / speeds["forward"])
                both = zip(labels["labels"], labels["forward"], strict=True)
                apart = max(abs(one - other) for one, other in both)
                print(
                    f"labels {speeds['labels']:,.0f}, forward pass {speeds['forward']:,.0f} tokens "
                    f"a second: {ratios[-1]:.2f}; labels differ by {apart:.0e} at most",
                    flush=True,
                )
        finally:
            engine.close()
            close_fork_server()
    print(others)
    ratio = statistics.median(ratios)
    print(f"compare ratio={ratio:.3f}")
    return ratio


def _pairs(count: int) -> tuple[list[Pair], dict[str, str]]:
    """Pairs of notes, and the posts by problem."""
    rng = random.Random(0)
    pairs: list[Pair] = []
    questions: dict[str, str] = {}
    for number, post in enumerate(post_stream("train", seed=0)):
        name = f"post {number}"
        questions[name] = post.text
        notes = [write_note(rng, post) for _ in range(NOTES)]
        for (i, one), (j, other) in combinations(enumerate(notes), 2):
            pairs.append(Pair(name, i, j, (one, other)))
            if len(pairs) == count:
                return pairs, questions
    raise AssertionError("posts never end")


def _straight(
    folder: Path, pairs: list[Pair], questions: dict[str, str], threads: int
) -> tuple[Callable[[], list[float]], int]:
    """The forward pass over the prompts of both orders, and how many tokens these have."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = load_judge_prompt("notes")
    answers = completion_ids(tokenizer, prompt.choices)
    stem, choices = answers[0][:-1], [answer[-1] for answer in answers]
    assert all(answer[:-1] == stem for answer in answers)
    prompts = prompt_ids(
        tokenizer,
        [
            prompt.compare(questions[pair.problem_id], *texts, reasoning=False)
            for order in (1, -1)
            for pair in pairs
            for texts in [pair.texts[::order]]
        ],
    )
    ids = [[*one, *stem] for one in prompts]
    order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
    rows = min(BATCH, PREFILL_TOKENS // len(ids[order[0]]))
    batches = [order[start : start + rows] for start in range(0, len(order), rows)]

    def score() -> list[float]:
        first = [0.0] * len(ids)
        with torch.inference_mode():
            for batch in batches:
                longest = len(ids[batch[0]])
                tokens = torch.zeros(len(batch), longest, dtype=torch.long)
                mask = torch.zeros_like(tokens)
                for row, place in enumerate(batch):  # on the left, so that all end together
                    tokens[row, longest - len(ids[place]) :] = torch.tensor(ids[place])
                    mask[row, longest - len(ids[place]) :] = 1
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                logits = model(
                    input_ids=tokens,
                    attention_mask=mask,
                    position_ids=positions,
                    use_cache=False,
                    logits_to_keep=1,
                ).logits[:, -1]
                likely = logits.double().log_softmax(-1)[:, choices].softmax(-1)[:, 0].tolist()
                for place, p in zip(batch, likely, strict=True):
                    first[place] = p
        both = zip(first[: len(pairs)], first[len(pairs) :], strict=True)
        return [(one + 1 - other) / 2 for one, other in both]

    return score, sum(map(len, ids))


if __name__ == "__main__":
    run(*sys.argv[1:])
