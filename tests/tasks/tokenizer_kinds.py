"""Tokenizers of every kind that causal models have, trained on the spot on a few texts.

They differ in what a completion's tokens depend on: a space put in front of a text (the dummy
prefix of SentencePiece, in its two forms, and the byte-level one), tokens that a post-processor
puts around it, bytes that stand for unknown characters, and tokens added beside the vocabulary.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CODE = """def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)
"""
TEXTS = [
    CODE,
    "Q: A box holds 17 marbles, and 4 are lost. How many are left?\nA: 17 - 4 = 13. so 13.\n\n",
    "    if n == 0:\n        return 1\n    return n * f(n - 1)\n\n\n",
    "The answer is 42.  Two spaces, a tab\t, naïve café, 数学, and more.",
]
WORD = "\u2581"
_BYTES = [f"<0x{number:02X}>" for number in range(256)]


@dataclass(frozen=True)
class Kind:
    """How a tokenizer is made, and what it is true of.

    Attributes:
        make: Makes the core: without names of special tokens.
        begins: Its post-processor puts a begin-of-text token in front.
        ends: And an end-of-text token behind.
        lossy: It folds text (case, white space), so that no tokens give it back.
    """

    make: Callable[[], Any]
    begins: bool = True
    ends: bool = False
    lossy: bool = False


def _bpe(pre: Any, *, prefixed: bool = False, fallback: bool = True) -> Any:
    """A BPE model as SentencePiece's are written down: words begin with a mark, bytes at hand."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()  # so that no piece goes beyond a word
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    core.train_from_iterator(TEXTS, trainer)
    model = json.loads(core.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for one in _BYTES if fallback else ():
        vocabulary[one] = len(vocabulary)
    merges = [tuple(pair) for pair in model["merges"]]
    made = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=fallback)
    )
    parts = [normalizers.Prepend(WORD)] if prefixed else []
    if pre is None:
        made.normalizer = normalizers.Sequence([*parts, normalizers.Replace(" ", WORD)])
    else:
        made.pre_tokenizer = pre
    return made


def _sentencepiece(strip: bool) -> Any:
    from tokenizers import decoders

    parts = [decoders.Replace(WORD, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)] if strip else parts)


def _legacy() -> Any:
    core = _bpe(None, prefixed=True)
    core.decoder = _sentencepiece(strip=True)
    return core


def _metaspace(scheme: str, split: bool) -> Any:
    from tokenizers import pre_tokenizers

    core = _bpe(pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split))
    core.decoder = _sentencepiece(strip=scheme != "never")
    return core


def _gemma() -> Any:
    from tokenizers import AddedToken

    core = _bpe(None)
    core.decoder = _sentencepiece(strip=False)
    core.add_tokens([AddedToken(text, normalized=False) for text in ("\n\n", "\n\n\n", "<h1>")])
    return core


def _phi3() -> Any:
    from tokenizers import AddedToken

    core = _legacy()
    core.add_special_tokens([AddedToken("<|end|>", rstrip=True, normalized=False, special=True)])
    return core


def _unigram(scheme: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    core.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(
        vocab_size=300,
        special_tokens=["<unk>", "<s>", "</s>"],
        unk_token="<unk>",
        initial_alphabet=[chr(code) for code in range(32, 127)] + ["\n", "\t", WORD],
        show_progress=False,
    )
    core.train_from_iterator(TEXTS * 4, trainer)
    return core


def _bytes(*, space: bool = False, split: bool = False, folded: bool = False, size: int = 420):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    if split:
        digits = Regex(r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)| ?\p{L}+|\s+")
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(digits, "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    else:
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    if folded:
        core.normalizer = normalizers.NFC()
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TEXTS, trainer)
    return core


def _wordpiece() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.WordPiece(unk_token="<unk>"))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    core.train_from_iterator(TEXTS, trainer)
    return core


def _characters() -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    texts = ["<unk>", "<s>", "</s>", *sorted({*"".join(TEXTS), *string.printable})]
    core = Tokenizer(models.WordLevel({text: i for i, text in enumerate(texts)}, "<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    core.decoder = decoders.Fuse()
    return core


KINDS = {
    "llama2": Kind(_legacy),  # CodeLlama, Mistral 7B and Mixtral are of this kind
    "llama2-new": Kind(lambda: _metaspace("first", split=False)),
    "mistral-always": Kind(lambda: _metaspace("always", split=True)),
    "metaspace-never": Kind(lambda: _metaspace("never", split=False)),
    "yi": Kind(_legacy, begins=False),
    "phi3": Kind(_phi3, begins=False),
    "gemma": Kind(_gemma),
    "unigram": Kind(lambda: _unigram("always"), begins=False, ends=True),  # T5's kind
    "unigram-first": Kind(lambda: _unigram("first")),
    "unigram-never": Kind(lambda: _unigram("never")),
    "gpt2": Kind(_bytes, begins=False),
    "gpt2-space": Kind(lambda: _bytes(space=True)),
    "llama3": Kind(lambda: _bytes(split=True)),
    "qwen": Kind(lambda: _bytes(split=True, folded=True), begins=False),
    "adds-end": Kind(_bytes, ends=True),
    "bytes": Kind(lambda: _bytes(size=259), begins=False, ends=True),  # ByT5's kind
    "characters": Kind(_characters),
    "wordpiece": Kind(_wordpiece, ends=True, lossy=True),
}
LOSSLESS = [name for name, kind in KINDS.items() if not kind.lossy]


@lru_cache
def tokenizer(name: str) -> Any:
    """The tokenizer of a kind."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    kind, core = KINDS[name], KINDS[name].make()
    around = f"{'<s> ' * kind.begins}$A{' </s>' * kind.ends}"
    if around != "$A":
        core.post_processor = processors.TemplateProcessing(
            single=around,
            special_tokens=[(text, core.token_to_id(text)) for text in ("<s>", "</s>")],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
