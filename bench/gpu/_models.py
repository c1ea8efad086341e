"""Models with random weights, a byte-level tokenizer and rows, all made on the spot."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.gpu._record import Device
from tasks.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

SEED = 20240414
SPECIAL = ["<pad>", "<s>", "</s>"]
VOCABULARY = len(SPECIAL) + 256
MARKS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@dataclass(frozen=True)
class Shape:
    """Sizes of a Qwen2 model; weights are tied."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    shared: int = 2  # heads of keys and values

    def config(self) -> PreTrainedConfig:
        """As transformers has it."""
        from transformers import Qwen2Config

        return Qwen2Config(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.shared,
            max_position_embeddings=32768,
            tie_word_embeddings=True,
            **MARKS,
        )


# Qwen2.5-0.5B and 1.5B; and what two cores can do in their place.
HALF = Shape("0.5B", 896, 4864, 24, 14, 151936)
ONE_AND_HALF = Shape("1.5B", 1536, 8960, 28, 12, 151936)
TINY_HALF = Shape("tiny", 64, 128, 2, 4, 1000)
TINY_ONE_AND_HALF = Shape("tiny, deeper", 64, 128, 3, 4, 1000)
# As many layers as a 1.5B has, each cheap, for what is counted a layer; and what trains in moments.
DEEP = Shape("28 thin layers", 256, 512, 28, 4, 4096)
SMALLER = Shape("8 thin layers", 256, 512, 8, 4, 4096)
TINY_DEEP = Shape("4 thin layers", 32, 64, 4, 4, 300)


def make(config: PreTrainedConfig, device: Device, dtype: str = "float32") -> PreTrainedModel:
    """A model with random weights, made where it is to be."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(SEED)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    return model.to(device).eval()


def save(config: PreTrainedConfig, folder: Path, device: Device, dtype: str = "float32") -> Path:
    """The folder of such a model with its tokenizer."""
    make(config, device, dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and one character a token, so that equal texts are equal tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    core = Tokenizer(models.BPE(known, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.Fuse()
    pad, begin, end = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=pad, bos_token=begin, eos_token=end
    )


def texts(count: int, tokens: int, seed: int = SEED) -> list[str]:
    """Texts of no sense, of about so many tokens (three quarters to five quarters)."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        length = draw.randint(round(0.75 * tokens), round(1.25 * tokens))
        words = " ".join(f"w{draw.randrange(1000)}" for _ in range(length // 3 + 1))
        found.append(words[:length])
    return found


def tiny(kind: str, large: bool) -> PreTrainedConfig:
    """A small model of a family of bench/families."""
    from bench.families import _tiny as families

    return families.tiny(kind, 256 if large else 32)


def rows_of(found: Iterable[str]) -> list[Row]:
    """Texts as training rows of weight 1, half of each the completion."""
    return [
        {
            "prompt": text[: len(text) // 2],
            "completion": text[len(text) // 2 :],
            "weight": 1.0,
            "problem_id": f"p{i}",
            "index": 0,
            "samples": "bench",
        }
        for i, text in enumerate(found)
    ]
