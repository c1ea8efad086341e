"""What the scripts that make the embedded base policies share: tokenizer, model, pre-training.

A Llama of some hundred thousand parameters with a byte-level byte-pair tokenizer, pre-trained from
nothing on text that a script makes up. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"  # by token number
LONGEST = 256

Text = tuple[str, str]  # prompt and completion, tokenised apart as in sampling


@dataclass(frozen=True)
class Size:
    """How large a base policy is.

    Attributes:
        hidden: Width.
        layers: Number of them.
        heads: Attention heads, of 32 each: vLLM has no CPU kernel for 24.
        inner: Width inside the feed-forward part.
    """

    hidden: int = 96
    layers: int = 3
    heads: int = 3
    inner: int = 256


@dataclass(frozen=True)
class Plan:
    """How a base policy is pre-trained.

    Attributes:
        steps: Optimiser steps.
        size: Of the model.
        batch: Texts in each.
        learning_rate: Peak, after `warmup` steps; a cosine down to a twentieth of it follows.
        warmup: Steps.
        seed: Of the weights and of the order of batches.
        prompts: Whether prompts are learnt too, or completions alone.
    """

    steps: int
    size: Size = Size()
    batch: int = 64
    learning_rate: float = 3e-3
    warmup: int = 100
    seed: int = 0
    prompts: bool = True


def make_tokenizer(texts: Iterable[str], pieces: str, most: int = 512) -> PreTrainedTokenizerFast:
    """A tokenizer for these texts, which encodes any other too.

    Args:
        texts: What it is trained on.
        pieces: Regular expression of the pieces that are never merged with each other.
        most: Tokens that it has at most.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=most,  # never reached: the words of the problems need fewer
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, SPECIAL.index(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=LONGEST,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, size: Size, seed: int) -> LlamaForCausalLM:
    """The untrained model."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        head_dim=32,
        max_position_embeddings=LONGEST,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},  # texts are short
        initializer_range=0.1,  # about 1/sqrt(96); 0.02 takes several times as many steps
        tie_word_embeddings=True,
        pad_token_id=SPECIAL.index(PAD),
        bos_token_id=SPECIAL.index(BOS),
        eos_token_id=SPECIAL.index(EOS),
    )
    return LlamaForCausalLM(config)


def encode(tokenizer: PreTrainedTokenizerFast, text: Text) -> tuple[list[int], int]:
    """A training sequence and the length of its prompt.

    The sequence is beginning of text, prompt, completion, end of text.
    """
    prompt, completion = text
    asked = tokenizer(prompt)["input_ids"]
    tokens = tokenizer(completion, add_special_tokens=False)["input_ids"]
    return [*asked, *tokens, SPECIAL.index(EOS)], len(asked)


def batches(
    tokenizer: PreTrainedTokenizerFast, texts: Iterator[Text], plan: Plan
) -> Iterator[list[tuple[list[int], int]]]:
    """Batches of sequences of like length, so that little is padded."""
    rng = random.Random(plan.seed)
    while True:
        block = [encode(tokenizer, text) for text in itertools.islice(texts, 8 * plan.batch)]
        block.sort(key=lambda one: len(one[0]))
        cut = [block[start : start + plan.batch] for start in range(0, len(block), plan.batch)]
        rng.shuffle(cut)
        yield from cut


def pretrain(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Iterator[Text], plan: Plan
) -> None:
    """Next-token prediction on all of the text, or on completions alone where the plan says so."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    model.train()
    recent: list[float] = []
    source = itertools.islice(batches(tokenizer, texts, plan), plan.steps)
    for step, batch in enumerate(source, start=1):
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / plan.steps)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * min(1.0, step / plan.warmup) * (0.05 + 0.95 * cosine)
        rows = [torch.tensor(tokens) for tokens, _ in batch]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)
        targets = ids.clone()
        if not plan.prompts:
            for row, (_, asked) in enumerate(batch):
                targets[row, :asked] = -100
        # Padding follows the text, so causal attention needs no mask.
        logits = model(input_ids=ids.clamp(min=0)).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item())
        if step % 100 == 0:
            print(f"step {step} of {plan.steps}: loss {sum(recent) / len(recent):.3f}", flush=True)
            recent.clear()
    model.eval()


def make(
    out: Path,
    corpus: Callable[[], Iterator[Text]],
    sample: Iterable[str],
    pieces: str,
    plan: Plan,
    most: int = 512,
) -> None:
    """Make a model folder; `--out` on the command line names another one.

    Args:
        out: The folder.
        corpus: Gives the text of the pre-training, without end.
        sample: Text that the tokenizer is made from.
        pieces: As `make_tokenizer` takes it.
        plan: How it is pre-trained.
        most: Tokens of its tokenizer.
    """
    parser = argparse.ArgumentParser(description="Make an embedded base model.")
    parser.add_argument("--out", type=Path, default=out)
    folder = parser.parse_args().out
    torch.set_num_threads(1)  # sums of floats do not depend on the number of cores then
    tokenizer = make_tokenizer(sample, pieces, most)
    model = make_model(tokenizer, plan.size, plan.seed)
    pretrain(model, tokenizer, corpus(), plan)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
