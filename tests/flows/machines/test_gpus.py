"""GPUs that a run leaves idle are counted and named with the field, before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import load_config
from flows.estimate.plan import plan
from flows.machines.gpus import idle_gpus, visible_gpus
from tasks.settings import Resources

SAMPLING, TRAINING = "resources.engines", "resources.train_processes"


@pytest.mark.parametrize(
    ("seen", "gpus"),
    [("0,1,2", 3), ("", 0), ("-1", 0), ("0,-1,2", 1), ("MIG-a,MIG-b", 2)],
)
def test_the_list_of_visible_devices_counts(monkeypatch, seen: str, gpus: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert visible_gpus() == gpus


def test_without_a_list_the_cards_of_the_machine_count(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).mkdir(parents=True)
    assert visible_gpus(tmp_path / "none", tmp_path / "dev") == 2
    (tmp_path / "gpus" / "0000:00:04.0").mkdir(parents=True)
    assert visible_gpus(tmp_path / "gpus", tmp_path / "dev") == 1


@pytest.mark.parametrize(
    ("resources", "gpus", "fields"),
    [
        ({}, 8, [SAMPLING, TRAINING]),
        ({}, 1, []),
        ({"device": "cpu"}, 8, []),
        ({"ray_address": "auto"}, 8, []),
        ({"engines": 8, "train_processes": 8}, 8, []),
        ({"engines": 4, "gpus_per_engine": 2}, 8, [TRAINING]),
        ({"endpoints": ["http://gpu1:8100"]}, 8, [TRAINING]),
    ],
)
def test_each_stage_that_leaves_gpus_idle_is_one_line(resources, gpus, fields) -> None:
    said = idle_gpus(Resources(**resources), gpus, trains=True)
    assert [line.partition(":")[0] for line in said] == fields


def test_a_dry_run_on_a_machine_with_eight_gpus_says_so(home: Path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    warned = plan(load_config("math-demo")).warnings
    assert warned == [
        "resources.engines: sampling uses 1 of 8 GPUs and the others idle; 8 would use all",
        "resources.train_processes: fine-tuning uses 1 of 8 GPUs and the others idle; 8 would use "
        "all",
    ]
