"""Rows, tokenizer and model for `restem bench finetune`.

Rows are GSM8K's training problems with their own solutions where RESTEM_DATA names a folder with
them, else texts of no sense with about the same lengths. The prompt has no exemplars: what is
fine-tuned then is a question of about 65 tokens and a solution of about 75.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from pathlib import Path
from typing import Any

from tasks.prompts import load_template
from tasks.rows import Row

GSM8K_FILE = "gsm8k_train.jsonl.gz"
SEED = 20240414
VOCABULARY = 4096
# Mean and standard deviation of the logarithm of words in GSM8K's questions and solutions.
QUESTION_WORDS, SOLUTION_WORDS = (3.74, 0.37), (3.81, 0.54)
# Calculator marks such as <<48/2=24>>, which no policy is asked to write.
_MARKS = re.compile(r"<<[^>]*>>")


def make_rows(count: int) -> tuple[list[Row], str]:
    """Training rows of weight 1, and where their texts come from."""
    draw = random.Random(SEED)
    folder = os.environ.get("RESTEM_DATA")
    if folder and (Path(folder) / GSM8K_FILE).is_file():
        with gzip.open(Path(folder) / GSM8K_FILE, "rt", encoding="utf-8") as lines:
            given = [json.loads(line) for line in lines]
        given = [(row["question"], _MARKS.sub("", row["answer"])) for row in given]
        texts, origin = draw.sample(given, min(count, len(given))), "GSM8K"
    else:
        texts = [(_text(draw, *QUESTION_WORDS), _text(draw, *SOLUTION_WORDS)) for _ in range(count)]
        origin = "texts with lengths like GSM8K's"
    template = load_template("gsm8k")
    rows: list[Row] = [
        {
            "prompt": template.render(question, 0),
            "completion": f" {solution}",
            "weight": 1.0,
            "problem_id": f"p{i}",
            "index": 0,
            "samples": "bench",
        }
        for i, (question, solution) in enumerate(texts)
    ]
    return rows, origin


def save_start(rows: list[Row], folder: Path, *, seed: int = 0, large: bool = False) -> None:
    """A Llama of 1.3 million parameters, or 0.3 billion, with a tokenizer made from the rows."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=1024 if large else 128,
        intermediate_size=2816 if large else 344,
        num_hidden_layers=24 if large else 4,
        num_attention_heads=16 if large else 4,
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
        initializer_range=0.05,  # so that a token of another row would show in the loss
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer(rows).save_pretrained(folder)


def _tokenizer(rows: list[Row]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator((row["prompt"] + row["completion"] for row in rows), trainer)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


def _text(draw: random.Random, mean: float, deviation: float) -> str:
    count = max(5, min(300, round(draw.lognormvariate(mean, deviation))))
    return " ".join(f"w{draw.randrange(300)}" for _ in range(count))
