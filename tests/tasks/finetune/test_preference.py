"""DPO fine-tunes: the loss, what training does to the margin, and that they repeat and resume."""

import hashlib
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.decoding.trained_ids import TrainedIds
from tasks.errors import UserError
from tasks.finetune.pairs import pack
from tasks.finetune.trainer import train
from tasks.paths import ROOT
from tasks.problems.synthetic_math import load_split
from tasks.prompts import load_template
from tasks.rows import PAIR, write_rows
from tasks.settings import FinetuneSettings
from tests.tasks.finetune.finetune_parts import FORKS, grade, make_job, make_start, train_until

pytestmark = pytest.mark.engine

LORA = {"method": "lora", "lora_rank": 4, "lora_alpha": 8, "learning_rate": 0.01}
TINY = ROOT / "models" / "tiny-math"


def pair(prompt, chosen, rejected):
    return {
        **{"prompt": prompt, "completion": chosen, "rejected": rejected, "weight": 1.0},
        **{"problem_id": prompt, "index": 0, "rejected_index": 1},
        **{"samples": "key", "rejected_samples": "key"},
    }


def write(path: Path, rows) -> Path:
    write_rows(path, PAIR, rows)
    return path


def sums(count: int) -> list[dict]:
    """Pairs of right and wrong sums, of several lengths."""
    return [
        pair(f"what is {n} + {n}?\n" + "so " * (n % 4), f"{2 * n}.", f"{n} is no answer.")
        for n in range(count)
    ]


def make_pairs_job(start, rows, work, **settings):
    return make_job(start, rows, work, **{"improve": "dpo", "learning_rate": 1e-3, **settings})


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def margin(folder: Path, rows) -> float:
    """Mean of log p(chosen) - log p(rejected), ends included, from the model's own logits."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = _tokenizer(folder)

    def log_probability(prompt: str, completion: str) -> float:
        before = tokenizer(prompt)["input_ids"]
        after = tokenizer(completion, add_special_tokens=False)["input_ids"]
        after = [*after, tokenizer.eos_token_id]
        with torch.no_grad():
            logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        return float(logits.log_softmax(-1).gather(1, torch.tensor(after)[:, None]).sum())

    return sum(
        log_probability(row["prompt"], row["completion"])
        - log_probability(row["prompt"], row["rejected"])
        for row in rows
    ) / len(rows)


def _tokenizer(folder: Path):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def test_preference_raises_the_margin_of_the_tiny_model(tmp_path):
    template = load_template("tiny_math")
    problems = [row for row, _ in zip(load_split("train"), range(48), strict=False)]
    rows = [
        pair(template.render(one["question"], 0), one["solution"], other["solution"])
        for one, other in pairwise(problems)
    ]
    path = write(tmp_path / "rows.parquet", rows)
    job = make_pairs_job(TINY, path, tmp_path, checks=0, learning_rate=1e-4, max_length=256)
    reply = train(job, grade)
    assert margin(tmp_path / "out", rows) > margin(TINY, rows) + 1
    losses = [entry["loss"] for entry in reply["history"]]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_loss_is_that_of_the_paper_against_the_start(start, tmp_path, settings):
    """One step at a constant rate; then the first loss of a second pass is equation 7 by hand."""
    rows = sums(4)
    path = write(tmp_path / "rows.parquet", rows)
    plain = {"checks": 0, "schedule": "constant", "warmup": 0.0, "beta": 0.3, **settings}
    train(make_pairs_job(start, path, tmp_path / "one", epochs=1.0, **plain), grade)
    reply = train(make_pairs_job(start, path, tmp_path / "two", epochs=2.0, **plain), grade)
    after = tmp_path / "one" / "out"
    expected = 0.0
    for row in rows:
        moved = margin(after, [row]) - margin(start, [row])
        expected += math.log1p(math.exp(-0.3 * moved)) / len(rows)
    first, second = (entry["loss"] for entry in reply["history"])
    assert first == pytest.approx(math.log(2), abs=1e-5)
    assert second == pytest.approx(expected, abs=1e-4)
    assert second < first - 1e-2


@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_same_job_gives_the_same_bytes(start, tmp_path, settings, capfd):
    path = write(tmp_path / "rows.parquet", sums(22))
    replies, outs = [], []
    for name in ("a", "b"):
        reply = train(make_pairs_job(start, path, tmp_path / name, **settings), grade)
        reply.pop("seconds")
        replies.append(reply)
        outs.append(digests(tmp_path / name / "out"))
    assert replies[0] == replies[1]
    assert outs[0] == outs[1]
    assert outs[0]["model.safetensors"] != digests(start)["model.safetensors"]
    assert outs[0].keys() == digests(start).keys()
    assert capfd.readouterr().out == ""


def test_a_killed_fine_tune_goes_on_from_its_checkpoint(start, tmp_path):
    path = write(tmp_path / "rows.parquet", sums(22))
    whole = train(make_pairs_job(start, path, tmp_path / "whole"), grade)
    job = make_pairs_job(start, path, tmp_path / "killed")
    child = FORKS.Process(target=train_until, args=(job, "step", 5))
    child.start()
    child.join(120)
    assert child.exitcode == -9
    done: list[int] = []
    reply = train(job, grade, lambda step, _: done.append(step))
    assert done[0] > 1
    assert reply["history"] == whole["history"]
    assert digests(tmp_path / "killed" / "out") == digests(tmp_path / "whole" / "out")


def test_tokens_are_those_of_sampling_and_long_pairs_are_dropped(start, tmp_path):
    import datasets

    rows = [*sums(5), pair("what is 1?\n", "1.", "so " * 90), pair("so " * 90, "1.", "2.")]
    path = write(tmp_path / "rows.parquet", rows)
    tokenizer, settings = _tokenizer(start), FinetuneSettings(max_length=96)
    packed = pack(path, TrainedIds(tokenizer), settings, tmp_path, tmp_path / "pairs.arrow", 0)
    found = list(datasets.Dataset.from_file(str(tmp_path / "pairs.arrow")))
    assert (packed.rows, packed.dropped_long, packed.sequences) == (5, 2, 5)
    sides = 0
    for row, made in zip(rows, found, strict=False):
        assert made["prompt_ids"] == tokenizer(row["prompt"])["input_ids"]
        for name, text in (("chosen_ids", row["completion"]), ("rejected_ids", row["rejected"])):
            plain = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert made[name] == [*plain, tokenizer.eos_token_id]
            sides += len(made[name])
    assert packed.targets == sides
    assert packed.tokens == sides + 2 * sum(len(made["prompt_ids"]) for made in found)


def test_nothing_to_train_on_is_said(start, tmp_path):
    empty = write(tmp_path / "empty.parquet", [])
    with pytest.raises(UserError, match=r"^finetune: no problem has a correct and a wrong"):
        train(make_pairs_job(start, empty, tmp_path / "a"), grade)
    long = write(tmp_path / "long.parquet", sums(3))
    with pytest.raises(UserError, match=r"^finetune\.max_length: all 3 pairs"):
        train(make_pairs_job(start, long, tmp_path / "b", max_length=16), grade)
