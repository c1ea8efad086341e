"""The servers of `restem bench scale`: sampling from one `restem engine serve`, and from two.

Each server stands for a machine of one core: it and all that it starts are pinned to a core of its
own. The E-step that asks one of them is pinned to that core as well, scoring included; the one that
asks both has both. At last the engine of one of two servers is killed on the way.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from flows.bench.resume import ROOT
from flows.config import load_config
from flows.direct import DirectCaller
from flows.engine_server import MARK
from flows.shards import Draw, Sampler, Shards
from tasks.errors import StepError
from tasks.policy import base_call
from tasks.problems.step import load_splits, problems_call

MACHINE = (
    "resources.device=cpu",
    "resources.threads=1",
    "resources.score_workers=1",
    "resources.batch_size=64",
    "resources.cpu_cache_gb=0.5",
)
CHANGES = (
    *MACHINE,
    "sampling.engine=vllm",
    "data.train_limit=256",
    "data.test_limit=16",
    "data.validation=64",
    "resources.shard_problems=64",
    "resources.shard_samples=8",
)
START_SECONDS = 60.0


class Machines:
    """One or more servers, and an E-step that samples from them."""

    def __init__(self, home: Path, store: Path, addresses: Sequence[str], cores: set[int]) -> None:
        """Nothing is sampled yet.

        Args:
            home: RESTEM_HOME.
            store: Where its artifacts go; the policy lies in the servers' own store too.
            addresses: Of the servers.
            cores: On which the E-step runs.
        """
        listed = ", ".join(f'"{address}"' for address in addresses)
        places = [f"resources.store={store}", f"resources.endpoints=[{listed}]"]
        self._config = load_config("math-demo", [*CHANGES, *places])
        self._cores = cores
        self.caller = DirectCaller(self._config, isolate=True)
        problems = self.caller.call(problems_call(self._config.data), 0, "problems")
        self._policy = self.caller.call(base_call(self._config.model), 0, "base model")
        self._sampler = Sampler(
            self.caller,
            problems,
            load_splits(self.caller.store.path(problems)),
            prompt=self._config.model.prompt,
            engine=self._config.sampling.engine,
            dtype=self._config.model.dtype,
            execution=self._config.execution,
            resources=self._config.resources,
        )

    def draw(self, seed: int, samples: int) -> tuple[float, Shards]:
        """Sample and score; the seconds it took, and what came of it."""
        sampling = {"temperature": 0.7, "top_k": 40, "top_p": 1.0, "max_tokens": 40}
        draw = Draw(sampling, seed, self._sampler.shots(self._config.model.shots), samples)
        made = Shards()
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._cores)  # threads and processes begun from here inherit it
        try:
            start = time.perf_counter()
            chains = self._sampler.chains(made, 0, "draw", self._policy, "train", draw)
            self.caller.drive(chains)
            return time.perf_counter() - start, made
        finally:
            os.sched_setaffinity(0, before)


def measure(home: Path, rounds: int, samples: int) -> list[float]:
    """Seconds with one server over those with two, for each round; then a server that is killed.

    Args:
        home: RESTEM_HOME of servers and E-steps.
        rounds: Pairs.
        samples: For each of 256 problems.
    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    pairs = []
    with contextlib.ExitStack() as stack:
        port = _free_ports(2 * len(cores))  # each server's engine listens on the port after its own
        addresses = [
            stack.enter_context(_server(home, core, port + 2 * number))
            for number, core in enumerate(cores)
        ]
        one = Machines(home, home / "store", addresses[:1], set(cores[:1]))
        two = Machines(home, home / "store", addresses, set(cores))
        calm = Machines(home, home / "calm", addresses[:1], set(cores))
        for machines in (one, two, calm):
            stack.enter_context(machines.caller)
            machines.draw(0, 8)  # loads the policy and starts the checker
        for turn in range(1, rounds + 1):
            took = {}
            order = [(one, 1), (two, 2)]
            for machines, count in order[:: 1 if turn % 2 else -1]:
                took[count], _ = machines.draw(10 * turn + count, samples)
            pairs.append(took[1] / took[2])
            print(
                f"endpoints: one server {took[1]:.1f} s, two servers {took[2]:.1f} s: "
                f"{pairs[-1]:.2f}",
                flush=True,
            )
        _lose_one(home, two, calm, samples)
    return pairs


def _lose_one(home: Path, two: Machines, calm: Machines, samples: int) -> None:
    """Kill one server's engine when samples are on their way; the digests against one server's."""
    _, expected = calm.draw(7, samples)
    killer = subprocess.Popen(
        [sys.executable, "-m", "flows.bench._scale_endpoints", str(home)], cwd=ROOT
    )
    seconds, found = two.draw(7, samples)
    if killer.wait():
        raise SystemExit("no engine was killed")
    different = sum(
        a.digest != b.digest for a, b in zip(expected.samples, found.samples, strict=True)
    )
    print(
        f"endpoints: an engine killed on the way ({seconds:.1f} s): {len(expected.samples)} "
        f"shards, {different} with another digest",
        flush=True,
    )


def kill_one(home: Path, after: float = 5.0) -> bool:
    """Kill one server's vLLM, all its processes at once."""
    time.sleep(after)
    by_server: dict[str, list[int]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            words = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            for word in words:
                if word.startswith(f"{MARK}={home}:".encode()):
                    by_server.setdefault(word.decode(), []).append(process.pid)
    if not by_server:
        return False
    for pid in by_server[min(by_server)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


@contextlib.contextmanager
def _server(home: Path, core: int, port: int) -> Iterator[str]:
    """A machine of one core that serves, with its address."""
    flags = [part for change in MACHINE for part in ("--set", change)]
    command = ["engine", "serve", "--port", str(port), *flags, "--", "--max-model-len", "256"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {core})
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StepError("restem engine serve did not start; is vLLM installed?")
            time.sleep(0.2)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/policy", timeout=5):
            return True
    except OSError:
        return False


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody has."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for port in range(first + 1, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


if __name__ == "__main__":
    sys.exit(not kill_one(Path(sys.argv[1])))
