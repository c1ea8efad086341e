"""vLLM serves what was exported, as it stands, and gives the greedy answers of the run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows.api.export.export import export
from flows.api.export.source import read_source
from tasks.dag.runtime import home
from tasks.generate.engine import vllm_variables
from tasks.generate.vllm_engine import ENVIRONMENT
from tasks.generate.vllm_environment import VARIABLE
from tests.flows.api.export_parts import greedy_answers
from tests.flows.conftest import Restem
from tests.needs import lacking
from tests.ports import free_port

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
ASKED = 20
# What `vllm serve FOLDER` runs; the CPU build lacks the command itself.
SERVE = "vllm.entrypoints.openai.api_server"
OPTIONS = ("--dtype", "float32", "--max-model-len", "256", "--enforce-eager")
MEMORY = ("--kv-cache-memory-bytes", str(1 << 28), "--no-enable-chunked-prefill")


@pytest.fixture
def served(there: Restem, tmp_path: Path) -> Iterator[str]:
    """Address of a vLLM that serves the exported policy."""
    python = os.environ.get(VARIABLE) or lacking(f"{VARIABLE} is not set: no vLLM")
    folder = export("latest:2", str(tmp_path / "policy"))
    port = free_port()
    log = (tmp_path / "vllm.log").open("w")
    process = subprocess.Popen(
        [
            *(python, "-m", SERVE, "--model", folder, "--served-model-name", "exported"),
            *("--host", "127.0.0.1", "--port", str(port), *OPTIONS, *MEMORY),
        ],
        env={**os.environ, **ENVIRONMENT, **vllm_variables(home(), 1), "PYTHONPATH": ""},
        cwd=tmp_path,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert process.poll() is None, (tmp_path / "vllm.log").read_text()[-3000:]
            try:
                httpx.get(f"{address}/health", timeout=60, trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(300)


def test_vllm_serves_the_policy_with_the_answers_of_the_run(served: str) -> None:
    source = read_source("latest:2")
    asked = greedy_answers(source)[:ASKED]
    done = httpx.post(
        f"{served}/v1/completions",
        json={
            "model": "exported",
            "prompt": [prompt for prompt, _ in asked],
            "temperature": 0,
            "max_tokens": source.config.sampling.max_tokens,
            "stop": ["\n"],
        },
        timeout=300,
        trust_env=False,
    )
    choices = sorted(done.raise_for_status().json()["choices"], key=lambda one: one["index"])
    assert [one["text"] for one in choices] == [answer for _, answer in asked]
