"""Batches of few sizes give the samples that batches of every size give."""

from __future__ import annotations

from collections import Counter

import pytest

from tasks.decoding.decode import decode
from tasks.decoding.request import Completion, Sampling
from tasks.decoding.shapes import EXACT, FEW, Shapes, shapes_of
from tests.tasks.decoding.decoding_parts import make_model, make_tokenizer

WORDS = "how many apples are left if 7 of 19 are eaten and 4 more fall from the tree:"
PROMPTS = [WORDS[:n] for n in (3, 40, 11, 76, 25, 25, 8, 60)]
REQUESTS = [(i % len(PROMPTS), 1000 + i) for i in range(64)]
# A token in a few ends a completion, so that rows come and go.
SAMPLING = Sampling(temperature=1.0, top_k=12, max_tokens=90, ends=(5, 17, 30))
SOME = (Shapes(parts=4, columns=8), FEW, Shapes(parts=3, columns=1), Shapes(columns=16))


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def model(request: pytest.FixtureRequest):
    return make_model(request.param)


@pytest.fixture(scope="module")
def exact(model):
    return decode(model, make_tokenizer(), PROMPTS, REQUESTS, SAMPLING, batch_size=16)


# One row at a time has no other rows to be padded to: a few of them show that.
@pytest.mark.slow
@pytest.mark.parametrize("shapes", SOME)
@pytest.mark.parametrize(("batch", "count"), [(16, 64), (5, 64), (64, 64), (1, 16)])
def test_the_samples_are_those_of_exact_sizes(
    model, exact, shapes: Shapes, batch: int, count: int
) -> None:
    found = decode(
        model,
        make_tokenizer(),
        PROMPTS,
        REQUESTS[:count],
        SAMPLING,
        batch_size=batch,
        shapes=shapes,
    )
    # The last bit of a sum depends on the batch, so a sample may differ now and then.
    assert sum(a == b for a, b in zip(found, exact, strict=False)) >= count - 1


def greedy(model, shapes: Shapes) -> list[Completion]:
    sampling = Sampling(temperature=0.0, max_tokens=200)
    requests = [(i, 0) for i in range(len(PROMPTS))]
    return decode(model, make_tokenizer(), PROMPTS, requests, sampling, batch_size=3, shapes=shapes)


@pytest.fixture(scope="module")
def exact_greedy(model) -> list[Completion]:
    return greedy(model, EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("shapes", SOME)
def test_greedy_texts_are_those_of_exact_sizes(model, exact_greedy, shapes: Shapes) -> None:
    assert greedy(model, shapes) == exact_greedy


def sizes(model, shapes: Shapes) -> Counter[tuple[int, int]]:
    """How often a step had so many rows and columns."""
    seen: Counter[tuple[int, int]] = Counter()

    def note(module, args, kwargs) -> None:
        if kwargs["input_ids"].shape[1] == 1:
            seen[tuple(kwargs["attention_mask"].shape)] += 1

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        decode(model, make_tokenizer(), PROMPTS, REQUESTS, SAMPLING, batch_size=32, shapes=shapes)
    finally:
        hook.remove()
    return seen


@pytest.mark.slow
def test_few_sizes_come_again_and_exact_ones_do_not(model) -> None:
    exact, few = sizes(model, EXACT), sizes(model, FEW)
    assert len(exact) > exact.total() / 2
    assert len(few) < few.total() / 4


def test_on_a_cpu_sizes_are_exact() -> None:
    assert shapes_of("cpu") == EXACT and shapes_of("cuda") == FEW


@pytest.mark.parametrize("most", [1, 2, 7, 8, 16, 100, 256])
def test_rows_are_enough_and_at_most_a_part_or_twice_too_many(most: int) -> None:
    part = max(1, most // FEW.parts)
    for live in range(1, most + 1):
        rows = FEW.rows(live, most)
        assert live <= rows <= most
        assert rows - live < part or rows < 2 * live
        assert FEW.rows(rows, most) == rows
