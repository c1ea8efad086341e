"""What this machine has for engines and trainers: memory and GPUs, asked of no library of CUDA."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

_CONTAINER = Path("/sys/fs/cgroup/memory.max")
_MIB = 2**20
_PATIENCE = 20.0  # seconds; a driver that starts takes some


@dataclass(frozen=True)
class Machine:
    """Memory in bytes.

    Attributes:
        memory: Of the machine, or of the container.
        gpus: Of each GPU that may be used here.
    """

    memory: int
    gpus: tuple[int, ...] = ()


def this_machine() -> Machine:
    """As it is now; no GPU where nvidia-smi shows none."""
    limit = _CONTAINER.read_text(encoding="ascii").strip() if _CONTAINER.is_file() else "max"
    memory = psutil.virtual_memory().total
    if limit.isdigit():
        memory = min(memory, int(limit))
    return Machine(memory, _gpus(os.environ.get("CUDA_VISIBLE_DEVICES")))


def _gpus(seen: str | None) -> tuple[int, ...]:
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=_PATIENCE, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    sizes = [int(line) * _MIB for line in told.split() if line.isdigit()]
    if seen is None:
        return tuple(sizes)
    # Which of them are meant does not matter where all are of one size, as they mostly are.
    return tuple(sorted(sizes)[: len([one for one in seen.split(",") if one.strip()])])
