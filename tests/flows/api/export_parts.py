"""What tests of exports and imports share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.api.export.source import Source
from tasks.dag.step_names import GENERATE, TEST, line_name
from tasks.problems.step import load_splits
from tasks.prompts import load_template
from tasks.rows import SAMPLES_FILE, Row, read_rows

PROBLEMS = 100


def greedy_answers(source: Source) -> list[tuple[str, str]]:
    """Prompt and greedy answer of the run's policy on the first test problems."""
    store = source.store
    line = next(line for line in source.steps if line.step == "problems")
    found = store.lookup(*line.artifact.split("/"))
    assert found is not None
    problems = load_splits(store.path(found))["test"]
    template = load_template(source.config.model.prompt)
    answers = {row["problem_id"]: row["text"] for row in _greedy(source)}
    return [
        (template.render(row["question"], 0), answers[row["id"]]) for row in problems[:PROBLEMS]
    ]


def _greedy(source: Source) -> Iterator[Row]:
    for line in source.steps:
        if (line.step, line.iteration) == (line_name(GENERATE, TEST), source.number):
            ref = source.store.lookup(*line.artifact.split("/"))
            assert ref is not None
            yield from read_rows(source.store.path(ref) / SAMPLES_FILE)


def plain_answers(model: Any, folder: Path, prompts: list[str], most: int, stop: str) -> list[str]:
    """Greedy answers in plain transformers, one prompt at a time."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers = []
    with torch.inference_mode():
        for prompt in prompts:
            tokens = tokenizer(prompt, return_tensors="pt")
            made = model.generate(
                **tokens,
                do_sample=False,
                max_new_tokens=most,
                stop_strings=[stop],
                tokenizer=tokenizer,
            )
            text = tokenizer.decode(
                made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True
            )
            answers.append(text.split(stop)[0])
    return answers
