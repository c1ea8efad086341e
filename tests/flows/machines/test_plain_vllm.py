"""A `vllm serve` that somebody else started with this very policy, which has wild defaults."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tasks.errors import UserError
from tasks.generate.engine import open_engine, vllm_variables
from tasks.generate.vllm_engine import ENVIRONMENT
from tasks.generate.vllm_environment import VARIABLE
from tasks.settings import Resources
from tasks.store.store import ArtifactRef
from tests.flows.machines.test_endpoints import (
    PROMPTS,
    REQUESTS,
    SAMPLING,
    opened,
    place,  # noqa: F401 - fixture
    policy,  # noqa: F401 - fixture
    vllm,  # noqa: F401 - fixture
)
from tests.ports import free_port

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]  # vLLM is started three times
START_SECONDS = 300.0


@contextlib.contextmanager
def serving(python: str, model: Path, name: str, log: Path, *flags: str) -> Iterator[str]:
    """The address of a vLLM server."""
    port = free_port()
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--served-model-name", name, "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--max-model-len", "1024", "--max-num-seqs", "16"),
        *("--enforce-eager", "--no-enable-chunked-prefill"),
        *("--kv-cache-memory-bytes", str(2**28), *flags),
    ]
    env = {**os.environ, **ENVIRONMENT, **vllm_variables(log.parent, 1)}
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=sink, env=env, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
                    break
            time.sleep(0.2)
        else:
            pytest.fail(log.read_text()[-2000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_one_that_caps_completions_is_refused_with_the_flag_that_helps(
    place: Path,  # noqa: F811
    policy: ArtifactRef,  # noqa: F811
    vllm: str,  # noqa: F811
) -> None:
    model = place / "store" / policy.location
    flags = ("--generation-config", str(model))  # of which vLLM takes max_new_tokens as a cap
    with (
        serving(vllm, model, policy.digest, place / "plain.log", *flags) as address,
        pytest.raises(UserError) as caught,
    ):
        opened(policy, address).sample(PROMPTS, REQUESTS, SAMPLING)
    said = str(caught.value)
    assert said.startswith(f"resources.endpoints: {address}/v1 ends completions earlier")
    assert "--generation-config vllm" in said


def test_one_with_the_defaults_of_vllm_gives_the_samples_of_a_local_engine(
    place: Path,  # noqa: F811
    policy: ArtifactRef,  # noqa: F811
    vllm: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, vllm)
    model = place / "store" / policy.location
    with serving(vllm, model, policy.digest, place / "plain.log") as address:
        found = opened(policy, address).sample(PROMPTS, REQUESTS, SAMPLING)
    local = open_engine(
        "vllm",
        model,
        resources=Resources(device="cpu", batch_size=16, threads=1, cpu_cache_gb=0.25),
        dtype="float32",
        log=place / "local.log",
        home=place,
    )
    try:
        expected = local.sample(PROMPTS, REQUESTS, SAMPLING)
    finally:
        local.close()
    # The last bit of a sum depends on the batch, so a sample may differ now and then.
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= len(REQUESTS) - 2
