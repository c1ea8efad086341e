"""How `restem engine serve` asks vLLM for its memory, and what vLLM says when it does not start.

And which flags it takes from no one: those that would change what is sampled without standing in a
key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tasks.errors import UserError
from tasks.generate.engine import runs_on_cpu
from tasks.settings import Resources

# The line with which a Python program ends, or its parser of arguments, whatever stands before it.
_ERROR = re.compile(r"(?<![\w.])(?:[\w.]*(?:Error|Exception)|error): \S.*")
# How vLLM ends when another of its processes has said why.
_ELSEWHERE = "See root cause above"
_LONGEST = 300
# They bring defaults of the model or of the operator into requests, and cap their length.
_OF_SAMPLING = ("generation-config", "override-generation-config")


def check_flags(flags: Sequence[str]) -> None:
    """See that the operator's flags for vLLM leave sampling to requests.

    Raises:
        UserError: they do not.
    """
    for flag in flags:
        # vLLM takes underscores for hyphens, a value behind =, and a field of a value behind a dot.
        name = re.split(r"[=.]", flag.removeprefix("--"), maxsplit=1)[0].replace("_", "-")
        if flag.startswith("--") and name in _OF_SAMPLING:
            raise UserError(
                f"--{name}: samples are as runs ask for them, so restem engine serve sets it to "
                "vllm itself; expected other flags, and sampling in the run's configuration"
            )


def memory_flags(resources: Resources) -> list[str]:
    """Flags that bound the memory that vLLM takes, as an engine of a run is bounded.

    On CPU a share would be one of the whole machine, whatever else uses it (see
    tasks/generate/vllm_engine.py, also for the other flags).
    """
    if runs_on_cpu(resources):
        cache = str(int(resources.cpu_cache_gb * 2**30))
        flags = ["--enforce-eager", "--no-enable-chunked-prefill"]
        return [*flags, "--kv-cache-memory-bytes", cache]
    flags = ["--gpu-memory-utilization", str(resources.memory_fraction)]
    return [*flags, "--tensor-parallel-size", str(max(1, resources.gpus_per_engine))]


def root_cause(log: Path, begin: int) -> str:
    """The line that says why vLLM ended.

    Args:
        log: Its output.
        begin: Byte at which this start of it begins.
    """
    with log.open("rb") as file:
        file.seek(begin)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    found = [match[0] for line in lines if (match := _ERROR.search(line))]
    causes = [line for line in found if _ELSEWHERE not in line]
    said = [*filter(None, lines), *found, *causes] or ["it said nothing"]
    return said[-1][:_LONGEST]
