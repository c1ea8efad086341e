"""Attention row by row: the same numbers as with a mask, for the kinds of attention there are."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from tasks.finetune.row_attention import ROW_ATTENTION, SHORTEST, Layout, fits, inputs, layout

SIZES = [9, 1, 30, 4, 28, 17]
SHAPE = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
GEMMA = {**SHAPE, "head_dim": 8, "num_key_value_heads": 1, "sliding_window": 6}


def built(kind: str) -> Any:
    torch.manual_seed(1)
    makers = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
        "shared keys": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, num_key_value_heads=2)),
        "window": lambda: MistralForCausalLM(
            MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=5)
        ),
        "windows in some layers": lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(**GEMMA, layer_types=["sliding_attention", "full_attention"])
        ),
        "learned positions": lambda: GPT2LMHeadModel(
            GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3)
        ),
        "soft caps": lambda: Gemma2ForCausalLM(Gemma2Config(**GEMMA)),
        "no positions": lambda: BloomForCausalLM(
            BloomConfig(vocab_size=50, hidden_size=32, n_layer=1, n_head=4)
        ),
    }
    return makers[kind]().eval()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(0, 50, (1, sum(SIZES)), generator=torch.Generator().manual_seed(2))
    positions = torch.cat([torch.arange(size) for size in SIZES])[None]
    return {"input_ids": ids, "position_ids": positions}


def outcome(model: Any, more: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and the gradients of a function of them."""
    model.zero_grad()
    logits = model(**batch(), **more, use_cache=False).logits
    weights = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    (logits.log_softmax(-1) * weights).sum().backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return logits.detach(), torch.cat(gradients)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    "kind", ["llama", "shared keys", "window", "windows in some layers", "learned positions"]
)
def test_logits_and_gradients_are_those_with_a_mask(kind, checkpointing):
    model = built(kind)
    masked = outcome(model, {})
    assert fits(model, 64)
    assert model.config._attn_implementation == ROW_ATTENTION
    if checkpointing:
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model.gradient_checkpointing_enable()
    by_row = outcome(model, inputs(layout(SIZES)))
    assert torch.allclose(by_row[0], masked[0], atol=1e-4)
    scale = float(masked[1].abs().max())
    assert torch.allclose(by_row[1] / scale, masked[1] / scale, atol=1e-5)
    # And without a layout, as in sampling, it is transformers' own.
    assert torch.equal(model.eval()(**batch(), use_cache=False).logits, masked[0])


@pytest.mark.parametrize("kind", ["soft caps", "no positions"])
def test_a_model_that_it_does_not_fit_keeps_its_attention(kind):
    model = built(kind)
    before = model.config._attn_implementation
    masked = model(**batch()).logits if kind != "no positions" else None
    assert not fits(model, 64)
    assert model.config._attn_implementation == before
    if masked is not None:
        assert torch.equal(model(**batch()).logits, masked)


def test_another_attention_given_the_row_inputs_gives_no_number():
    model = built("llama")
    for attention in ("sdpa", "eager"):
        model.set_attn_implementation(attention)
        logits = model(**batch(), **inputs(layout(SIZES))).logits
        assert logits.isnan().all()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_every_token_has_one_place_in_the_order_of_its_row(lengths):
    rows: Layout = layout(lengths)
    tokens = torch.arange(sum(lengths))
    assert torch.equal(rows.there[rows.back], tokens)
    assert len(rows.there) == sum(count * columns for count, columns in rows.shapes)
    assert sorted([*rows.back.tolist(), *rows.padding.tolist()]) == list(range(len(rows.there)))
    # The places of one row follow each other, from the first column of a class on.
    begins = {}
    first = 0
    for count, columns in rows.shapes:
        begins |= {first + columns * row: columns for row in range(count)}
        first += count * columns
    start = 0
    for length in lengths:
        places = rows.back[start : start + length]
        assert torch.equal(places, torch.arange(length) + places[0])
        columns = begins.pop(int(places[0]))
        assert SHORTEST * columns <= length <= columns
        start += length
    assert not begins
