"""How a training process is set up: memory, threads, device, and how a batch is cut."""

from __future__ import annotations

import ctypes

from tasks.finetune.process_group import Ranks
from tasks.processes.cores import usable_cores
from tasks.settings import Resources

# glibc's mallopt options, and the size up to which freed blocks stay in the process.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 30


def micro_batch(batch_size: int, most: int) -> int:
    """Sequences of a forward pass: the largest divisor of `batch_size` that is at most `most`.

    Args:
        batch_size: Sequences of an optimiser step, those of one process.
        most: Of a forward pass.
    """
    return next(n for n in range(min(batch_size, most), 0, -1) if batch_size % n == 0)


def keep_freed_memory() -> None:
    """Have malloc hold on to what activations free, for the next step will ask for it again.

    Giving it back to the system and faulting it in anew took a tenth of a small model's step.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            libc.mallopt(option, KEPT_BYTES)


def set_up_torch(resources: Resources) -> str:
    """Set the number of threads; the device: cpu or cuda."""
    import torch

    cores = max(1, usable_cores() // Ranks().count)
    torch.set_num_threads(resources.threads or cores)
    if resources.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return resources.device
