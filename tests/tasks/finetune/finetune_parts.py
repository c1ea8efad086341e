"""A tiny model, rows and jobs for the tests of fine-tuning; and a process that kills itself."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.rows import TRAINING, Row, write_rows
from tasks.settings import FinetuneSettings, Resources

# Chosen so that the tests' second check is better than the first.
SALT = 4
CHARACTERS = "0123456789+-= .abcdefghijklmnopqrstuvwxyz?\n"
# Starts processes that have a trainer's imports when they begin.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "trl",
        "peft",
        "transformers.models.llama",
        "tasks.finetune.callbacks",
        "tasks.decoding.decode",
    ]
)


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, processors
    from transformers import PreTrainedTokenizerFast

    tokens = ["<pad>", "<s>", "</s>", "<unk>", *CHARACTERS]
    core = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [], unk_token="<unk>"))
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


def make_model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4 + len(CHARACTERS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
        initializer_range=0.2,  # far from uniform, so that a wrong context shows in the loss
    )
    return LlamaForCausalLM(config)


def make_start(folder: Path) -> Path:
    make_tokenizer().save_pretrained(folder)
    make_model().save_pretrained(folder)
    return folder


def make_rows(count: int, weights: tuple[float, ...] = (1.0,)) -> list[Row]:
    draw = random.Random(5)
    rows = []
    for i in range(count):
        a, b = draw.randrange(100), draw.randrange(100)
        rows.append(
            {
                "prompt": f"what is {a} + {b}?\n" + "so " * draw.randrange(4),
                "completion": f"{a} + {b} = {a + b}." + " ok" * draw.randrange(5),
                "weight": weights[i % len(weights)],
                "problem_id": f"p{i}",
                "index": 0,
                "samples": "key",
            }
        )
    return rows


def write(path: Path, rows: list[Row]) -> Path:
    write_rows(path, TRAINING, rows)
    return path


def make_job(start: Path, rows: Path, work: Path, **settings: Any) -> dict[str, Any]:
    chosen = {"max_length": 96, "batch_size": 4, "learning_rate": 3e-3, "epochs": 2.0} | settings
    return {
        "rows": str(rows),
        "model": str(start),
        "out": str(work / "out"),
        "work": str(work),
        "settings": FinetuneSettings(**chosen).model_dump(),
        "seed": 3,
        "validation": {
            "prompts": ["what is 1 + 2?\n", "what is 50 + 7?\n"],
            "max_tokens": 12,
            "stop": ["\n"],
            "batch_size": 8,
        },
        "resources": Resources(device="cpu", threads=1, train_batch_size=2).model_dump(),
    }


def grade(question: dict[str, Any]) -> dict[str, Any]:
    """Rewards that depend on the texts alone, as a checker's do; no two texts share one."""
    sums = [hashlib.sha256(f"{SALT}{text}".encode()).digest()[0] for text in question["score"]]
    return {"rewards": [value / 255 for value in sums]}


def train_until(
    job: dict[str, Any],
    point: str,
    count: int,
    ask: Callable[[dict[str, Any]], dict[str, Any]] = grade,
) -> None:
    """Train, and be killed by SIGKILL when `point` is reached for the `count`th time."""
    from tasks.finetune import checkpoints as course
    from tasks.finetune import export, supervised, trainer

    reached = 0

    def here() -> None:
        nonlocal reached
        reached += 1
        if reached == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(owner: Any, name: str, applies: Callable[..., bool] = lambda *_: True) -> None:
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            if applies(*args):
                here()
            return original(*args, **kwargs)

        setattr(owner, name, patched)

    if point == "half a checkpoint":
        before(supervised.Supervised, "_save_rng_state")
    elif point == "checkpoint without marker":
        before(course, "write_durably", lambda path, _: path.name == course.CHECKPOINT_MARKER)
    elif point == "half of the best weights":
        before(course, "put_durably", lambda draft, path: path.name.startswith("best-"))
    elif point == "half the export":
        before(export.shutil, "copyfile")
    elif point != "step":
        raise ValueError(point)
    trainer.train(job, ask, lambda *_: here() if point == "step" else None)
