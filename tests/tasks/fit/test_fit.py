"""Reward models: the loss by hand, what they learn, and the same bytes after a kill."""

from __future__ import annotations

import hashlib
import math
import random
from pathlib import Path

import pytest
import torch

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.errors import UserError
from tasks.evaluate.reward_model import model_accuracy
from tasks.fit.results import FitFacts
from tasks.fit.soft_labels import soft_loss
from tasks.fit.trainer import fit
from tasks.paths import MODELS
from tasks.rows import HELD_OUT_FILE, PREFERENCE, SAMPLE, read_rows, write_rows
from tasks.settings import Resources

SETTINGS = {
    "by": "model",
    "epochs": 2.0,
    "learning_rate": 1e-3,
    "batch_size": 16,
    "max_length": 64,
    "held_out": 0.3,
    "checks": 2,
}
PROBLEMS = 160


def test_the_loss_is_that_of_a_hand_computation() -> None:
    first, second = torch.tensor([1.5, -0.2]), torch.tensor([0.3, 0.4])
    p = torch.tensor([0.8, 0.25])
    each = []
    for r1, r2, q in zip(first.tolist(), second.tolist(), p.tolist(), strict=True):
        likely = 1 / (1 + math.exp(-(r1 - r2)))
        loss = -q * math.log(likely) - (1 - q) * math.log(1 - likely)
        each.append(loss + 0.01 * (r1 + r2) ** 2)
    assert soft_loss(first, second, p, 0.01).item() == pytest.approx(sum(each) / 2, abs=1e-6)


def test_a_sure_label_has_the_usual_loss() -> None:
    first, second = torch.tensor([0.7]), torch.tensor([-0.4])
    usual = -math.log(1 / (1 + math.exp(-1.1)))
    assert soft_loss(first, second, torch.ones(1)).item() == pytest.approx(usual, abs=1e-6)
    assert soft_loss(second, first, torch.zeros(1)).item() == pytest.approx(usual, abs=1e-6)


def _job(tmp_path: Path, **changes: object) -> dict[str, object]:
    """Samples that are answers from 0 to 9; the preference is for the larger one."""
    draw = random.Random(0)
    samples, rows = [], []
    for n in range(PROBLEMS):
        low, high = sorted(draw.sample(range(10), 2))
        swapped = draw.random() < 0.5
        for index, answer in enumerate((high, low) if swapped else (low, high)):
            samples.append(
                {"problem_id": f"p{n}", "index": index, "seed": 0, "text": f"#### {answer}"}
                | {"tokens": 3, "finish": "stop", "model": "", "prompt": ""}
            )
        p = 0.9 if swapped else 0.1
        if changes.get("shuffled"):
            p = draw.choice((0.1, 0.9))
        rows.append(preference_row(Pair(f"p{n}", 0, 1, ("", "")), [p], [""]))
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    write_rows(folder / "samples.parquet", SAMPLE, samples)
    write_rows(folder / "preferences.parquet", PREFERENCE, rows)
    return {
        "preferences": [str(folder / "preferences.parquet")],
        "samples": [str(folder / "samples.parquet")],
        "prompts": {f"p{n}": "Q: Ann has 3 caps. How many?\nA: " for n in range(PROBLEMS)},
        "model": str(MODELS / "tiny-math"),
        "out": str(tmp_path / "out"),
        "work": str(tmp_path / "work"),
        "settings": {**SETTINGS, **changes.get("settings", {})},  # type: ignore[dict-item]
        "seed": 1,
        "resources": Resources(threads=1, device="cpu", train_batch_size=16).model_dump(),
    }


def _facts(reply: dict[str, object]) -> FitFacts:
    reply.pop("seconds")
    return FitFacts.from_json(reply, "reply")


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.engine
def test_it_learns_what_is_preferred(tmp_path: Path) -> None:
    facts = _facts(fit(_job(tmp_path)))
    assert facts.accuracy is not None and facts.accuracy > 0.9
    assert facts.pairs + facts.held_out == PROBLEMS
    assert 20 < facts.held_out < 80
    assert (tmp_path / "out" / "config.json").is_file()


@pytest.mark.engine
def test_labels_at_random_teach_nothing(tmp_path: Path) -> None:
    facts = _facts(fit(_job(tmp_path, shuffled=True, settings={"checks": 1})))
    assert facts.accuracy is not None
    spread = 2.6 * math.sqrt(0.25 / facts.held_out)  # 99%
    assert abs(facts.accuracy - 0.5) < spread


@pytest.mark.engine
def test_half_of_the_held_out_problems_measure_what_was_learnt(tmp_path: Path) -> None:
    fit(_job(tmp_path, settings={"held_out": 0.6, "checks": 1}))
    rows = list(read_rows(tmp_path / "out" / HELD_OUT_FILE))
    watched = {row["problem_id"] for row in rows if row["watched"]}
    assert watched and watched.isdisjoint(row["problem_id"] for row in rows if not row["watched"])
    found = model_accuracy(rows, 500, 0.99, 0)
    assert found is not None and found.beats_nulls


@pytest.mark.slow
def test_models_of_shuffled_labels_are_at_one_half_within_their_interval(tmp_path: Path) -> None:
    """Answers of one digit have few orders, and noise teaches one: single models are far off."""
    rows = []
    for number in range(1, 6):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        settings = {"held_out": 0.6, "checks": 1, "epochs": 1.0}
        fit({**_job(folder, settings=settings), "shuffled": number})
        rows.append(list(read_rows(folder / "out" / HELD_OUT_FILE)))
    found = model_accuracy(rows[0], 500, 0.95, 0, shuffled=rows)
    assert found is not None and found.shuffled is not None
    null = found.shuffled
    assert null.problems > 30 and null.low < 0.5 < null.high


@pytest.mark.engine
def test_a_killed_fit_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def die(done: int, total: int) -> None:
        if done == total * 3 // 4:
            raise Killed

    whole = _job(tmp_path / "a" if (tmp_path / "a").mkdir() is None else tmp_path)
    undisturbed = _facts(fit(whole))
    other = _job(tmp_path / "b" if (tmp_path / "b").mkdir() is None else tmp_path)
    with pytest.raises(Killed):
        fit(other, die)
    assert list(Path(str(other["work"])).glob("checkpoints/checkpoint-*"))
    assert _facts(fit(other)) == undisturbed
    assert _digest(tmp_path / "b" / "out") == _digest(tmp_path / "a" / "out")
    held = [(tmp_path / name / "out" / HELD_OUT_FILE).read_bytes() for name in ("a", "b")]
    assert held[0] == held[1]


def test_nothing_to_fit_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reward\.by: no pair to fit .*160 too long"):
        fit(_job(tmp_path, settings={"max_length": 16}))
