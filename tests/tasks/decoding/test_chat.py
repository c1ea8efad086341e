"""Prompts through a chat template: what is asked is what is trained on, for every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.decoding.chat import Chat
from tasks.decoding.decode import decode
from tasks.decoding.prefill import Prompts
from tasks.decoding.request import Sampling
from tasks.decoding.stops import Stops
from tasks.decoding.trained_ids import TrainedIds
from tasks.errors import UserError
from tasks.finetune.packing import prepare
from tasks.finetune.pairs import pack
from tasks.finetune.supervised import IGNORED, Collator
from tasks.prompts import PromptChoice, load_template
from tasks.rows import PAIR, TRAINING, write_rows
from tasks.settings import FinetuneSettings
from tests.tasks.chat_parts import FAMILIES, WILD, save, tokenizer
from tests.tasks.decoding.decoding_parts import save as save_plain

QUESTION = "A box holds 17 marbles, and 4 are lost. How many are left?"
SOLUTIONS = ("17 - 4 = 13 marbles are left.", "<think>\n17 - 4\n</think>\n\n13")
EXEMPLARS = """
name = "shown"
form = "chat"
query = "{question}"
system = "You solve word problems."
exemplars = [{question = "1 + 1?", solution = "2"}, {question = "2 + 2?", solution = "4"}]
"""


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy of every family."""
    return {name: save(tmp_path_factory.mktemp(name), name) for name in FAMILIES}


def chat(folder: Path, name: str = "chat", **said: str) -> Chat:
    return Chat(folder, load_template(PromptChoice(name, **said)))  # type: ignore[arg-type]


def training_rows(path: Path, prompt: str) -> Path:
    rows = [
        {"prompt": prompt, "completion": text, "weight": 1.0, "problem_id": "p", "index": i}
        for i, text in enumerate(SOLUTIONS)
    ]
    write_rows(path, TRAINING, [{**row, "samples": ""} for row in rows])
    return path


@pytest.mark.parametrize("name", FAMILIES)
def test_a_training_row_begins_with_the_prompt_as_sampled_and_ends_with_the_turn(
    policies, name, tmp_path
):
    folder = policies[name]
    model, own = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = chat(folder)
    prompt = asked.render(QUESTION, 0)
    (sampled,) = Prompts(model, own, asked.ids([prompt])).ids
    rows = training_rows(tmp_path / "rows.parquet", prompt)
    settings = FinetuneSettings(max_length=10_000, packing=False)
    dataset, _ = prepare(rows, own, settings, tmp_path, chat=True)
    sampling = asked.sampling(Sampling())
    stops = Stops(model, own, sampling.stop, sampling.ends, special=sampling.special)
    for row, solution in zip(dataset, SOLUTIONS, strict=True):
        assert row["input_ids"][: len(sampled)] == sampled
        labels = Collator(weighted=False)([row])["labels"][0].tolist()
        assert labels[: len(sampled)] == [IGNORED] * len(sampled)
        *completion, last = labels[len(sampled) :]
        assert own.convert_ids_to_tokens(last) == FAMILIES[name].turn
        # Sampling would go on up to the turn's end, and give the text that is trained on.
        assert stops.ended(np.array([*completion, last])).tolist() == [
            *[False] * len(completion),
            True,
        ]
        if FAMILIES[name].metaspace is None:
            assert stops.texts([completion]) == [solution]


@pytest.mark.parametrize("name", ["gemma", "phi"])  # whose turns end otherwise than their texts
def test_both_sides_of_a_pair_are_answers_to_the_prompt_as_sampled(policies, name, tmp_path):
    own, asked = tokenizer(name), chat(policies[name])
    prompt = asked.render(QUESTION, 0)
    row = {"prompt": prompt, "completion": "13", "weight": 1.0, "problem_id": "p", "index": 0}
    wrong = {"rejected": "12", "rejected_index": 1, "rejected_samples": ""}
    write_rows(tmp_path / "rows.parquet", PAIR, [{**row, "samples": "", **wrong}])
    settings = FinetuneSettings(max_length=10_000)
    ids = TrainedIds(own, chat=True)
    pack(tmp_path / "rows.parquet", ids, settings, tmp_path, tmp_path / "pairs", 0)
    (made,) = Dataset.from_file(str(tmp_path / "pairs"))
    assert [made["prompt_ids"]] == asked.ids([prompt])
    for side, text in (("chosen_ids", "13"), ("rejected_ids", "12")):
        assert made[side] == [*own(text, add_special_tokens=False)["input_ids"], *asked.ends]


@pytest.mark.parametrize("name", FAMILIES)
def test_tokens_are_those_of_the_library_with_one_begin_and_no_end(policies, name):
    asked, own = chat(policies[name]), tokenizer(name)
    (ids,) = asked.ids([asked.render(QUESTION, 0)])
    said = [{"role": "user", "content": QUESTION}]
    dated = own.chat_template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")
    assert ids == own.apply_chat_template(
        said, add_generation_prompt=True, return_dict=False, chat_template=dated
    )
    if own.bos_token_id is not None:
        assert ids.count(own.bos_token_id) == 1
    assert ids[-1] not in asked.ends


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].system])
def test_exemplars_are_turns_behind_the_system_text(policies, name, tmp_path):
    path = tmp_path / "shown.toml"
    path.write_text(EXEMPLARS)
    asked = chat(policies[name], str(path))
    shown = asked.render(QUESTION, 1)
    places = [shown.index(text) for text in ("You solve", "1 + 1?", "2", QUESTION)]
    assert places[0] < places[1] < places[3] and "2 + 2?" not in shown
    assert asked.render(QUESTION, 2).count(FAMILIES[name].turn) > shown.count(FAMILIES[name].turn)
    # The configuration's system text stands in the place of the template's.
    other = chat(policies[name], str(path), system="Be brief.").render(QUESTION, 1)
    assert "Be brief." in other and "You solve" not in other


PIECES = sorted({text for one in FAMILIES.values() for text in (*one.special, *one.added)})


@pytest.mark.parametrize("name", FAMILIES)
@settings(deadline=None, max_examples=40)
@given(parts=st.lists(st.one_of(st.text(max_size=8), st.sampled_from(PIECES)), max_size=6))
def test_no_question_speaks_for_the_template(name, parts, chats):
    question = "".join(parts) + "?"
    asked, own = chats[name], tokenizer(name)
    control = set(own.convert_tokens_to_ids(list(FAMILIES[name].special)))
    plain, odd = asked.ids([asked.render("?", 0), asked.render(question, 0)])
    assert [one for one in odd if one in control] == [one for one in plain if one in control]


@pytest.fixture(scope="session")
def chats(policies):
    """What asks them, its tokenizer loaded once for all examples."""
    return {name: chat(folder) for name, folder in policies.items()}


REFUSED = [
    ("gemma", {"system": "Be brief."}, r"^model\.system: .*no system text \(There is no system"),
    ("gemma", {"thinking": "on"}, r"^model\.thinking: on: .* expected default$"),
    ("phi", {"thinking": "off"}, r"^model\.thinking: off: "),
]


@pytest.mark.parametrize(("name", "said", "expected"), REFUSED)
def test_what_a_template_does_not_take_is_one_line(policies, name, said, expected):
    with pytest.raises(UserError, match=expected) as caught:
        chat(policies[name], **said).render(QUESTION, 0)
    assert "\n" not in str(caught.value)


def with_template(folder: Path, template: str) -> Path:
    """A tokenizer with another chat template than any family's."""
    own, before = tokenizer("qwen25"), tokenizer("qwen25").chat_template
    try:
        own.chat_template = template
        own.save_pretrained(folder)
    finally:
        own.chat_template = before
    return folder


ONE_TURN = (
    "{% if messages|length > 1 %}{{ raise_exception('one') }}{% endif %}{{ messages[0].content }}"
)


def test_exemplars_that_a_template_does_not_take_are_named(tmp_path):
    path = tmp_path / "shown.toml"
    path.write_text(EXEMPLARS.replace('system = "You solve word problems."\n', ""))
    asked = chat(with_template(tmp_path / "policy", ONE_TURN), str(path))
    with pytest.raises(UserError, match=r"^model\.shots: .*\(one\); expected 0$"):
        asked.render(QUESTION, 1)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (ONE_TURN, r"^model\.prompt: .* renders no answer \(one\)"),
        ("{{ nothing.at.all }}", r"^model\.prompt: .* does not render chat \("),
        ("{{ messages[0].role }}", r"^model\.prompt: .* leaves out the user text of chat$"),
    ],
)
def test_a_template_that_renders_no_conversation_is_one_line(tmp_path, template, expected):
    asked = chat(with_template(tmp_path, template))
    with pytest.raises(UserError, match=expected) as caught:
        asked.render(QUESTION, 0)
        assert asked.ends
    assert "\n" not in str(caught.value)


def test_an_exemplar_may_lose_its_thoughts_and_a_system_text_may_not_be_lost(policies, tmp_path):
    path = tmp_path / "shown.toml"
    path.write_text(EXEMPLARS.replace('"2"', '"<think>\\na\\n</think>\\n\\n2"'))
    shown = chat(policies["qwen3"], str(path)).render(QUESTION, 1)
    assert "</think>" not in shown and "assistant\n2<|im_end|>" in shown
    users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    with pytest.raises(UserError, match=r"leaves out the system text of chat; expected model\.sys"):
        chat(with_template(tmp_path / "policy", users), system="Be brief.").render(QUESTION, 0)


def test_a_model_without_a_template_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^model\.prompt: chat needs a model with a chat template"):
        chat(save_plain(tmp_path))


@pytest.mark.parametrize("said", [{"system": "Be brief."}, {"thinking": "on"}])
def test_prompts_of_text_take_nothing_of_a_chats(said):
    field = next(iter(said))
    with pytest.raises(UserError, match=rf"^model\.{field}: gsm8k makes prompts of text"):
        load_template(PromptChoice("gsm8k", **said))


def test_thinking_is_asked_for_as_the_template_knows_it(policies):
    shown = {
        how: chat(policies["qwen3"], thinking=how).render(QUESTION, 0)
        for how in ("default", "on", "off")
    }
    assert shown["on"] == shown["default"] and shown["off"].endswith("<think>\n\n</think>\n\n")


def test_the_date_that_a_template_shows_stands_still(policies):
    assert "Today Date: 26 Jul 2024\n" in chat(policies["llama3"]).render(QUESTION, 0)


def test_the_digest_tells_what_is_said_of_prompts():
    choices = (
        PromptChoice("chat"),
        PromptChoice("chat", system="Be brief."),
        PromptChoice("chat", thinking="on"),
        PromptChoice("chat", thinking="off"),
    )
    assert len({load_template(one).digest for one in choices}) == len(choices)
    assert [PromptChoice.of(one.hints()) for one in choices] == list(choices)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_models_own_defaults_change_no_sample(policies, tmp_path, temperature):
    wild = save(tmp_path, "gemma", WILD)
    asked = chat(policies["gemma"])
    prompts = asked.ids([asked.render(QUESTION, 0), asked.render("2 + 2?", 0)])
    sampling = asked.sampling(Sampling(temperature=temperature, max_tokens=12))
    requests = [(i % 2, i) for i in range(16)]
    found = [
        decode(
            AutoModelForCausalLM.from_pretrained(folder).eval(),
            AutoTokenizer.from_pretrained(folder),
            prompts,
            requests,
            sampling,
            batch_size=16,
        )
        for folder in (policies["gemma"], wild)
    ]
    assert found[0] == found[1]
    assert "stop" in {one.finish for one in found[0]} or temperature == 0
