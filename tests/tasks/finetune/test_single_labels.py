"""KTO: the loss by hand, the other prompts of a batch, and that a fine-tune repeats and resumes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.errors import UserError
from tasks.finetune.single_labels import label_weights, mismatched
from tasks.finetune.trainer import train
from tasks.rows import LABELLED, write_rows
from tests.tasks.finetune.finetune_parts import FORKS, grade, make_job, make_start, train_until
from tests.tasks.finetune.test_preference import digests

pytestmark = pytest.mark.engine
PLAIN = {"checks": 0, "schedule": "constant", "warmup": 0.0, "beta": 0.3, "improve": "kto"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def rows_of(count: int) -> list[dict[str, object]]:
    """Sums, right and wrong in turn."""
    return [
        {
            "prompt": f"what is {n} + {n}?\n",
            "completion": f"{2 * n}." if n % 2 else f"{n} is no answer.",
            "weight": 1.0,
            "problem_id": str(n),
            "index": 0,
            "samples": "key",
            "label": bool(n % 2),
        }
        for n in range(count)
    ]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    write_rows(path, LABELLED, rows)
    return path


def job(start: Path, rows: Path, work: Path, **settings: object) -> dict[str, object]:
    made = make_job(start, rows, work, **{**PLAIN, "learning_rate": 1e-3, **settings})
    made["resources"]["train_batch_size"] = 8
    return made


def log_probability(folder: Path, prompt: str, completion: str) -> float:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    before = tokenizer(prompt)["input_ids"]
    after = [*tokenizer(completion, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
    return float(logits.log_softmax(-1).gather(1, torch.tensor(after)[:, None]).sum())


def test_the_loss_is_equation_7_on_the_policys_own_logits(start: Path, tmp_path: Path) -> None:
    """One step of all rows at a constant rate; then the first loss of a second pass by hand."""
    rows = rows_of(4)
    path = write(tmp_path / "rows.parquet", rows)
    train(job(start, path, tmp_path / "one", epochs=1.0, batch_size=4), grade)
    reply = train(job(start, path, tmp_path / "two", epochs=2.0, batch_size=4), grade)
    after = tmp_path / "one" / "out"

    def moved(prompt: str, completion: str) -> float:
        return log_probability(after, prompt, completion) - log_probability(
            start, prompt, completion
        )

    from tasks.finetune.common import Order

    order = Order(4, 3)
    order.set_epoch(1)
    batch = [rows[place] for place in order]
    kl = sum(
        moved(str(row["prompt"]), str(batch[place - 1]["completion"]))
        for place, row in enumerate(batch)
    )
    z = max(0.0, kl / 4)
    expected = 0.0
    for row in rows:
        r = moved(str(row["prompt"]), str(row["completion"]))
        apart = r - z if row["label"] else z - r
        expected += (1 - 1 / (1 + math.exp(-0.3 * apart))) / 4
    first, second = (entry["loss"] for entry in reply["history"])
    assert first == pytest.approx(0.5, abs=1e-5)
    assert second == pytest.approx(expected, abs=1e-4)


def test_each_row_gets_the_completion_before_it() -> None:
    rows = [{"completion_ids": [n]} for n in range(3)]
    assert [row["KL_completion_ids"] for row in mismatched(rows)] == [[2], [0], [1]]


@pytest.mark.parametrize(("right", "wrong"), [(1, 1), (3, 9), (10, 4), (1, 1000)])
def test_both_kinds_count_the_same(right: int, wrong: int) -> None:
    desirable, undesirable = label_weights(right, wrong)
    assert desirable * right == pytest.approx(undesirable * wrong)
    assert min(desirable, undesirable) == 1.0


def test_right_samples_become_likelier_than_wrong_ones(start: Path, tmp_path: Path) -> None:
    rows = rows_of(16)
    path = write(tmp_path / "rows.parquet", rows)
    train(job(start, path, tmp_path, epochs=6.0, batch_size=8, learning_rate=3e-3), grade)

    def change(label: bool) -> float:
        some = [row for row in rows if row["label"] is label]
        return sum(
            log_probability(tmp_path / "out", str(row["prompt"]), str(row["completion"]))
            - log_probability(start, str(row["prompt"]), str(row["completion"]))
            for row in some
        ) / len(some)

    assert change(True) > change(False) + 1


def test_a_killed_fine_tune_ends_with_the_same_bytes(start: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", rows_of(16))
    settings = {"epochs": 3.0, "batch_size": 4, "checks": 3}
    train(job(start, path, tmp_path / "whole", **settings), grade)
    made = job(start, path, tmp_path / "cut", **settings)
    process = FORKS.Process(target=train_until, args=(made, "step", 5))
    process.start()
    process.join()
    train(made, grade)
    assert digests(tmp_path / "cut" / "out") == digests(tmp_path / "whole" / "out")


def test_wrong_samples_alone_are_refused(start: Path, tmp_path: Path) -> None:
    rows = [row for row in rows_of(8) if not row["label"]]
    with pytest.raises(UserError, match="right and wrong"):
        train(job(start, write(tmp_path / "rows.parquet", rows), tmp_path, batch_size=4), grade)
