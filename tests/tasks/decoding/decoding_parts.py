"""A tiny random model with one token a character, for the tests of decoding and engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .:\n"
SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"]


def make_tokenizer() -> Any:
    """One token a character, a BOS in front of prompts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {text: i for i, text in enumerate([*SPECIAL, *CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )


def make_model(kind: str = "llama", positions: int = 512) -> Any:
    """A random model whose choices depend on the whole context; `kind` is llama or gemma3."""
    import torch
    from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig

    common: dict[str, Any] = {
        "vocab_size": len(SPECIAL) + len(CHARACTERS),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": positions,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if kind == "gemma3":  # a window shorter than the prompts, beside a layer without one
        layers = ["sliding_attention", "full_attention"]
        config: Any = Gemma3TextConfig(**common, sliding_window=12, layer_types=layers)
    else:
        config = LlamaConfig(**common)
    torch.set_num_threads(1)  # threads that spin for each other starve what runs beside the test
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(config).eval()


def save(folder: Path) -> Path:
    """Write model and tokenizer as a folder that both engines load."""
    make_model(positions=2048).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
