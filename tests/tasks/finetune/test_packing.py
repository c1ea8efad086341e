import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.finetune import packing
from tasks.settings import FinetuneSettings
from tests.tasks.finetune.finetune_parts import make_rows, make_tokenizer, write


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def settings(**changes) -> FinetuneSettings:
    return FinetuneSettings(**{"max_length": 96, **changes})


def split(dataset) -> list[tuple[tuple[int, ...], int, float]]:
    """The rows of all sequences: tokens, prompt length, weight."""
    rows = []
    for sequence in dataset:
        end = 0
        parts = zip(sequence["lengths"], sequence["prompts"], sequence["weights"], strict=True)
        for length, prompt, weight in parts:
            start, end = end, end + length
            rows.append((tuple(sequence["input_ids"][start:end]), prompt, weight))
        assert end == len(sequence["input_ids"])
    return rows


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.randoms())
def test_best_fit_never_overfills_and_leaves_no_two_half_empty(lengths, random):
    order = list(range(len(lengths)))
    random.shuffle(order)
    placed = packing.best_fit(np.array(lengths), 50, np.array(order))
    filled = np.bincount(placed, weights=lengths)
    assert filled.max() <= 50
    assert filled.min() > 0
    two_emptiest = np.sort(filled)[:2]
    assert len(filled) == 1 or two_emptiest.sum() > 50


def test_each_row_is_there_once_as_prompt_completion_and_end(tmp_path, tokenizer):
    rows = make_rows(300, weights=(1.0, 0.5, 0.25))
    path = write(tmp_path / "rows.parquet", rows)
    dataset, packed = packing.prepare(path, tokenizer, settings(), tmp_path)
    expected = []
    for row in rows:
        prompt = tokenizer(row["prompt"])["input_ids"]
        completion = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
        expected.append(((*prompt, *completion, 2), len(prompt), row["weight"]))
    assert sorted(split(dataset)) == sorted(expected)
    assert packed.tokens == sum(len(ids) for ids, _, _ in expected)
    assert packed.targets == sum(len(ids) - prompt for ids, prompt, _ in expected)
    assert (packed.rows, packed.sequences, packed.weighted) == (300, len(dataset), True)
    assert packed.sequences < 300 / 1.5


def test_without_packing_every_row_is_a_sequence_in_the_order_of_the_file(tmp_path, tokenizer):
    rows = make_rows(20)
    path = write(tmp_path / "rows.parquet", rows)
    dataset, packed = packing.prepare(path, tokenizer, settings(packing=False), tmp_path)
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in dataset["input_ids"]]
    assert texts == [row["prompt"] + row["completion"] for row in rows]
    assert not packed.weighted


def test_rows_that_do_not_fit_are_dropped_whole_and_counted(tmp_path, tokenizer):
    rows = make_rows(10)
    fits = {**rows[0], "prompt": "a" * 16, "completion": "b" * 78}  # 1 + 16 + 78 + 1 tokens
    too_long = {**fits, "completion": "b" * 79}
    path = write(tmp_path / "rows.parquet", [*rows, too_long, fits, too_long])
    dataset, packed = packing.prepare(path, tokenizer, settings(), tmp_path)
    assert (packed.rows, packed.dropped_long) == (11, 2)
    assert max(len(ids) for ids, _, _ in split(dataset)) == 96


@pytest.mark.parametrize(
    ("count", "length", "message"),
    [
        (0, 96, "no sample was accepted, .* at least one training row"),
        (5, 16, "finetune.max_length: all 5 training rows are longer than 16 tokens"),
    ],
)
def test_nothing_to_train_on_is_said(tmp_path, tokenizer, count, length, message):
    path = write(tmp_path / "rows.parquet", make_rows(count))
    with pytest.raises(UserError, match=message):
        packing.prepare(path, tokenizer, settings(max_length=length), tmp_path)


def test_a_resume_reads_what_was_packed_and_not_the_rows(tmp_path, tokenizer):
    path = write(tmp_path / "rows.parquet", make_rows(50))
    dataset, packed = packing.prepare(path, tokenizer, settings(), tmp_path)
    path.unlink()
    again, packed_again = packing.prepare(path, tokenizer, settings(), tmp_path)
    assert (again[:], packed_again) == (dataset[:], packed)


def test_packing_that_was_cut_short_is_done_again(tmp_path, tokenizer):
    path = write(tmp_path / "rows.parquet", make_rows(50))
    dataset, packed = packing.prepare(path, tokenizer, settings(), tmp_path / "whole")
    folder = tmp_path / "cut" / "packed"
    folder.mkdir(parents=True)
    whole = (tmp_path / "whole" / "packed" / "sequences.arrow").read_bytes()
    (folder / "sequences.arrow").write_bytes(whole[: len(whole) // 2])
    (folder / "packed.tmp").write_text("{")
    again, packed_again = packing.prepare(path, tokenizer, settings(), tmp_path / "cut")
    assert (again[:], packed_again) == (dataset[:], packed)


def test_sequences_do_not_depend_on_the_size_of_batches(tmp_path, tokenizer, monkeypatch):
    path = write(tmp_path / "rows.parquet", make_rows(100, weights=(1.0, 0.5)))
    dataset, _ = packing.prepare(path, tokenizer, settings(), tmp_path / "large", seed=4)
    monkeypatch.setattr(packing, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(packing, "CHUNK_TOKENS", 100)
    small, _ = packing.prepare(path, tokenizer, settings(), tmp_path / "small", seed=4)
    assert small[:] == dataset[:]
