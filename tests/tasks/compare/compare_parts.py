"""A block of posts with sampled notes in a store, and the call that compares them by a judge.

    python -m tests.tasks.compare.compare_parts HOME

makes the comparison in a process of its own, which a test may kill.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flows.machines.local import LocalMachine
from tasks.compare.step import compare_call
from tasks.dag.step import Call, perform
from tasks.generate.step import generate_call
from tasks.policy.step import base_call
from tasks.problems.step import cut_blocks, load_splits, problems_call
from tasks.prompts import load_template
from tasks.rows import Json
from tasks.settings import DataSettings, ModelSettings, Resources
from tasks.settings.judge import JudgeSettings
from tasks.store.store import Store

POSTS, SAMPLES = 48, 4
NOTES = ModelSettings(base="embedded:tiny-notes", prompt="notes", shots=0)
ENGINE: Json = {"engine": "transformers", "dtype": "float32"}


def machine(home: Path) -> LocalMachine:
    """With a store in `home`."""
    resources = Resources(device="cpu", threads=2, engines=2, batch_size=64)
    return LocalMachine(
        Store(str(home / "store"), cache=home / "cache"), home, resources, lambda *_: None
    )


def drawn(services: LocalMachine, judge: JudgeSettings) -> Call:
    """The call, after the samples that it compares were drawn or found."""
    runtime, store = services.runtime, services.runtime.store

    def found(call: Call):
        return store.lookup(call.step.kind, call.key) or perform(call, runtime)

    data = DataSettings(train="synthetic_notes", train_limit=POSTS, test_limit=1)
    problems = found(problems_call(data))
    model = found(base_call(NOTES))
    (block,) = cut_blocks(load_splits(store.path(problems))["train"], "train", POSTS)
    settings = {
        **ENGINE,
        "sampling": {"temperature": 1.0, "max_tokens": 48},
        "prompt": load_template("notes").digest,
        "shots": 0,
        "seed": 3,
        "problems": block.digest,
        "samples": [0, SAMPLES],
    }
    hints = {**block.to_json(), "template": "notes"}
    samples = found(generate_call("generate", settings, model, problems, hints))
    return compare_call(
        "compare",
        judge,
        seed=1,
        references=block.digest,
        problems=problems,
        hints=block.to_json(),
        samples=[samples],
        verdicts=[],
        judge=model,
        engine=ENGINE,
    )


# A policy that writes notes judges them; what it says is nonsense, and that is no matter here.
JUDGE = JudgeSettings(model="policy", prompt="notes", reason_tokens=24, pairs=0)


def main(home: Path) -> None:
    """Compare, and print the digest."""
    with machine(home) as services:
        call = drawn(services, JUDGE)
        print("drawn", flush=True)
        print(perform(call, services.runtime).digest, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
