"""A whole run that improves by preference: to the report, traced, and cached the second time."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.config.rest_em import load_config
from tasks.errors import UserError
from tests.flows.conftest import Restem

CHANGES = (
    "finetune.improve=dpo",
    "finetune.batch_size=16",
    "iterations=1",
    "data.train_limit=96",
    "data.test_limit=64",
    "data.validation=32",
    "evaluation.sampled_problems=32",
    "evaluation.train_problems=32",
)


def test_a_run_by_preference_goes_through_and_is_found_again(server: str, tmp_path: Path) -> None:
    restem = Restem(tmp_path / "home", server)
    steps = restem.demo(*CHANGES)
    (made,) = [step for step in steps if step["step"] == "select"]
    (trained,) = [step for step in steps if step["step"] == "finetune"]
    store = restem.home / "store"
    rows = pq.read_table(store / made["artifact"] / "rows.parquet").to_pylist()
    counts = json.loads((store / made["artifact"] / "counts.json").read_text())
    facts = json.loads((store / trained["artifact"] / "training.json").read_text())
    assert 0 < counts["pairs"] == len(rows) == facts["rows"] <= counts["kept"]
    (page,) = restem.home.glob("runs/*/report.html")
    assert "pairs with a wrong sample" in page.read_text()

    chain = json.loads(restem("trace", "latest", "0", "--json"))
    assert chain["verdict"]["status"] == "correct"
    assert chain["training row"]["rejected"] == rows[0]["rejected"] != rows[0]["completion"]

    assert {step["state"] for step in restem.demo(*CHANGES)} == {"Cached"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("resources.train_processes=2", "resources.train_processes"),
        ('filter.weight="reward"', "filter.weight"),
        ("filter.thresholds=[0.5,1.0]", "finetune.improve"),
    ],
)
def test_what_preference_cannot_do_is_said_in_one_line(change: str, field: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", ["finetune.improve=dpo", change])
    assert field in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
