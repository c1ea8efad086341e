"""The servers of `restem bench scale`: sampling from one `restem engine serve`, and from two.

Each server stands for a machine of one core: it and all that it starts are pinned to a core of its
own. The E-step that asks one of them is pinned to that core as well, scoring included; the one that
asks both has both. At last the engine of one of two servers is killed on the way. What the cores
give by themselves is measured in the same round: the same work by one vLLM in a child process on
one core, and half of it by each of two on two.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench._others import Others
from bench.sampling._scale_draws import ROOT, STRAIGHT, WARM_SAMPLES, Alone, Draws, Pairs
from flows.machines.engine_server import serving
from tasks.errors import StepError
from tasks.generate.engine_token import TOKEN

MACHINE = (
    "resources.device=cpu",
    "resources.threads=1",
    "resources.score_workers=1",
    "resources.batch_size=64",
    "resources.cpu_cache_gb=0.5",
)
SHAPE = (
    *MACHINE,
    "sampling.engine=vllm",
    "data.train_limit=64",
    "data.test_limit=16",
    "data.validation=16",
    "resources.shard_problems=32",
    "resources.shard_samples=8",
)
ENDPOINT_START_SECONDS = 60.0
# Of the time of an undisturbed E-step, when an engine is killed.
LOST_AT = 0.4


def measure_endpoints(home: Path, rounds: int, samples: int) -> Pairs:
    """Seconds with one server over those with two, for each round; then a server that is killed.

    Args:
        home: RESTEM_HOME of servers and E-steps.
        rounds: Pairs.
        samples: For each of 64 problems.
    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    pairs, spent = Pairs(), 0.0
    with contextlib.ExitStack() as stack:
        os.environ.setdefault(
            TOKEN, secrets.token_hex(16)
        )  # servers and runs have homes of their own
        port = _free_ports(2 * len(cores))  # each server's engine listens on the port after its own
        addresses = [
            stack.enter_context(_server(home, core, port + 2 * number))
            for number, core in enumerate(cores)
        ]
        draws = dict[int, Draws]()
        for count in (1, 2):
            listed = ", ".join(f'"{address}"' for address in addresses[:count])
            # The first one's store is the servers' own, in which they find the policy.
            store = home / ("store" if count == 1 else "two")
            changes = [*SHAPE, f"resources.endpoints=[{listed}]", f"resources.store={store}"]
            draws[count] = stack.enter_context(
                Draws(STRAIGHT, changes, home / str(count), set(cores[:count]))
            )
            draws[count].draw(0, WARM_SAMPLES)
        alone = stack.enter_context(Alone(SHAPE, home, cores))

        def round_of(turn: int) -> tuple[float, float, float]:
            took = {}
            for count in (1, 2)[:: 1 if turn % 2 else -1]:
                took[count] = draws[count].draw(turn, samples).seconds
            return took[1], took[2], alone.ratio(turn, samples)

        for turn in range(1, rounds + 1):
            with Others(home) as others:
                single, spent, ceiling = round_of(turn)
            pairs.add(single / spent, ceiling)
            print(
                f"endpoints: one server {single:.1f} s, two servers {spent:.1f} s: "
                f"{single / spent:.2f}; the cores alone: {ceiling:.2f}; {others}",
                flush=True,
            )
        _lose_one(home, draws, rounds + 1, samples, LOST_AT * spent)
    return pairs


def _lose_one(home: Path, draws: dict[int, Draws], seed: int, samples: int, after: float) -> None:
    """Kill one server's engine when samples are on their way; the digests against one server's."""
    expected = draws[1].draw(seed, samples)
    draws[2].ask(seed, samples)
    time.sleep(after)
    if not kill_one(home):
        raise StepError("no engine was killed")
    found = draws[2].answer()
    different = sum(a != b for a, b in zip(expected.digests, found.digests, strict=True))
    print(
        f"endpoints: an engine killed after {after:.1f} of {found.seconds:.1f} s: "
        f"{len(expected.digests)} artifacts, {different} with another digest",
        flush=True,
    )


def kill_one(home: Path) -> bool:
    """Kill one server's vLLM, all its processes at once; whether there was one."""
    servers = serving(home)
    for process in servers[min(servers)] if servers else ():
        with contextlib.suppress(psutil.Error):
            process.kill()
    return bool(servers)


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
        deadline = time.monotonic() + ENDPOINT_START_SECONDS
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
    except urllib.error.HTTPError:
        return True  # it asks for its token
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
