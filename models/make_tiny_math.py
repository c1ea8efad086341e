"""Make models/tiny-math, the base policy of `make demo`, from nothing: `python make_tiny_math.py`.

A Llama of 0.37 million parameters with a byte-level byte-pair tokenizer (digits apart), pre-trained
on an endless stream of two kinds of text:

- lists of single sums, such as `35+9=44, 7*8=56`, mostly at the start of the training;
- problems of `synthetic_math` with a solution, mostly later on.

As in text that people write, solutions come in several ways and are not always right. Whoever
writes one is *careful* (`12+8=20, 20-7=13`), *brisk* (`12+8-7=13`, the whole sum at once) or
*hasty* (only an answer), by chance and whatever the question; and each step goes wrong with
probability SLIP, in which case all that follows builds on the mistake. So the likeliest way to
answer, which greedy decoding takes, is not the one that such a small model does best, while
sampling comes upon right solutions in every way. Nothing else is done to the model: what the loop
then gains, it gains from its own samples.

Every problem is drawn from the `corpus` share of sums (tasks/problems/synthetic_math.py), which
holds neither test problems nor the training problems of the loop. Single sums are facts, not
problems, and are drawn from everywhere.

Takes some minutes on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tasks.problems import synthetic_math as problems

SEED = 0
STEPS = 2600
BATCH = 64
LEARNING_RATE = 3e-3
WARMUP = 100
# Shares of sum lists in the text, before and after DRILL_STEPS. Sums are learnt several times
# faster from lists than inside solutions.
DRILL_STEPS, DRILL_EARLY, DRILL_LATE = 500, 0.8, 0.15
# How solutions are written: hasty, brisk, careful.
WAYS = (0.2, 0.58, 0.22)
SLIP = 0.1
SLIPS = (-10, -2, -1, 1, 2, 10)

SPECIAL = PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"  # by token number
# Words, digits and signs are never merged with each other; every digit stands alone.
PIECES = r" ?[A-Za-z]+| ?#+ ?|, |\d|[^\w]|."
LONGEST = 256

Text = tuple[str, str]  # prompt and completion, tokenised apart as in sampling


def sums(rng: random.Random, count: int = 7) -> str:
    """A list of single sums, all right."""
    facts: list[str] = []
    while len(facts) < count:
        if rng.random() < 0.2:
            first, sign, second = rng.randint(2, 9), "*", rng.randint(2, 9)
        else:
            largest = 9 if rng.random() < 0.75 else 20
            first, sign, second = rng.randint(2, 90), rng.choice("+-"), rng.randint(2, largest)
        total = problems.apply(first, sign, second)
        if 1 <= total <= problems.LARGEST:
            facts.append(f"{first}{sign}{second}={total}")
    return ", ".join(facts)


def solved(rng: random.Random, row: problems.Problem) -> Text:
    """A problem with a solution as somebody might write it."""
    value, steps = row.sum.first, []
    for sign, number in row.sum.moves:
        total = problems.apply(value, sign, number)
        if rng.random() < SLIP:
            total = max(1, total + rng.choice(SLIPS))
        steps.append(f"{value}{sign}{number}={total}")
        value = total
    way = rng.choices(("hasty", "brisk", "careful"), WAYS)[0]
    work = {"hasty": "", "brisk": f"{row.sum.text}={value} ", "careful": ", ".join(steps) + " "}
    return f"Q: {row.question}\nA: ", f"{work[way]}#### {value}"


def corpus(seed: int = SEED) -> Iterator[Text]:
    """The text of the pre-training, without end."""
    rng = random.Random(f"tiny-math/{seed}")
    rows = problems.stream("corpus", seed=seed)
    for index in itertools.count():
        drill = DRILL_EARLY if index < DRILL_STEPS * BATCH else DRILL_LATE
        yield ("", sums(rng)) if rng.random() < drill else solved(rng, next(rows))


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Any text can be encoded; the words of the problems are one token each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,  # never reached: the words of the problems need fewer
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    rng, rows = random.Random(SEED), problems.stream("corpus", seed=SEED)
    texts = ("".join(solved(rng, row)) for row in itertools.islice(rows, 4000))
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


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The untrained model."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=32,  # vLLM has no CPU kernel for 24
        max_position_embeddings=LONGEST,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},  # texts are short
        initializer_range=0.1,  # about 1/sqrt(96); 0.02 takes several times as many steps
        tie_word_embeddings=True,
        pad_token_id=SPECIAL.index(PAD),
        bos_token_id=SPECIAL.index(BOS),
        eos_token_id=SPECIAL.index(EOS),
    )
    return LlamaForCausalLM(config)


def encode(tokenizer: PreTrainedTokenizerFast, text: Text) -> list[int]:
    """One training sequence: beginning of text, prompt, completion, end of text."""
    prompt, completion = text
    tokens = tokenizer(completion, add_special_tokens=False)["input_ids"]
    return [*tokenizer(prompt)["input_ids"], *tokens, SPECIAL.index(EOS)]


def batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[list[list[int]]]:
    """Batches of sequences of like length, so that little is padded."""
    texts, rng = corpus(), random.Random(SEED)
    while True:
        block = [encode(tokenizer, text) for text in itertools.islice(texts, 8 * BATCH)]
        block.sort(key=len)
        cut = [block[start : start + BATCH] for start in range(0, len(block), BATCH)]
        rng.shuffle(cut)
        yield from cut


def pretrain(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Next-token prediction on all of the text, prompts included."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    model.train()
    recent: list[float] = []
    for step, batch in enumerate(itertools.islice(batches(tokenizer), STEPS), start=1):
        cosine = 0.5 + 0.5 * math.cos(math.pi * step / STEPS)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, step / WARMUP) * (0.05 + 0.95 * cosine)
        rows = [torch.tensor(tokens) for tokens in batch]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)
        # Padding follows the text, so causal attention needs no mask.
        logits = model(input_ids=ids.clamp(min=0)).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item())
        if step % 100 == 0:
            print(f"step {step} of {STEPS}: loss {sum(recent) / len(recent):.3f}", flush=True)
            recent.clear()
    model.eval()


def main() -> None:
    """Make the model folder."""
    parser = argparse.ArgumentParser(description="Make the embedded base model.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "tiny-math")
    out = parser.parse_args().out
    torch.set_num_threads(1)  # sums of floats do not depend on the number of cores then
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    pretrain(model, tokenizer)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main()
