"""A server of engines starts vLLM with a run's arguments, and not with what is not for guests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.machines.engine_server import EngineServer, PolicyRequest, serving
from tasks.dag.runtime import home, open_store
from tasks.errors import UserError
from tasks.generate.endpoint import EngineOptions
from tasks.generate.vllm_engine import POLICY
from tasks.generate.vllm_environment import VARIABLE
from tasks.settings import Resources
from tasks.settings.vllm_args import VllmArgs
from tasks.store.store import ArtifactRef
from tests.needs import lacking
from tests.ports import free_port
from tests.tasks.decoding.decoding_parts import save

RESOURCES = Resources(
    device="cpu", threads=1, cpu_cache_gb=0.25, vllm_args=["block_size=32", "stream_interval=4"]
)


@pytest.fixture
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactRef:
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))
    store = open_store(RESOURCES)
    with store.draft("models", "a" * 32) as draft:
        save(draft.path)
    found = store.lookup("models", "a" * 32)
    assert found is not None
    return found


@pytest.fixture
def server(policy: ArtifactRef) -> Iterator[EngineServer]:
    made = EngineServer("127.0.0.1", free_port(2), RESOURCES, ["--max-model-len", "512"], "token")
    yield made
    made.end()


def asked(policy: ArtifactRef, args: VllmArgs) -> PolicyRequest:
    options = EngineOptions("float32", 16, args)
    return PolicyRequest.from_json({"policy": policy.to_json(), **options.to_json()})


def commands() -> list[str]:
    """Command lines of vLLM's processes."""
    found: list[str] = []
    for one in serving(home()).values():
        for process in one:
            with contextlib.suppress(psutil.Error):
                found.append(" ".join(process.cmdline()))
    return [line for line in found if "api_server" in line]


def test_vllm_is_started_with_those_of_the_run_and_of_the_server_and_policies_under_one_name(
    policy: ArtifactRef, server: EngineServer, vllm_python: Path
) -> None:
    """One test of both, for each start of vLLM takes a minute.

    Under the name of a policy vLLM keeps its compiled code.
    """
    server.serve(asked(policy, {"disable_sliding_window": True}))
    (line, *_) = commands()
    for flag in ("--disable-sliding-window", "--block-size 32", "--stream-interval 4"):
        assert flag in line
    store = open_store(RESOURCES)
    with store.draft("models", "b" * 32) as draft:
        save(draft.path)
        (draft.path / "notes.txt").write_text("another policy")
    other = store.lookup("models", "b" * 32)
    assert other is not None
    lines: list[str] = []
    for one in (policy, other):
        server.serve(asked(one, {}))  # another engine than the first, for it samples otherwise
        (line, *_) = commands()
        assert "--disable-sliding-window" not in line and "--block-size 32" in line
        lines.append(line.replace(one.digest, "DIGEST"))
        (process, *_) = next(iter(serving(home()).values()))
        assert (Path(process.cwd()) / POLICY).samefile(store.path(one))
    assert lines[0] == lines[1] and f"--model {POLICY} " in lines[0]


@pytest.mark.parametrize(
    "args",
    [
        {"download_dir": "/etc"},
        {"trust_remote_code": True},
        {"worker_cls": "os.system"},
        {"hf_overrides": {}},
        {"quantization": "/etc/passwd"},
        {"middleware": "os.system"},
    ],
)
def test_what_names_files_or_code_is_refused_before_anything_starts(
    policy: ArtifactRef, server: EngineServer, args: VllmArgs
) -> None:
    with pytest.raises(UserError, match=r"^sampling\.vllm_args: \w+.*may not ask it"):
        server.serve(asked(policy, args))
    assert server.state() == {"digest": "", "url": ""} and not commands()


def test_a_run_without_any_asks_as_before(policy: ArtifactRef) -> None:
    assert EngineOptions("float32", 16).to_json() == {"dtype": "float32", "batch_size": 16}
