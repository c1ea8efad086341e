"""DPO on soft labels: the loss by hand, what p does to a policy, and that it resumes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tasks.finetune.soft_preference import soft_loss
from tasks.finetune.trainer import train
from tasks.rows import SOFT_PAIR, Row, write_rows
from tests.tasks.finetune.finetune_parts import FORKS, grade, make_start, train_until
from tests.tasks.finetune.test_preference import (
    LORA,
    digests,
    make_pairs_job,
    margin,
    sums,
    write,
)

PLAIN = {"checks": 0, "schedule": "constant", "warmup": 0.0, "beta": 0.3}


def test_the_loss_is_that_of_a_hand_computation() -> None:
    apart, p = torch.tensor([0.7, -1.2, 0.0]), torch.tensor([0.9, 0.6, 0.5])
    each = []
    for d, q in zip(apart.tolist(), p.tolist(), strict=True):
        likely = 1 / (1 + math.exp(-d))
        each.append(-q * math.log(likely) - (1 - q) * math.log(1 - likely))
    assert soft_loss(apart, p).item() == pytest.approx(sum(each) / 3, abs=1e-6)


def test_it_is_the_mean_of_both_hard_losses_by_p() -> None:
    apart, p = torch.tensor([0.7, -1.2], dtype=torch.float64), torch.tensor([0.9, 0.6])
    hard = torch.log1p(torch.exp(-apart)), torch.log1p(torch.exp(apart))
    mean = (p * hard[0] + (1 - p) * hard[1]).mean()
    assert soft_loss(apart, p).item() == pytest.approx(mean.item(), abs=1e-6)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def soft(rows: list[Row], *labels: float) -> list[Row]:
    return [{**row, "p": labels[n % len(labels)]} for n, row in enumerate(rows)]


def write_soft(path: Path, rows: list[Row]) -> Path:
    write_rows(path, SOFT_PAIR, rows)
    return path


def make_soft_job(start: Path, rows: Path, work: Path, **settings: object) -> dict[str, object]:
    return make_pairs_job(start, rows, work, pairs="preferences", **settings)


@pytest.mark.engine
@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_loss_of_a_trained_policy_is_the_formula_on_its_own_logits(
    start: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    """One step at a constant rate; then the first loss of a second pass is the formula by hand."""
    rows = soft(sums(4), 1.0, 0.8, 0.5)
    path = write_soft(tmp_path / "rows.parquet", rows)
    plain = {**PLAIN, **settings}
    train(make_soft_job(start, path, tmp_path / "one", epochs=1.0, **plain), grade)
    reply = train(make_soft_job(start, path, tmp_path / "two", epochs=2.0, **plain), grade)
    expected = 0.0
    for row in rows:
        moved = 0.3 * (margin(tmp_path / "one" / "out", [row]) - margin(start, [row]))
        likely, p = 1 / (1 + math.exp(-moved)), row["p"]
        expected -= (p * math.log(likely) + (1 - p) * math.log(1 - likely)) / len(rows)
    first, second = (entry["loss"] for entry in reply["history"])
    assert first == pytest.approx(math.log(2), abs=1e-5)
    assert second == pytest.approx(expected, abs=1e-4)
    assert abs(second - first) > 1e-2


@pytest.mark.engine
def test_sure_labels_train_as_hard_ones_do(start: Path, tmp_path: Path) -> None:
    hard = write(tmp_path / "hard.parquet", sums(8))
    sure = write_soft(tmp_path / "sure.parquet", soft(sums(8), 1.0))
    reply = train(make_pairs_job(start, hard, tmp_path / "hard", **PLAIN), grade)
    same = train(make_soft_job(start, sure, tmp_path / "sure", **PLAIN), grade)
    losses = [[entry["loss"] for entry in one["history"]] for one in (reply, same)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


@pytest.mark.engine
def test_a_pair_that_nobody_prefers_holds_the_policy_where_it_starts(
    start: Path, tmp_path: Path
) -> None:
    rows = sums(4)
    path = write_soft(tmp_path / "rows.parquet", soft(rows, 0.5))
    train(make_soft_job(start, path, tmp_path / "a", **PLAIN), grade)
    assert margin(tmp_path / "a" / "out", rows) == pytest.approx(margin(start, rows), abs=1e-3)


@pytest.mark.engine
def test_a_killed_fine_tune_goes_on_to_the_same_bytes(start: Path, tmp_path: Path) -> None:
    path = write_soft(tmp_path / "rows.parquet", soft(sums(22), 0.9, 0.6, 1.0))
    whole = train(make_soft_job(start, path, tmp_path / "whole"), grade)
    job = make_soft_job(start, path, tmp_path / "killed")
    child = FORKS.Process(target=train_until, args=(job, "step", 5))
    child.start()
    child.join(120)
    assert child.exitcode == -9
    done: list[int] = []
    reply = train(job, grade, lambda step, _: done.append(step))
    assert done[0] > 1
    assert reply["history"] == whole["history"]
    assert digests(tmp_path / "killed" / "out") == digests(tmp_path / "whole" / "out")
