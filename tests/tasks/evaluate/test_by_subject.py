"""Sampling with a template by subject: every problem is asked with the part of its own subject."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.machines.local import LocalMachine
from tasks.dag.step import perform
from tasks.errors import UserError
from tasks.generate.step import SAMPLES_FILE, generate_call
from tasks.policy.step import base_call
from tasks.problems.step import block_digest, cut_blocks, load_splits, problems_call
from tasks.prompts import load_template
from tasks.rows import read_rows, text_digest
from tasks.settings import DataSettings, ModelSettings, Resources
from tasks.store.store import Store
from tests.tasks.decoding.decoding_parts import save

TEMPLATE = """
name = "short"
preamble = ""
example = "{question} {answer}\\n"
query = "{question}"
stop = ["\\n"]
[subjects.navigate]
preamble = "walk\\n"
[[subjects.navigate.exemplars]]
question = "turn around"
solution = "-"
answer = "no"
[subjects.snarks]
preamble = "mock\\n"
"""
ROWS = [
    {"task": "navigate", "input": "take 1 step", "target": "No"},
    {"task": "snarks", "input": "which", "target": "(A)"},
    {"task": "navigate", "input": "turn left", "target": "Yes"},
]


def sampled(tmp_path: Path, template_text: str) -> dict[str, str]:
    """Question → digest of the prompt that its sample was drawn with, by the real steps."""
    file, template = tmp_path / "bbh.jsonl", tmp_path / "short.toml"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    template.write_text(template_text)
    save(tmp_path / "model")
    store = Store(str(tmp_path / "store"), cache=tmp_path)
    with LocalMachine(
        store, tmp_path, Resources(device="cpu"), lambda *_: None, isolate=False
    ) as services:
        runtime = services.runtime
        data = DataSettings(
            train="synthetic_math", train_limit=1, test="bbh", test_source=str(file)
        )
        problems = perform(problems_call(data), runtime)
        model = perform(base_call(ModelSettings(base=str(tmp_path / "model"))), runtime)
        test = load_splits(store.path(problems))["test"]
        (block,) = cut_blocks(test, "test", 10)
        settings = {
            "engine": "transformers",
            "dtype": "float32",
            "sampling": {"temperature": 0.0, "max_tokens": 2},
            "prompt": load_template(str(template)).digest,
            "shots": 1,
            "seed": 0,
            "problems": block.digest,
            "samples": [0, 1],
        }
        hints = {**block.to_json(), "template": str(template)}
        samples = perform(generate_call("generate", settings, model, problems, hints), runtime)
        rows = list(read_rows(store.path(samples) / SAMPLES_FILE))
    questions = {row["id"]: row["question"] for row in test}
    return {questions[row["problem_id"]]: row["prompt"] for row in rows}


def test_each_problem_is_asked_with_the_part_of_its_subject(tmp_path: Path) -> None:
    walk = "walk\nturn around no\n"
    assert sampled(tmp_path, TEMPLATE) == {
        "take 1 step": text_digest(walk + "take 1 step"),
        "which": text_digest("mock\nwhich"),
        "turn left": text_digest(walk + "turn left"),
    }


def test_a_subject_that_the_template_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'short' has nothing for the subject 'snarks'"):
        sampled(tmp_path, TEMPLATE.partition("[subjects.snarks]")[0])


def test_the_subject_names_a_block_of_text_and_of_nothing_else() -> None:
    row = {"id": "1", "question": "q", "reference": "r", "domain": "text", "subject": "a"}
    assert block_digest([row]) != block_digest([{**row, "subject": "b"}])
    math = {**row, "domain": "math"}
    assert block_digest([math]) == block_digest([{**math, "subject": "b"}])
