"""A trainer that is stopped is found, goes on from its checkpoint, and ends with the same bytes."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterator
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
from tasks.processes import watchdog
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources
from tests.tasks.finetune.finetune_parts import grade, make_job, make_rows, make_start, write
from tests.tasks.processes import echo_child

pytestmark = pytest.mark.engine

Hangs = Callable[[], bool]
LIMIT = 6.0


@pytest.fixture(autouse=True)
def only_who_hangs_is_silent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Hangs], None]:
    """Gives what says whether a trainer hangs; nobody else is silent, however busy the machine."""

    def until(hangs: Hangs) -> None:
        monkeypatch.setattr(watchdog, "silent_since", lambda _: math.inf if hangs() else 0.0)

    until(lambda: False)
    return until


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


def runtime(
    folder: Path, said: list[str], progress: Callable[..., None] = lambda *_: None
) -> Runtime:
    resources = Resources(device="cpu", threads=1, train_stall_seconds=LIMIT)
    found = SimpleNamespace(
        isolate=True,
        logs=folder,
        resources=resources,
        say=said.append,
        progress=progress,
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
        self._stopped: list[psutil.Process] = []

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self.asked in self._at:
            found = trainers(self._several)
            assert found
            for process in found:
                os.kill(process.pid, signal.SIGSTOP)
            self._stopped = found
        return grade(question)

    def some(self) -> bool:
        """Whether one that was stopped is still there."""
        return any(map(_is_stopped, self._stopped))


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def outcome(job: dict[str, Any], reply: dict[str, Any]) -> tuple[Any, ...]:
    reply = {name: value for name, value in reply.items() if name != "seconds"}
    return reply, {path.name: path.read_bytes() for path in Path(job["out"]).iterdir()}


def test_it_ends_with_the_same_bytes(
    place: Path, tmp_path: Path, only_who_hangs_is_silent: Callable[[Hangs], None]
) -> None:
    calm = job_in(place, tmp_path / "calm")
    expected = outcome(calm, train(calm, grade))
    said: list[str] = []
    job = job_in(place, tmp_path / "work")
    stops = Stops(2)
    only_who_hangs_is_silent(stops.some)
    found = outcome(job, _train(job, "finetune p1", stops, runtime(tmp_path, said)))
    assert found == expected
    (line,) = said
    assert line.startswith("finetune p1: the trainer is started again from its last checkpoint")
    assert "no sign of life for 6 s" in line and "resources.train_stall_seconds" in line


def test_one_that_hangs_each_time_is_given_up(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    only_who_hangs_is_silent: Callable[[Hangs], None],
) -> None:
    monkeypatch.setattr("tasks.finetune.step.TRAINER", f"{echo_child.__name__}:hang_early")
    said: list[str] = []
    steps: list[int] = []  # one of each trainer, which then hangs
    only_who_hangs_is_silent(lambda: len(steps) > len(said))
    job = job_in(place, tmp_path / "work")
    with pytest.raises(StepError, match=r"hangs again and again .*log: .*train_stall_seconds"):
        _train(job, "finetune p1", grade, runtime(tmp_path, said, lambda *_: steps.append(1)))
    assert len(said) == MAX_FRUITLESS_STARTS  # the first start came to a step


def test_a_group_of_processes_is_watched_too(
    place: Path, tmp_path: Path, only_who_hangs_is_silent: Callable[[Hangs], None]
) -> None:
    said: list[str] = []
    job = job_in(place, tmp_path / "work", processes=2)
    stops = Stops(2, several=True)
    only_who_hangs_is_silent(stops.some)
    reply = _train(job, "finetune p1", stops, runtime(tmp_path, said))
    assert reply["steps"] and len(said) == 1
    assert not trainers(several=True)
