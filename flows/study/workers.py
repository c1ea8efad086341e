"""Runs of a study side by side, one in each worker, where a machine has room for more than one.

A run on a small model is a chain of steps that use one core each; two runs use two. What is made
does not depend on it: each artifact has its own key and one thread's sums.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from flows.machines.gpus import visible_gpus
from flows.orchestrator.pipeline import END_SECONDS
from flows.orchestrator.prefect_caller import PrefectCaller
from tasks.processes.cores import usable_cores
from tasks.settings import Resources

Job = TypeVar("Job")
# Each holds a model, a trainer and checkers; more are asked for by name.
MOST = 8


def workers_of(resources: Resources, gpus: int, cores: int) -> int:
    """Runs at once.

    Args:
        resources: Of the study.
        gpus: That this process may use: several engines on one would not fit.
        cores: Of this machine.
    """
    if resources.study_runs:
        return resources.study_runs
    elsewhere = resources.ray_address or resources.endpoints
    several = resources.threads == 1 and not elsewhere and (not gpus or resources.device == "cpu")
    return max(1, min(MOST, cores)) if several else 1


@contextmanager
def open_workers(
    caller: PrefectCaller, resources: Resources, jobs: int
) -> Iterator[list[PrefectCaller]]:
    """A caller for each worker, at most one a job: the study's own, and others beside it."""
    wanted = min(jobs, workers_of(resources, visible_gpus(), usable_cores()))
    with ExitStack() as stack:
        more = [stack.enter_context(caller.beside(number)) for number in range(2, wanted + 1)]
        workers = [caller, *more]
        for worker in workers:
            worker.runtime.says_waits = not more
        yield workers


def side_by_side(
    jobs: Sequence[Job],
    workers: Sequence[PrefectCaller],
    perform: Callable[[PrefectCaller, Job], None],
) -> None:
    """Do all jobs, each worker the next one as it gets free.

    Raises:
        BaseException: the first that `perform` raised, after the other workers were ended.
    """
    if len(workers) == 1:
        for job in jobs:
            perform(workers[0], job)
        return
    waiting, ends = deque(jobs), queue.SimpleQueue[BaseException | None]()
    for worker in workers:
        # In a copy of this context, so that Prefect knows the flow that a task belongs to.
        work = contextvars.copy_context().run
        target = (_through, worker, waiting, ends, perform)
        threading.Thread(target=work, args=target, daemon=True).start()
    at_work = len(workers)
    try:
        while at_work:
            error = ends.get()
            at_work -= 1
            if error is not None:
                raise error
    except BaseException:
        waiting.clear()
        _end(workers, at_work, ends)
        raise


def _through(
    worker: PrefectCaller,
    waiting: deque[Job],
    ends: queue.SimpleQueue[BaseException | None],
    perform: Callable[[PrefectCaller, Job], None],
) -> None:
    """Take jobs until none is left."""
    try:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                break
            perform(worker, job)
    except BaseException as error:
        ends.put(error)
    else:
        ends.put(None)


def _end(
    workers: Sequence[PrefectCaller], at_work: int, ends: queue.SimpleQueue[BaseException | None]
) -> None:
    """End what workers are busy with, and wait for them for a while.

    Whoever does not end is left behind: it waits for another run's lock. A step that begins
    meanwhile finds its machine closed, so it is closed until all have ended.
    """
    for _ in range(int(END_SECONDS)):
        for worker in workers:
            worker.stop()
        while at_work:
            try:
                ends.get(timeout=1.0)
            except queue.Empty:
                break
            at_work -= 1
        if not at_work:
            return
