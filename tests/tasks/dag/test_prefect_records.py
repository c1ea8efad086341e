"""Prefect's records of steps, read by many threads at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.filesystems import LocalFileSystem
from prefect.results import ResultStore

from tasks.dag.prefect_task import prefect_task_of
from tasks.evaluate.step import measure_policy

RECORDS = 1100  # more than Prefect keeps in memory
THREADS, TURNS = 8, 3


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_a_thousand_records_are_read_by_threads(tmp_path: Path) -> None:
    task = prefect_task_of(measure_policy)
    store = ResultStore(
        result_storage=LocalFileSystem(basepath=str(tmp_path)),
        cache_result_in_memory=task.cache_result_in_memory,
    )
    names = [f"record-{number}" for number in range(RECORDS)]
    for name in names:
        store.write({"name": name}, key=name)

    def read(_: int) -> list[str]:
        return [store.read(name).result["name"] for name in names]

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(read, range(THREADS * TURNS))) == [names] * THREADS * TURNS
