"""Sampling from a server elsewhere: `restem engine serve` with a real vLLM behind it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
from transformers import AutoModelForCausalLM

from flows.machines.engine_server import serving
from tasks.dag.runtime import home as restem_home
from tasks.decoding.choose import choose
from tasks.decoding.policy_tokenizer import policy_tokenizer
from tasks.decoding.request import Sampling
from tasks.errors import StepError, UserError
from tasks.generate.endpoint import EngineOptions
from tasks.generate.endpoints import EndpointEngine
from tasks.generate.engine import open_engine
from tasks.generate.engine_token import TOKEN
from tasks.generate.served_shard import STARTS
from tasks.generate.vllm_environment import MARKER, VARIABLE, folder_of
from tasks.paths import ROOT
from tasks.settings import Resources
from tasks.settings.secret import read_secret
from tasks.store.store import ArtifactRef, Store
from tests.flows.station.conftest import until
from tests.needs import lacking
from tests.ports import free_port
from tests.tasks.chat_parts import WILD
from tests.tasks.decoding.decoding_parts import save

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]  # vLLM is started three times
OPTIONS = EngineOptions("float32", 16)
SAMPLING = Sampling(temperature=0.7, top_k=5, max_tokens=12, stop=("7",))
PROMPTS = ["3 and 4 is ", "2 and 2 is ", "9 and 1 is "]
REQUESTS = [(i % 3, 1000 + i) for i in range(48)]
START_SECONDS = 600.0


@pytest.fixture(scope="module")
def vllm() -> str:
    """The Python of vLLM's environment."""
    python = os.environ.get(VARIABLE) or None
    if python is None and (folder_of(restem_home()) / MARKER).is_file():
        python = str(folder_of(restem_home()) / "bin" / "python")
    if python is None:
        lacking(f"no vLLM environment ({VARIABLE}, or restem engine install vllm)")
    return python


@pytest.fixture(autouse=True)
def token(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test has a home of its own, to which the server's is another machine's."""
    if found := read_secret(place / "engine-token"):
        monkeypatch.setenv(TOKEN, found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def policy(place: Path) -> ArtifactRef:
    """A tiny model in the store, whose own defaults say otherwise than we do."""
    store = Store(str(place / "store"), cache=place / "cache")
    with store.draft("models", "a" * 32) as draft:
        defaults = save(draft.path) / "generation_config.json"
        defaults.write_text(json.dumps({**json.loads(defaults.read_text()), **WILD}))
    found = store.lookup("models", "a" * 32)
    assert found is not None
    return found


@contextlib.contextmanager
def serving_at(place: Path, vllm: str, *changes: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """A machine that serves: its address and its process."""
    port = free_port(2)  # its own, and that of vLLM behind it
    flags = [part for change in (*CHANGES, *changes) for part in ("--set", change)]
    command = ["engine", "serve", "--port", str(port), *flags, "--", "--max-model-len", "1024"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(place), VARIABLE: vllm},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/policy")
            break
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}", process
    process.send_signal(signal.SIGINT)
    process.wait(300)


@pytest.fixture(scope="module")
def address(place: Path, vllm: str) -> Iterator[str]:
    with serving_at(place, vllm) as (found, process):
        yield found
    until(lambda: not _serving(place))  # nothing is left behind
    process.communicate()


CHANGES = ("resources.device=cpu", "resources.threads=1", "resources.cpu_cache_gb=0.5")


def _serving(place: Path) -> list[int]:
    """Processes of the vLLM server of this test, its guard and its engine among them."""
    return [process.pid for port in serving(place).values() for process in port]


def _command(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


def opened(policy: ArtifactRef, *addresses: str, stall: float = 600.0) -> EndpointEngine:
    return EndpointEngine(addresses, policy, OPTIONS, stall=stall)


def test_a_served_policy_gives_the_samples_of_a_local_one(
    place: Path, policy: ArtifactRef, address: str, vllm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, vllm)
    engine = opened(policy, address)
    seen: list[tuple[int, int]] = []
    found = engine.sample(PROMPTS, REQUESTS, SAMPLING, lambda *pair: seen.append(pair))
    local = open_engine(
        "vllm",
        place / "store" / policy.location,
        resources=Resources(device="cpu", batch_size=16, threads=1, cpu_cache_gb=0.5),
        dtype="float32",
        log=place / "local.log",
        home=place,
    )
    tokens = [[1, *range(4, 4 + length)] for length in (9, 12, 15)]
    turns = replace(SAMPLING, stop=(), ends=(20, 21, 22), special=True)
    try:
        expected = local.sample(PROMPTS, REQUESTS, SAMPLING)
        ended = local.sample(tokens, REQUESTS, turns)
    finally:
        local.close()
    as_tokens = engine.sample(tokens, REQUESTS, turns)
    assert sum(a == b for a, b in zip(as_tokens, ended, strict=True)) >= len(REQUESTS) - 2
    assert "stop" in {one.finish for one in as_tokens}
    # The last bit of a sum depends on the batch, so a sample may differ now and then.
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= len(REQUESTS) - 2
    assert seen[-1] == (len(REQUESTS), len(REQUESTS))
    greedy = Sampling(temperature=0.0, max_tokens=8)
    assert engine.sample(PROMPTS, [(1, 1), (1, 2)], greedy)[0].tokens > 0


def test_a_served_policy_weighs_choices_as_the_model_does(
    place: Path, policy: ArtifactRef, address: str
) -> None:
    folder = place / "store" / policy.location
    managed = EndpointEngine(
        [address], policy, OPTIONS, stall=600.0, tokenizer=lambda: policy_tokenizer(folder)
    )
    for choices in (("1", "2"), ("yes it is", "yes it was", "no")):
        expected = choose(
            AutoModelForCausalLM.from_pretrained(folder).eval(),
            policy_tokenizer(folder),
            PROMPTS,
            choices,
            batch_size=1,
        )
        served = managed.choose(PROMPTS, choices)
        # The same vLLM as a server that others started, in the two exact ways that it has.
        url = f"http://127.0.0.1:{int(address.split(':')[-1]) + 1}"
        for way in ("ids", "echo"):
            plain = EndpointEngine(
                [url], policy, OPTIONS, stall=600.0, tokenizer=lambda: policy_tokenizer(folder)
            )
            if way == "echo":  # as one that does not know token ids
                plain._ways[url] = way
            for ours, theirs, wanted in zip(
                plain.choose(PROMPTS, choices), served, expected, strict=True
            ):
                assert ours == pytest.approx(wanted, abs=1e-3)
                assert theirs == pytest.approx(wanted, abs=1e-3)
            assert plain._ways == {url: way}


def test_two_shards_at_once_get_their_own_samples(policy: ArtifactRef, address: str) -> None:
    engine = opened(policy, address)
    shards = [[(i % 3, 100 * shard + i) for i in range(60)] for shard in (1, 2)]
    alone = [engine.sample(PROMPTS, requests, SAMPLING) for requests in shards]
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda one: engine.sample(PROMPTS, one, SAMPLING), shards))
    for expected, found in zip(alone, both, strict=True):
        assert sum(a == b for a, b in zip(expected, found, strict=True)) >= len(expected) - 2


def test_a_server_that_is_killed_on_the_way_costs_no_sample(
    place: Path, policy: ArtifactRef, address: str
) -> None:
    engine = opened(policy, address)
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if done >= total / 2 and not killed:
            # The server and its guard, as an administrator would; the engine's process stays.
            killed.extend(pid for pid in _serving(place) if "api_server" in _command(pid))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    requests = [(i % 3, i) for i in range(600)]
    found = engine.sample(PROMPTS, requests, SAMPLING, kill)
    assert killed and len(found) == 600
    assert len([pid for pid in _serving(place) if "EngineCore" in _command(pid)]) == 1
    assert {one.finish for one in found} <= {"stop", "length"}


def test_a_prompt_that_does_not_fit_is_marked_and_the_rest_is_sampled(
    policy: ArtifactRef, address: str
) -> None:
    engine = opened(policy, address)
    found = engine.sample([PROMPTS[0], "3" * 5000], [(0, 1), (1, 2), (0, 3)], SAMPLING)
    assert [one.finish == "error" for one in found] == [False, True, False]
    with pytest.raises(UserError, match=r"^sampling\.max_tokens: no prompt fits"):
        engine.sample(["3" * 5000], [(0, 1)], SAMPLING)


def test_the_end_of_a_stage_ends_the_engine(place: Path, policy: ArtifactRef, address: str) -> None:
    engine = opened(policy, address)
    engine.sample(PROMPTS, [(0, 1)], SAMPLING)
    assert _serving(place) != []
    engine.close()
    assert _serving(place) == []


def test_a_policy_that_the_server_does_not_have_is_one_line(
    policy: ArtifactRef, address: str
) -> None:
    strange = ArtifactRef("models", "b" * 32, "no digest", 0)
    with pytest.raises(UserError, match=r"^resources\.endpoints: .* no policy models/b"):
        opened(strange, address).sample(PROMPTS, [(0, 1)], SAMPLING)


def test_why_vllm_does_not_start_is_said_to_the_person_and_to_the_run(
    place: Path, policy: ArtifactRef, vllm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_at(place, vllm, "resources.cpu_cache_gb=4000") as (address, process):
        monkeypatch.setenv(TOKEN, read_secret(place / "engine-token"))
        engine = opened(policy, address)
        with pytest.raises(StepError) as caught:
            engine.sample(PROMPTS, REQUESTS[:1], SAMPLING)  # no other is under way meanwhile
    _, said = process.communicate()
    (log,) = (place / "logs").glob(f"engine-serve-{int(address.split(':')[-1]) + 1}.log")
    reason = f"vLLM did not start: ValueError: Available memory on node 0 .* [(]log: {log}[)]"
    assert re.fullmatch(f"resources[.]endpoints: {address}: {reason}", str(caught.value))
    lines = [line for line in said.splitlines() if "vLLM" in line]
    assert len(lines) == STARTS and all(re.fullmatch(reason, line) for line in lines)


class Plain(BaseHTTPRequestHandler):
    """As a server with another model answers."""

    def do_PUT(self) -> None:
        self.send_error(404)

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": "another-model"}]}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_plain_server_with_another_model_is_refused(policy: ArtifactRef) -> None:
    with HTTPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(UserError, match=r"serves another-model, and this step samples from"):
            opened(policy, address).sample(PROMPTS, [(0, 1)], SAMPLING)
        server.shutdown()


def test_no_server_at_all_is_said_after_the_time_to_wait(policy: ArtifactRef) -> None:
    engine = opened(policy, f"http://127.0.0.1:{free_port()}", stall=1.0)
    with pytest.raises(StepError, match=r"^resources\.endpoints: none answers"):
        engine.sample(PROMPTS, [(0, 1)], SAMPLING)
