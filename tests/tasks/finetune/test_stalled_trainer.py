"""A trainer that is stopped is found, goes on from its checkpoint, and ends with the same bytes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
import torch

from tasks.dag.runtime import Runtime
from tasks.errors import StepError
from tasks.finetune.step import MAX_FRUITLESS_STARTS, _train
from tasks.finetune.trainer import train
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources
from tests.tasks.finetune.finetune_parts import grade, make_job, make_rows, make_start, write
from tests.tasks.processes import echo_child

pytestmark = pytest.mark.engine

# A trainer on a busy machine imports for long, but then it moves bytes.
LIMIT = 6.0
# Two that import at once do little else for long.
GROUP_LIMIT = 25.0


@pytest.fixture(scope="module", autouse=True)
def imported() -> Iterator[None]:
    """Each trainer is forked from a process that has its imports, as in a run."""
    close_fork_server()
    preload(["flows.machines.preload"])
    yield
    close_fork_server()
    preload([])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("stalled")
    make_start(folder / "start")
    write(folder / "rows.parquet", make_rows(60))
    return folder


def job_in(place: Path, work: Path, processes: int = 1) -> dict[str, Any]:
    rows = place / "rows.parquet"
    job = make_job(place / "start", rows, work, epochs=3.0, checks=4, patience=4)
    job["resources"]["train_processes"] = processes
    Path(job["out"]).mkdir(parents=True)
    return job


def runtime(folder: Path, said: list[str], limit: float = LIMIT) -> Runtime:
    resources = Resources(device="cpu", threads=1, train_stall_seconds=limit)
    found = SimpleNamespace(
        isolate=True,
        logs=folder,
        resources=resources,
        say=said.append,
        progress=lambda *_: None,
    )
    return cast(Runtime, found)


def trainers(several: bool) -> list[psutil.Process]:
    """The processes that train: forks of the fork server, or those of the launcher."""
    mark = "tasks.finetune.worker" if several else "tasks.processes.fork_server"
    found = []
    for process in psutil.Process().children(recursive=True):
        above = process.parent()
        if mark in process.cmdline() and above and (several or mark in above.cmdline()):
            found.append(process)
    return [one for one in found if several or "guard.py" not in " ".join(one.cmdline())]


class Stops:
    """Answers questions; a trainer that asks for the `at`th time is stopped instead."""

    def __init__(self, *at: int, several: bool = False) -> None:
        self._at, self._several, self.asked = at, several, 0

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self.asked in self._at:
            found = trainers(self._several)
            assert found
            for process in found:
                os.kill(process.pid, signal.SIGSTOP)
        return grade(question)


def outcome(job: dict[str, Any], reply: dict[str, Any]) -> tuple[Any, ...]:
    reply = {name: value for name, value in reply.items() if name != "seconds"}
    return reply, {path.name: path.read_bytes() for path in Path(job["out"]).iterdir()}


def test_it_ends_with_the_same_bytes(place: Path, tmp_path: Path) -> None:
    calm = job_in(place, tmp_path / "calm")
    expected = outcome(calm, train(calm, grade))
    said: list[str] = []
    job = job_in(place, tmp_path / "work")
    found = outcome(job, _train(job, "finetune p1", Stops(2), runtime(tmp_path, said)))
    assert found == expected
    (line,) = said
    assert line.startswith("finetune p1: the trainer is started again from its last checkpoint")
    assert "no sign of life for 6 s" in line and "resources.train_stall_seconds" in line


def test_one_that_hangs_each_time_is_given_up(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.finetune.step.TRAINER", f"{echo_child.__name__}:hang_early")
    said: list[str] = []
    job = job_in(place, tmp_path / "work")
    with pytest.raises(StepError, match=r"hangs again and again .*log: .*train_stall_seconds"):
        _train(job, "finetune p1", grade, runtime(tmp_path, said))
    assert len(said) == MAX_FRUITLESS_STARTS  # the first start came to a step


def test_a_group_of_processes_is_watched_too(place: Path, tmp_path: Path) -> None:
    said: list[str] = []
    job = job_in(place, tmp_path / "work", processes=2)
    stops = Stops(2, several=True)
    reply = _train(job, "finetune p1", stops, runtime(tmp_path, said, GROUP_LIMIT))
    assert reply["steps"] and len(said) == 1
    assert not trainers(several=True)
