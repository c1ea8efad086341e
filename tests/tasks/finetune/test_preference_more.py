"""DPO with the likelihood of the chosen side, IPO, and the base as the reference, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tasks.finetune.trainer import train
from tests.tasks.finetune.finetune_parts import grade, make_start
from tests.tasks.finetune.test_preference import make_pairs_job, margin, sums, write
from tests.tasks.finetune.test_single_labels import log_probability

pytestmark = pytest.mark.engine
PLAIN = {"checks": 0, "schedule": "constant", "warmup": 0.0, "beta": 0.3}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def losses(reply: dict[str, list[dict[str, float]]]) -> list[float]:
    return [entry["loss"] for entry in reply["history"]]


def tokens_of(folder: Path, text: str) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"])


def test_the_likelihood_of_the_chosen_side_is_added(start: Path, tmp_path: Path) -> None:
    """At the start the preference's loss is log 2, and the other one is the start's own."""
    rows = sums(2)
    path = write(tmp_path / "rows.parquet", rows)
    job = make_pairs_job(start, path, tmp_path, epochs=1.0, batch_size=2, nll=0.7, **PLAIN)
    job["resources"]["train_batch_size"] = 4  # both pairs in a forward pass
    total = count = 0.0
    for row in rows:
        total -= log_probability(start, row["prompt"], row["completion"])
        count += tokens_of(start, row["completion"]) + 1
    assert losses(train(job, grade))[0] == pytest.approx(
        math.log(2) + 0.7 * total / count, abs=2e-6
    )


def test_ipo_is_the_square_of_the_mean_difference(start: Path, tmp_path: Path) -> None:
    """At the start nothing differs, so the loss is (1 / 2 beta)^2."""
    path = write(tmp_path / "rows.parquet", sums(2))
    job = make_pairs_job(start, path, tmp_path, epochs=1.0, trainer_args=["loss_type=ipo"], **PLAIN)
    assert losses(train(job, grade))[0] == pytest.approx((1 / (2 * 0.3)) ** 2, abs=2e-6)


def test_the_base_is_the_reference_where_it_is_asked_for(start: Path, tmp_path: Path) -> None:
    """From a policy that has moved, the first loss holds it against the base and not itself."""
    rows = sums(4)
    path = write(tmp_path / "rows.parquet", rows)
    train(make_pairs_job(start, path, tmp_path / "one", epochs=1.0, **PLAIN), grade)
    moved = tmp_path / "one" / "out"
    job = make_pairs_job(moved, path, tmp_path / "two", epochs=1.0, reference="base", **PLAIN)
    job["reference"] = str(start)
    first = losses(train(job, grade))[0]
    expected = 0.0
    for row in rows:
        apart = 0.3 * (margin(moved, [row]) - margin(start, [row]))
        expected += math.log1p(math.exp(-apart)) / len(rows)
    assert first == pytest.approx(expected, abs=1e-5)
    assert abs(first - math.log(2)) > 1e-3
