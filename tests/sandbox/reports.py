"""What programs print in the sandbox, word for word; verdicts alone do not say that."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from sandbox.container import Container
from sandbox.pool import connect
from sandbox.verdict import Job, Report


def reports(image: str, memory: int, jobs: Iterable[Job]) -> list[list[Report]]:
    """The reports of the runner on every test of each job."""
    jobs = list(jobs)
    client = connect()
    containers = [Container(client, image, memory=memory) for _ in range(2)]
    found: list[list[Report]] = [[] for _ in jobs]

    def work(first: int) -> None:
        for number in range(first, len(jobs), len(containers)):
            keep = found[number].append
            containers[first].run(jobs[number], lambda _, report, keep=keep: keep(report) or True)

    try:
        with ThreadPoolExecutor(len(containers)) as threads:
            list(threads.map(work, range(len(containers))))
    finally:
        for container in containers:
            container.close()
        client.close()
    return found
