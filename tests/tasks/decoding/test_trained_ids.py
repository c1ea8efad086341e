"""What is trained on are the tokens that were sampled, for every kind of tokenizer."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.decoding.detokenizer import Detokenizer
from tasks.decoding.prompt_tokens import begin_ids, prompt_ids
from tasks.decoding.trained_ids import TrainedIds, ends_of
from tests.tasks.tokenizer_kinds import CODE, KINDS, LOSSLESS, TEXTS, tokenizer

END = 2  # "</s>"
PROMPTS = [
    "Q: What is 1 + 1?\nA:",
    "Q: What is 1 + 1?\nA: ",
    '"""Mean of values."""\n\n',
    "n = 1",
    "   ",
]
COMPLETIONS = [
    *("", " 2", "2", "\n2", "\n\n2", "  2", "\t2", "2\n", " ", "\n", "</s", "1a."),
    *(CODE, "    return 1\n", "\ndef f(n):\n    return n\n", TEXTS[2], "mean(values)"),
]
# What every kind can write, the one with a token for each of its characters too.
LETTERS = st.text(alphabet=sorted({*"".join(TEXTS[:3])} - {"\u2581"}), max_size=24)


def trained(
    name: str, prompt: str, text: str, ids: list[int] | None, finished: bool = True
) -> list[int]:
    made = TrainedIds(tokenizer(name))
    return made.completions([prompt], made.prompts([prompt]), [text], [ids], [finished])[0]


def in_context(name: str, prompt: str, text: str) -> None:
    ids = trained(name, prompt, text, None)
    assert ids[-1] == END and END not in ids[:-1]
    shown = Detokenizer(tokenizer(name))
    assert shown.text(ids[:-1]) == text
    # As it is read behind its own prompt.
    (begin,) = TrainedIds(tokenizer(name)).prompts([prompt])
    assert shown.text([*begin, *ids[:-1]]) == shown.text(begin) + text


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", LOSSLESS)
def test_a_text_reads_the_same_behind_its_prompt(name, prompt):
    for text in COMPLETIONS:
        in_context(name, prompt, text)


@pytest.mark.parametrize("name", LOSSLESS)
@settings(deadline=None, max_examples=40)
@given(prompt=LETTERS, text=LETTERS)
def test_any_text_reads_the_same_behind_any_prompt(name, prompt, text):
    in_context(name, f"Q{prompt}", text)


@pytest.mark.parametrize("name", KINDS)
def test_a_text_that_meets_its_prompt_at_a_token_has_the_tokens_of_both_together(name):
    made, prompt, text = tokenizer(name), PROMPTS[0], " 17 - 4 = 13."
    (begin,), (both,) = prompt_ids(made, [prompt]), prompt_ids(made, [prompt + text])
    assert both[: len(begin)] == begin
    assert [*begin, *trained(name, prompt, text, None)] == [*both, END]


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_program_still_compiles_after_training(name):
    ids = trained(name, PROMPTS[2], CODE, None)
    compile(Detokenizer(tokenizer(name)).text(ids[:-1]), "program", "exec")


def drawn(name: str, seed: int) -> list[int]:
    """Tokens as a random policy draws them: no tokenizer writes their text so."""
    draw = random.Random(f"{name}{seed}")
    count = len(tokenizer(name))
    return [one for one in draw.choices(range(count), k=12) if one not in (0, 1, END)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", KINDS)
def test_a_sample_is_trained_on_as_it_was_drawn(name, seed):
    ids = drawn(name, seed)
    text = Detokenizer(tokenizer(name)).text(ids)
    assert trained(name, PROMPTS[0], text, [*ids, END]) == [*ids, END]
    # Of one that was cut off at the limit no end was drawn, whatever its last token is.
    for last in ([], [1]):
        assert trained(name, PROMPTS[0], text, [*ids, *last], False) == [*ids, *last]


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_sample_that_a_stop_text_cut_has_the_tokens_before_it(name):
    made, shown = tokenizer(name), Detokenizer(tokenizer(name))
    (before,) = made(["x = 1 +"], add_special_tokens=False)["input_ids"]
    (stop,) = made(["Q:"], add_special_tokens=False)["input_ids"]
    ids = [*before, *before, *stop]
    text = shown.text([*before, *before])
    assert shown.text(ids) != text
    assert trained(name, PROMPTS[0], text, ids) == [*before, *before, END]


@pytest.mark.parametrize("name", LOSSLESS)
def test_thoughts_that_are_dropped_take_their_tokens_with_them(name):
    made, shown = tokenizer(name), Detokenizer(tokenizer(name))
    thoughts, answer, stop = (
        made(text, add_special_tokens=False)["input_ids"] for text in ("a + n", "a = n", "Q:")
    )
    text = shown.text([*thoughts, *answer])[len(shown.text(thoughts)) :]
    assert trained(name, PROMPTS[0], text, [*thoughts, *answer, END]) == [*answer, END]
    assert trained(name, PROMPTS[0], text, [*thoughts, *answer, *stop]) == [*answer, END]


@pytest.mark.parametrize("name", ["llama2", "gemma", "unigram", "gpt2", "llama3"])
def test_a_cut_inside_a_token_is_a_text_in_context(name):
    made, shown = tokenizer(name), Detokenizer(tokenizer(name))
    (before, last) = made(["x =", "return"], add_special_tokens=False)["input_ids"]
    place = next(i for i, one in enumerate(last) if len(shown.text([one]).strip()) > 1)
    ids = [*before, *last[: place + 1]]
    text = shown.text(ids)[:-1]
    assert text.startswith(shown.text(before))
    assert trained(name, PROMPTS[0], text, ids) == trained(name, PROMPTS[0], text, None)


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_text_that_was_cut_off_has_no_end(name):
    ended = trained(name, PROMPTS[0], " so 1", None)
    assert trained(name, PROMPTS[0], " so 1", None, False) == ended[:-1]


def test_tokens_of_another_vocabulary_are_not_taken():
    text = "The answer is 42."
    other = tokenizer("llama2")(text, add_special_tokens=False)["input_ids"]
    expected = trained("gpt2", PROMPTS[0], text, None)
    for ids in (other, [*other, END], [100_000, 200_000], [-1]):
        assert trained("gpt2", PROMPTS[0], text, ids) == expected


def test_an_end_of_another_policy_becomes_ones_own():
    made = tokenizer("phi3")
    turn = made.convert_tokens_to_ids("<|end|>")
    ids = made("13", add_special_tokens=False)["input_ids"]
    text = Detokenizer(made).text(ids)
    assert trained("phi3", PROMPTS[0], text, [*ids, turn]) == [*ids, END]
    own = TrainedIds(made, ends=[turn])  # but where the policy's own texts end so
    begins = own.prompts(PROMPTS[:1])
    assert own.completions(PROMPTS[:1], begins, [text], [[*ids, turn]], [True]) == [[*ids, turn]]


def test_bytes_that_are_no_character_cost_no_token():
    made = tokenizer("gpt2")
    (half,) = made(["é"], add_special_tokens=False)["input_ids"]
    ids = [*made("so 1", add_special_tokens=False)["input_ids"], *half[:1]]
    if len(half) == 1:
        ids = [*ids[:-1], made.convert_tokens_to_ids("Ã")]
    # An engine may show the half of a character, or leave it out.
    for text in ("so 1\ufffd", "so 1"):
        assert trained("gpt2", PROMPTS[0], text, [*ids, END]) == [*ids, END]


@dataclass(frozen=True)
class Folder:
    """What configurations say of the end, and what that makes."""

    said: dict[str, object]
    ends: tuple[int, ...]


FOLDERS = [
    Folder({}, ()),
    Folder({"config.json": {"eos_token_id": 2}}, (2,)),
    Folder({"generation_config.json": {"eos_token_id": [7, 5]}, "config.json": {}}, (5, 7)),
    Folder({"generation_config.json": {"eos_token_id": None}}, ()),
]


@pytest.mark.parametrize("case", FOLDERS)
def test_the_ends_of_a_policy_are_those_of_its_configuration(case, tmp_path):
    for name, said in case.said.items():
        (tmp_path / name).write_text(json.dumps(said))
    assert ends_of(tmp_path) == case.ends


@pytest.mark.parametrize("name", KINDS)
def test_a_prompt_begins_once_and_does_not_end(name):
    made, kind = tokenizer(name), KINDS[name]
    begin = [made.bos_token_id] if kind.begins else []
    assert begin_ids(made) == begin
    for prompt in (PROMPTS[0], "<s>" + PROMPTS[0]):
        (ids,) = prompt_ids(made, [prompt])
        assert ids.count(made.bos_token_id) == int(kind.begins or prompt.startswith("<s>"))
        assert made.eos_token_id not in ids
        assert ids[: len(begin)] == begin
    (chat,) = prompt_ids(made, ["<s>" + PROMPTS[0]], chat=True)
    assert (chat.count(made.bos_token_id), chat.count(made.eos_token_id)) == (1, 0)


def test_tokens_are_given_back_as_they_are():
    assert prompt_ids(tokenizer("adds-end"), [[5, 6], "n"])[0] == [5, 6]
