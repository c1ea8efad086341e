"""Tokenizers and tiny models with the chat templates of chat_templates/.

The templates are written for these tests, from how the families write a turn; so are the
tokenizers, which have each family's control tokens and ways: Llama 3, Gemma and Mistral put a
begin-of-text token in front of every text, Gemma has white space among its added tokens, and the
end of a turn is not the end of a text for Gemma and Phi.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).with_name("chat_templates")
_TEXTS = [
    "A box holds 17 marbles, and 4 are lost. How many marbles are left in the box?",
    "17 - 4 = 13 marbles are left. The answer is 13.",
    "system user assistant model You solve word problems.\n\nToday Date: 26 Jul 2024\n\n",
    "<think>\nLet me see.\n</think>\n\n",
]


@dataclass(frozen=True)
class Family:
    """What a family's tokenizer has.

    Attributes:
        special: Control tokens; the first ends a text.
        turn: What ends an assistant's turn.
        begins: Put in front of every text by itself, or "".
        added: Added tokens that control nothing.
        metaspace: Spaces are part of words as in SentencePiece; None: bytes.
        system: Whether the template takes a system text.
    """

    special: tuple[str, ...]
    turn: str
    begins: str = ""
    added: tuple[str, ...] = ()
    metaspace: str | None = None
    system: bool = True


FAMILIES = {
    "qwen25": Family(("<|im_end|>", "<|endoftext|>", "<|im_start|>"), "<|im_end|>"),
    "qwen3": Family(
        ("<|im_end|>", "<|endoftext|>", "<|im_start|>"),
        "<|im_end|>",
        added=("<think>", "</think>"),
    ),
    "llama3": Family(
        (
            *("<|eot_id|>", "<|end_of_text|>", "<|begin_of_text|>"),
            *("<|start_header_id|>", "<|end_header_id|>"),
        ),
        "<|eot_id|>",
        begins="<|begin_of_text|>",
    ),
    "gemma": Family(
        ("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        "<end_of_turn>",
        begins="<bos>",
        added=("\n", "\n\n", "<h1>"),
        metaspace="never",
        system=False,
    ),
    "phi": Family(
        ("<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"), "<|end|>"
    ),
    "smollm2": Family(("<|im_end|>", "<|endoftext|>", "<|im_start|>"), "<|im_end|>"),
    "mistral": Family(
        ("</s>", "<s>", "[INST]", "[/INST]"), "</s>", begins="<s>", metaspace="first"
    ),
    "deepseek_r1": Family(
        ("<|end_of_sentence|>", "<|begin_of_sentence|>", "<|User|>", "<|Assistant|>"),
        "<|end_of_sentence|>",
        begins="<|begin_of_sentence|>",
        added=("<think>", "</think>"),
    ),
}


# Fields of a generation_config.json that say otherwise than any configuration of a test.
WILD = {
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 1,
    "top_p": 0.05,
    "min_p": 0.9,
    "repetition_penalty": 9.0,
    "no_repeat_ngram_size": 1,
    "max_new_tokens": 1,
    "suppress_tokens": list(range(40, 90)),
    "begin_suppress_tokens": list(range(90, 140)),
    "forced_eos_token_id": 3,
}


@lru_cache
def tokenizer(name: str) -> Any:
    """A family's tokenizer, trained on a few texts."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    family = FAMILIES[name]
    plain = Tokenizer(models.BPE(unk_token="<unk>" if family.metaspace else None))
    alphabet: list[str] = []
    if family.metaspace:
        plain.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=family.metaspace)
        plain.decoder = decoders.Metaspace(prepend_scheme=family.metaspace)
    else:
        plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        plain.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Added in an order of its own, so that no id is by chance that of another family.
    first = ["<pad>", *(["<unk>"] if family.metaspace else []), *family.special]
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=first, initial_alphabet=alphabet, show_progress=False
    )
    plain.train_from_iterator(_TEXTS, trainer)
    plain.add_tokens([AddedToken(text, normalized=False) for text in family.added])
    if family.begins:
        begins = plain.token_to_id(family.begins)
        plain.post_processor = processors.TemplateProcessing(
            single=f"{family.begins} $A", special_tokens=[(family.begins, begins)]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="<pad>",
        eos_token=family.special[0],
        bos_token=family.begins or None,
        unk_token="<unk>" if family.metaspace else None,
    )
    made.chat_template = (TEMPLATES / f"{name}.jinja").read_text()
    return made


def save(folder: Path, name: str, generation: dict[str, Any] | None = None) -> Path:
    """A policy: a random Llama with a family's tokenizer, and fields of generation_config.json."""
    import json

    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    kind = tokenizer(name)
    config = LlamaConfig(
        vocab_size=len(kind),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=1024,
        initializer_range=0.3,
        tie_word_embeddings=False,
        pad_token_id=kind.pad_token_id,
        bos_token_id=kind.bos_token_id,
        eos_token_id=kind.eos_token_id,
    )
    torch.set_num_threads(1)
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():  # turns end often, as a trained model's do
        model.lm_head.weight[kind.convert_tokens_to_ids(FAMILIES[name].turn)] *= 2
    model.save_pretrained(folder)
    kind.save_pretrained(folder)
    if generation is not None:
        path = folder / "generation_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **generation}))
    return folder
