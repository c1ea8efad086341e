"""A fine-tune that was killed goes on where it was and ends with the same bytes."""

import os
import signal
from pathlib import Path

import pytest
import torch

from tasks.errors import StepError
from tasks.finetune.checkpoints import CheckpointFolder, TrainingState
from tasks.finetune.trainer import train
from tasks.processes.child import Child
from tests.tasks.finetune.finetune_parts import (
    FORKS,
    grade,
    make_job,
    make_rows,
    make_start,
    train_until,
    write,
)

pytestmark = pytest.mark.engine

# Sixty rows make about nine steps in three epochs; checks, and so checkpoints, after some of them.
SETTINGS = {"epochs": 3.0, "checks": 4, "patience": 4}
LORA = {"method": "lora", "lora_rank": 4, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A start model, rows, and what undisturbed fine-tunes of them give."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("resume")
    make_start(folder / "start")
    write(folder / "rows.parquet", make_rows(60, (1.0, 0.5)))
    return folder


@pytest.fixture(scope="module")
def undisturbed(place):
    done = {}

    def reference(**settings):
        name = settings.get("method", "full")
        if name not in done:
            done[name] = outcome(job_in(place, place / name, **settings))
        return done[name]

    return reference


def job_in(place: Path, work: Path, **settings) -> dict:
    job = make_job(place / "start", place / "rows.parquet", work, **SETTINGS, **settings)
    job["resources"]["checkpoint_minutes"] = 60.0
    return job


def outcome(job: dict, progress=None) -> tuple[dict, dict[str, bytes]]:
    reply = train(job, grade, progress)
    reply.pop("seconds")
    return reply, {path.name: path.read_bytes() for path in Path(job["out"]).iterdir()}


def kill_at(job: dict, point: str, count: int) -> None:
    process = FORKS.Process(target=train_until, args=(job, point, count))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "count", "first_step"),
    [
        ("step", 1, 1),  # before the first checkpoint
        ("half a checkpoint", 1, 1),
        ("checkpoint without marker", 2, "first"),
        ("half of the best weights", 2, "first"),
        ("step", "after second", "second"),
        ("half the export", 1, None),  # nothing is left to train
    ],
)
def test_killed_and_called_again_it_ends_with_the_same_bytes(
    place, undisturbed, tmp_path, point, count, first_step
):
    reply, files = undisturbed()
    checks = [entry["step"] for entry in reply["history"] if "reward" in entry]
    best = [entry["reward"] for entry in reply["history"] if "reward" in entry]
    assert reply["steps"] > checks[1] + 1, "the second check must not be near the end"
    assert best[1] > best[0], "the second check must keep its weights"
    job = job_in(place, tmp_path / "work")
    kill_at(job, point, checks[1] + 1 if count == "after second" else count)
    steps = []
    again = outcome(job, lambda done, total: steps.append(done))
    assert again == (reply, files)
    expected = {"first": checks[0] + 1, "second": checks[1] + 1}.get(first_step, first_step)
    assert (steps[0] if steps else None) == expected


def test_adapters_resume_too(place, undisturbed, tmp_path):
    reply, files = undisturbed(**LORA)
    job = job_in(place, tmp_path / "work", **LORA)
    kill_at(job, "checkpoint without marker", 2)
    steps = []
    assert outcome(job, lambda done, total: steps.append(done)) == (reply, files)
    assert steps[0] > 1


def test_checkpoints_by_the_clock_change_nothing(place, undisturbed, tmp_path):
    job = job_in(place, tmp_path / "work")
    job["resources"]["checkpoint_minutes"] = 1e-6
    kill_at(job, "step", 5)
    steps = []
    assert outcome(job, lambda done, total: steps.append(done)) == undisturbed()
    assert steps[0] == 5  # the fifth was told before it was saved


def test_a_killed_child_process_resumes_elsewhere(place, undisturbed, tmp_path):
    job = job_in(place, tmp_path / "work")
    log = tmp_path / "log.txt"
    target = "tasks.finetune.trainer:main"
    asked = []

    with Child.module(target, log=log) as child:

        def kill(question):
            asked.append(question)
            if len(asked) == 2:
                os.killpg(child.pid, signal.SIGKILL)
            return grade(question)

        with pytest.raises(StepError, match="died"):
            child.call(job, on_ask=kill)
    steps = []
    assert outcome(job, lambda done, total: steps.append(done)) == undisturbed()
    assert steps[0] > 1


def test_a_checkpoint_whose_files_changed_is_not_used(tmp_path):
    checkpoints = CheckpointFolder(tmp_path)
    checkpoints.claim("job")
    for step in (2, 4):
        folder = checkpoints.folder / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "optimizer.pt").write_bytes(b"12345")
        if step == 2:
            checkpoints.seal(folder, TrainingState())
    latest = checkpoints.latest()
    assert latest is not None
    assert latest[0].name == "checkpoint-2"
    assert not folder.exists()
    (latest[0] / "optimizer.pt").write_bytes(b"1234")
    assert checkpoints.latest() is None
    assert not latest[0].exists()
