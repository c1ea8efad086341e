"""Batched decoding against the plain way of doing the same."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tasks.decoding.decode import decode
from tasks.decoding.next_token import draw_tokens, uniforms
from tasks.decoding.request import Sampling
from tasks.decoding.stops import Stops
from tasks.errors import UserError
from tests.tasks.decoding.decoding_parts import CHARACTERS, make_model, make_tokenizer

WORDS = "how many apples are left if 7 of 19 are eaten and 4 more fall from the tree:"
PROMPTS = [WORDS[:n] for n in (3, 40, 11, 76, 25, 25, 8, 60)]
SAMPLING = Sampling(temperature=1.0, top_k=12, top_p=0.95, max_tokens=30, stop=("e", "4x"))


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def model(request: pytest.FixtureRequest):
    return make_model(request.param)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def plain(model, tokenizer, prompt: str, tokens: int) -> str:
    inputs = tokenizer(prompt, return_tensors="pt")
    ids = model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        max_new_tokens=tokens,
        do_sample=False,
    )
    return tokenizer.decode(ids[0][inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def test_greedy_in_a_left_padded_batch_is_greedy_of_generate_on_each_prompt(model, tokenizer):
    sampling = Sampling(temperature=0.0, max_tokens=24)
    requests = [(i, 0) for i in range(len(PROMPTS))]
    found = decode(model, tokenizer, PROMPTS, requests, sampling, batch_size=3)
    expected = [plain(model, tokenizer, prompt, 24) for prompt in PROMPTS]
    assert [c.text for c in found] == expected
    assert len(set(expected)) > 4  # the model does look at its prompt


def test_prompts_with_a_long_common_start_are_decoded_as_if_they_had_none(model, tokenizer):
    prompts = [WORDS + ending for ending in ("a", "bcdefghij" * 3, "k.")]
    sampling = Sampling(temperature=0.0, max_tokens=16)
    found = decode(model, tokenizer, prompts, [(i, 0) for i in range(3)], sampling, batch_size=8)
    assert [c.text for c in found] == [plain(model, tokenizer, p, 16) for p in prompts]


@pytest.mark.slow
def test_a_sample_depends_on_its_seed_and_on_nothing_beside_it(model, tokenizer):
    requests = [(i % len(PROMPTS), 1000 + i) for i in range(48)]
    alone = [
        decode(model, tokenizer, PROMPTS, [request], SAMPLING, batch_size=1)[0]
        for request in requests[:12]
    ]
    together = decode(model, tokenizer, PROMPTS, requests, SAMPLING, batch_size=48)
    refilled = decode(model, tokenizer, PROMPTS, requests, SAMPLING, batch_size=5)
    order = random.Random(0).sample(range(48), 48)
    shuffled = decode(
        model, tokenizer, PROMPTS, [requests[i] for i in order], SAMPLING, batch_size=16
    )
    assert alone == together[:12]
    assert refilled == together
    assert [shuffled[order.index(i)] for i in range(48)] == together
    assert len({c.text for c in together}) > 24


def test_equal_requests_give_equal_samples_and_other_seeds_other_ones(model, tokenizer):
    found = decode(model, tokenizer, PROMPTS, [(1, 7), (1, 7), (1, 8)], SAMPLING, batch_size=2)
    assert found[0] == found[1] != found[2]


def test_stop_texts_that_straddle_tokens_cut_the_text(model, tokenizer):
    free = Sampling(temperature=1.0, max_tokens=40)
    requests = [(3, seed) for seed in range(40)]
    whole = decode(model, tokenizer, PROMPTS, requests, free, batch_size=40)
    # Two neighbouring characters of an unstopped sample: every token is one character, so any
    # pair straddles two of them.
    stops = tuple(sorted({c.text[5:7] for c in whole[:6] if len(c.text) > 8}))
    sampling = Sampling(temperature=1.0, max_tokens=40, stop=stops)
    cut = decode(model, tokenizer, PROMPTS, requests, sampling, batch_size=7)
    for before, after in zip(whole, cut, strict=True):
        places = [before.text.find(stop) for stop in stops if stop in before.text]
        if places:
            assert (after.text, after.finish) == (before.text[: min(places)], "stop")
            # Special tokens, which this model draws too, have no text.
            assert min(places) + 2 <= after.tokens < before.tokens + 1
        else:
            assert after == before
    assert any(a != b for a, b in zip(whole, cut, strict=True))


def test_a_stop_text_split_over_bytes_of_one_character_is_found():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({text: i for i, text in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="!")
    config = LlamaConfig(
        vocab_size=len(alphabet),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        eos_token_id=None,
        bos_token_id=None,
    )
    stops = Stops(LlamaForCausalLM(config), tokenizer, ["→€"])
    ids = tokenizer("so → then →€ and on", add_special_tokens=False)["input_ids"]
    ended = [
        i
        for i in range(len(ids))
        if stops.suspect(np.array(ids[i : i + 1]))[0] and stops.cut(ids[: i + 1]) is not None
    ]
    assert stops.cut(ids[: ended[0] + 1]) == "so → then "
    assert tokenizer.decode(ids[: ended[0] + 1]) == "so → then →€"


def test_every_end_id_ends_a_completion_and_stays_out_of_its_text(tokenizer):
    model = make_model()
    model.generation_config.eos_token_id = [2, tokenizer.convert_tokens_to_ids("a")]
    sampling = Sampling(temperature=1.0, max_tokens=60)
    found = decode(model, tokenizer, PROMPTS, [(2, s) for s in range(60)], sampling, batch_size=32)
    ended = [c for c in found if c.finish == "stop"]
    assert len(ended) > 30
    assert all("a" not in c.text for c in found)
    assert all(c.tokens >= len(c.text) + 1 for c in ended)
    assert all(c.tokens == 60 for c in found if c.finish == "length")


def test_first_token_is_drawn_from_the_softmax(tokenizer):
    model = make_model()
    count, temperature = 4000, 2.0
    sampling = Sampling(temperature=temperature, max_tokens=1)
    requests = [(1, seed) for seed in range(count)]
    found = decode(model, tokenizer, PROMPTS, requests, sampling, batch_size=1000)
    inputs = tokenizer(PROMPTS[1], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        masses = (model(inputs).logits[0, -1].double() / temperature).softmax(-1).numpy()
    ids = {text: i for i, text in enumerate(CHARACTERS, start=4)}
    seen = np.zeros(len(masses))
    for completion in found:  # the special tokens all show as no text
        seen[ids.get(completion.text, 0)] += 1
    expected = np.concatenate([[masses[:4].sum()], np.zeros(3), masses[4:]]) * count
    big = expected >= 5
    observed = np.append(seen[big], seen[~big].sum())
    wanted = np.append(expected[big], expected[~big].sum())
    statistic = ((observed - wanted) ** 2 / np.maximum(wanted, 1e-9)).sum()
    freedom = big.sum()
    assert freedom > 8
    # Five standard deviations above the mean of chi-square.
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(
    ("top_k", "top_p"), [(1, 1.0), (5, 1.0), (0, 0.5), (0, 0.05), (7, 0.6), (50_000, 0.9)]
)
def test_nothing_is_drawn_outside_top_k_and_top_p(top_k: int, top_p: float):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 3000, generator=generator) * 4
    numbers = torch.rand(400, dtype=torch.float64, generator=generator)
    numbers[:3] = torch.tensor([0.0, 1.0 - 2**-53, 0.5], dtype=torch.float64)
    drawn = draw_tokens(logits, numbers, Sampling(temperature=1.5, top_k=top_k, top_p=top_p))
    masses = (logits.double() / 1.5).softmax(-1)
    for row, token in enumerate(drawn.tolist()):
        ranked = masses[row].argsort(descending=True)
        if 0 < top_k < 3000:
            ranked = ranked[:top_k]
        shares = masses[row][ranked] / masses[row][ranked].sum()
        before = shares.cumsum(0) - shares
        assert token in ranked[before < top_p].tolist()


def test_the_widest_nucleus_is_found_beyond_the_first_try():
    logits = torch.zeros(2, 5000)
    numbers = torch.tensor([0.999, 0.0], dtype=torch.float64)
    drawn = draw_tokens(logits, numbers, Sampling(temperature=1.0, top_p=0.9)).tolist()
    assert drawn[0] != drawn[1]
    wide = draw_tokens(
        torch.zeros(1000, 5000),
        torch.linspace(0, 0.999, 1000, dtype=torch.float64),
        Sampling(temperature=1.0, top_p=0.9),
    )
    assert len(set(wide.tolist())) == 1000


def test_rounding_noise_between_equal_tokens_does_not_change_the_draw():
    logits = torch.full((1, 40), -20.0)
    logits[0, [3, 30]] = 5.0
    noisy = logits.clone()
    noisy[0, 3] += 1e-6
    numbers = torch.tensor([0.25], dtype=torch.float64)
    sampling = Sampling(temperature=1.0, top_k=5)
    noisier = logits.clone()
    noisier[0, 30] += 1e-6
    assert draw_tokens(noisy, numbers, sampling) == draw_tokens(noisier, numbers, sampling) == 3


def test_numbers_of_a_seed_do_not_depend_on_how_many_are_asked_for():
    assert (uniforms(2**62 - 1, 5) == uniforms(2**62 - 1, 50)[:5]).all()
    assert (uniforms(1, 5) != uniforms(2, 5)).all()


def test_a_request_longer_than_the_model_is_the_users_mistake(tokenizer):
    model = make_model(positions=64)
    with pytest.raises(UserError, match=r"sampling\.max_tokens.*64 positions"):
        decode(model, tokenizer, PROMPTS, [(3, 1)], Sampling(max_tokens=30), batch_size=1)


def test_progress_ends_with_all_of_them(tokenizer):
    seen: list[tuple[int, int]] = []
    requests = [(0, seed) for seed in range(9)]
    decode(
        make_model(),
        tokenizer,
        PROMPTS,
        requests,
        SAMPLING,
        batch_size=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (9, 9)
    assert seen == sorted(seen)
