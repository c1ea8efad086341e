"""A policy is trained on the prompt it is asked with, and to end where sampling stops."""

from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.decoding.prefill import Prompts
from tasks.decoding.stops import Stops
from tasks.finetune.packing import prepare
from tasks.finetune.supervised import IGNORED, Collator
from tasks.policy.step import MODELS
from tasks.prompts import TEMPLATES, PromptTemplate, load_template
from tasks.rows import SAMPLE, TRAINING, VERDICT, write_rows
from tasks.select.select import select
from tasks.settings import FilterSettings, FinetuneSettings
from tests.tasks.finetune.finetune_parts import make_start

NAMES = sorted(path.stem for path in TEMPLATES.glob("*.toml"))
# Chats are seen to in tests/tasks/decoding/test_chat.py.
SHIPPED = [name for name in NAMES if load_template(name).form == "text"]
QUESTION = "A box holds 17 marbles, and 4 are lost. How many are left?"
SOLUTIONS = (" 17 - 4 = 13 marbles are left. so 13.", "13")


@pytest.fixture(scope="module", params=["tiny-math", "tiny-code", "letters"])
def policy(request, tmp_path_factory):
    folder = MODELS / request.param
    if request.param == "letters":
        folder = make_start(tmp_path_factory.mktemp("letters"))
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def problem_of(template: PromptTemplate) -> dict:
    subject = min(template.subjects, default="")
    fields = {"solution": "", "level": "", "domain": "math", "reference": "13", "split": "train"}
    return {**fields, "id": "train/0", "question": QUESTION, "subject": subject}


def training_rows(folder: Path, template: PromptTemplate, problem: dict, shots: int) -> Path:
    """Samples of a problem through the selection, as the loop's step has it."""
    samples = [
        {
            "problem_id": problem["id"],
            "index": index,
            "seed": index,
            "text": text,
            "tokens": 9,
            "finish": "stop",
            "model": "m",
            "prompt": "p",
            "reward": 1.0,
            "status": "ok",
            "extracted": "13",
            "first_failure": -1,
        }
        for index, text in enumerate(SOLUTIONS)
    ]
    paths = folder / "samples.parquet", folder / "verdicts.parquet"
    write_rows(paths[0], SAMPLE, samples)
    write_rows(paths[1], VERDICT, samples)
    rows, _ = select(
        [(str(paths[0]), str(paths[1]), "key")],
        [problem],
        FilterSettings(),
        0,
        lambda one: template.render(one["question"], shots, one["subject"]),
    )
    write_rows(folder / "rows.parquet", TRAINING, rows)
    return folder / "rows.parquet"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_training_row_is_the_prompt_as_sampled_and_ends_where_sampling_stops(
    policy, name, tmp_path
):
    model, tokenizer = policy
    template = load_template(name)
    problem = problem_of(template)
    for shots in {0, template.shots}:
        work = tmp_path / str(shots)
        work.mkdir()
        path = training_rows(work, template, problem, shots)
        settings = FinetuneSettings(max_length=100_000, packing=False)
        dataset, packed = prepare(path, tokenizer, settings, work)
        assert packed.rows == len(SOLUTIONS)
        asked = template.render(problem["question"], shots, problem["subject"])
        prompt = Prompts(model, tokenizer, [asked]).ids[0]
        stops = Stops(model, tokenizer, template.stop)
        trained = []
        for row in dataset:
            # The prompt, token by token, and a loss for what follows it alone.
            assert row["input_ids"][: len(prompt)] == prompt
            labels = Collator(weighted=False)([row])["labels"][0].tolist()
            assert labels[: len(prompt)] == [IGNORED] * len(prompt)
            assert labels[len(prompt) :] == row["input_ids"][len(prompt) :]
            # Sampling would go on up to the row's last token, and there it would stop.
            *completion, last = labels[len(prompt) :]
            ended = stops.ended(np.array([*completion, last])).tolist()
            assert ended == [False] * len(completion) + [True]
            assert all(stops.cut(completion[:end]) is None for end in range(1, len(completion)))
            trained.append(stops.texts([completion])[0])
        assert sorted(trained) == sorted(SOLUTIONS)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_a_stop_string_cuts_off_is_what_a_training_row_ends_before(policy, name):
    model, tokenizer = policy
    template = load_template(name)
    stops = Stops(model, tokenizer, template.stop)
    assert template.stop
    for stop in template.stop:
        text = f"{SOLUTIONS[0]}{stop} And so on."
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        if tokenizer.decode(tokens) != text:
            continue  # letters of the stop string that this tokenizer does not know
        assert stops.suspect(np.array(tokens)).any()
        assert stops.cut(tokens) == SOLUTIONS[0]
