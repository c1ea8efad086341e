"""A trainer of one process uses one GPU, the first of those that it was given."""

from __future__ import annotations

import os

import pytest

from tasks.finetune.trainer import main
from tasks.finetune.visible_gpu import one_gpu
from tasks.processes.wire import Wire

CASES = {
    None: "0",
    "": "",  # none may be used
    "0": "0",
    "0,1,2,3": "0",  # Slurm on a node with four
    "2,3": "2",  # Ray
    " 5 , 6": "5",
    "GPU-8f1c,GPU-9a2d": "GPU-8f1c",
    "MIG-1,MIG-2": "MIG-1",
}


@pytest.mark.parametrize("seen", CASES)
def test_the_first_that_may_be_used(seen: str | None) -> None:
    assert one_gpu(seen) == CASES[seen]


def test_a_trainer_sees_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    read, write = os.pipe()
    os.close(write)  # nothing is asked
    main(Wire(read, os.open(os.devnull, os.O_WRONLY)))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
