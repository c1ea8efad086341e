"""A Ray cluster of several workers on this machine, for benchmarks and tests.

The head has no cores, so that work goes to the workers alone, which can be killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.errors import StepError

RAY_START_SECONDS = 120.0
OBJECT_STORE = 100_000_000  # bytes; artifacts go through the store, so Ray's own holds little


class LocalRay:
    """The processes of a cluster."""

    def __init__(self, folder: Path, home: Path, cores: Sequence[int]) -> None:
        """Use `local_ray`."""
        self._folder, self._home, self._cores = folder, home, cores
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._nodes: list[subprocess.Popen[bytes]] = []

    def add(self, *flags: str, cores: Sequence[int] = ()) -> None:
        """Start one more node; with cores, it and all that it starts stay on them."""
        log = self._folder / f"node{len(self._nodes)}.log"
        with log.open("wb") as sink:
            self._nodes.append(
                subprocess.Popen(
                    [
                        str(Path(sys.executable).with_name("ray")),
                        "start",
                        "--block",
                        f"--object-store-memory={OBJECT_STORE}",
                        "--disable-usage-stats",
                        *flags,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                    cwd=Path(__file__).resolve().parents[2],
                    env={
                        **os.environ,
                        "RESTEM_HOME": str(self._home),
                    },
                )
            )
        if cores:
            os.sched_setaffinity(self._nodes[-1].pid, cores)  # before it has begun anything

    def start(self, workers: int) -> None:
        """Start the head and workers of one core each, and wait for them."""
        port = self.address.split(":")[1]
        self.add(
            "--head",
            f"--port={port}",
            "--num-cpus=0",
            "--num-gpus=0",
            "--include-dashboard=false",
            f"--temp-dir={self._folder}",
            cores=self._cores,
        )
        self._wait(1)
        for number in range(workers):  # one by one: two that start at once get in each other's way
            mine = self._cores[number : number + 1]
            self.add(f"--address={self.address}", "--num-cpus=1", "--num-gpus=0", cores=mine)
            self._wait(2 + number)

    def alive(self) -> int:
        """Nodes that the head knows as alive."""
        code = (
            "import ray, sys; ray.init(sys.argv[1], logging_level='ERROR', log_to_driver=False); "
            "print('ALIVE', sum(node['Alive'] for node in ray.nodes()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, self.address],
            capture_output=True,
            text=True,
            timeout=60,
            encoding="utf-8",
        )
        return int(done.stdout.split("ALIVE")[1]) if "ALIVE" in done.stdout else 0

    def kill(self, number: int) -> None:
        """Kill a worker with all its processes, as a machine that is lost."""
        self._end(self._nodes[1 + number])

    def close(self) -> None:
        """End all nodes."""
        for node in reversed(self._nodes):
            self._end(node)

    def _end(self, node: subprocess.Popen[bytes]) -> None:
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(node.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
        node.kill()
        node.wait()

    def _wait(self, nodes: int) -> None:
        deadline = time.monotonic() + RAY_START_SECONDS
        while self.alive() < nodes:
            if time.monotonic() > deadline:
                raise StepError(f"the Ray cluster did not start (logs: {self._folder})")


@contextlib.contextmanager
def local_ray(workers: int, home: Path, cores: Sequence[int] = ()) -> Iterator[LocalRay]:
    """A cluster with so many workers of one core, for the length of the block.

    Args:
        workers: How many.
        home: RESTEM_HOME of the workers.
        cores: One for each worker, on which it stays; the head stays on all of them.
    """
    # A short path: Ray keeps sockets in there, and their names have at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as name:
        made = LocalRay(Path(name), home, cores)
        try:
            made.start(workers)
            yield made
        finally:
            made.close()
