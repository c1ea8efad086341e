"""What `restem engine serve` asks vLLM for, and what it says of one that does not start."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from flows.machines.vllm_server import check_flags, memory_flags, root_cause
from tasks.errors import UserError
from tasks.settings import Resources


@pytest.mark.parametrize(
    ("device", "has_gpu", "bound"),
    [
        ("cpu", True, ("--kv-cache-memory-bytes", str(2**29))),
        ("auto", False, ("--kv-cache-memory-bytes", str(2**29))),
        ("auto", True, ("--gpu-memory-utilization", "0.5")),
        ("cuda", True, ("--gpu-memory-utilization", "0.5")),
    ],
)
def test_vllm_takes_what_the_resources_say(
    monkeypatch: pytest.MonkeyPatch, device: str, has_gpu: bool, bound: tuple[str, str]
) -> None:
    monkeypatch.setattr("tasks.generate.engine._has_cuda", lambda: has_gpu)
    asked = {"device": device, "cpu_cache_gb": 0.5, "memory_fraction": 0.5}
    flags = memory_flags(Resources.model_validate(asked))
    assert bound in pairwise(flags)
    assert ("--gpu-memory-utilization" in flags) is (bound[0] == "--gpu-memory-utilization")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "(EngineCore pid=9) ERROR 11-26 [core.py:7]     raise ValueError(\n"
            "(EngineCore pid=9) ERROR 11-26 [core.py:7] ValueError: no memory (1.0/2.0)\n"
            "(EngineCore pid=9) ValueError: no memory (1.0/2.0)\n"
            "RuntimeError: Engine core initialization failed. See root cause above. Failed: {}\n",
            "ValueError: no memory (1.0/2.0)",
        ),
        (
            "usage: api_server.py [-h]\napi_server.py: error: unrecognized arguments: --x\n",
            "error: unrecognized arguments: --x",
        ),
        (
            "torch.OutOfMemoryError: CUDA out of memory\n",
            "torch.OutOfMemoryError: CUDA out of memory",
        ),
        ("Killed\n\n", "Killed"),
        ("", "it said nothing"),
    ],
)
def test_the_line_that_says_why(tmp_path: Path, said: str, cause: str) -> None:
    log = tmp_path / "vllm.log"
    before = "KeyError: of an earlier start\n"
    log.write_text(before + said)
    assert root_cause(log, len(before)) == cause


@pytest.mark.parametrize(
    "flags",
    [
        ["--generation-config", "auto"],
        ["--max-model-len", "1024", "--generation_config=auto"],
        ["--override-generation-config", '{"top_k": 1}'],
        ["--override-generation-config.top_k", "1"],
    ],
)
def test_a_flag_that_would_change_samples_is_refused(flags: list[str]) -> None:
    with pytest.raises(UserError, match=r"^--(override-)?generation-config: [^\n]*$"):
        check_flags(flags)


def test_other_flags_are_taken() -> None:
    check_flags(["--max-model-len", "1024", "--enforce-eager"])
