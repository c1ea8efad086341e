"""The power fails while a model is trained: the last whole checkpoint is there, and no torn one."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tasks.finetune.checkpoints import CheckpointFolder
from tests.recording import Recorded, record

WORK = "home/training"
TRAIN = f"""
import sys
from pathlib import Path

import torch

from tasks.finetune.checkpoints import CheckpointFolder, TrainingState

checkpoints = CheckpointFolder(Path(sys.argv[1], "{WORK}"))
checkpoints.claim("job")
for step in (2, 4, 6):
    checkpoints.keep(step, {{"weight": torch.full((64,), float(step))}})
    if step < 6:
        folder = checkpoints.folder / f"checkpoint-{{step}}"
        (folder / "part").mkdir(parents=True)
        (folder / "optimizer.pt").write_bytes(bytes([step]) * 5000)
        (folder / "part" / "random.pth").write_bytes(bytes([step]) * 10)
        checkpoints.seal(folder, TrainingState(best_step=step))
    else:
        checkpoints.finish(TrainingState(best_step=step, steps=step))
    print(f"done: {{step}}", flush=True)
checkpoints.claim("other")
"""


@pytest.fixture(scope="module")
def trained(strace: str, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    disk = tmp_path_factory.mktemp("trained") / "disk"
    disk.mkdir()
    found = record(TRAIN, disk, str(disk))
    assert found.status == 0, found.output
    assert [text for _, text in found.said] == ["2", "4", "6"]
    return found


def test_a_training_goes_on_from_its_last_checkpoint(trained: Recorded) -> None:
    def look(place: Path, said: list[str]) -> None:
        checkpoints = CheckpointFolder(place / WORK)
        owner = place / WORK / "job.txt"
        begun = owner.exists() and owner.read_text() == "job"
        checkpoints.claim("job")
        course, latest = checkpoints.finished(), checkpoints.latest()
        if course is None and latest is not None:
            folder, course = latest
            step = int(folder.name.partition("-")[2])
            assert (folder / "optimizer.pt").read_bytes() == bytes([step]) * 5000
            assert (folder / "part" / "random.pth").read_bytes() == bytes([step]) * 10
        if course is None:  # it begins anew: nothing was said, or all was cleared for the other job
            assert not said or (said[-1] == "6" and not begun)
        else:
            assert course.best_step >= int(said[-1] if said else 0)
            weights = load_file(checkpoints.best(course.best_step))["weight"]
            assert (weights == course.best_step).all()

    trained.check(look)


def test_another_job_finds_nothing_of_it(trained: Recorded) -> None:
    def look(place: Path, said: list[str]) -> None:
        checkpoints = CheckpointFolder(place / WORK)
        checkpoints.claim("other")
        assert checkpoints.finished() is None and checkpoints.latest() is None

    trained.check(look)
