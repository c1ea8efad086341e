"""Which GPUs of this machine a run would leave idle, said before anything is paid for.

Cards are counted by what the driver shows of them, without CUDA: a process that has begun with CUDA
cannot fork others that use it. On a Ray cluster and at endpoints the cards are elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks.settings import Resources

_DRIVER = Path("/proc/driver/nvidia/gpus")
_DEVICES = Path("/dev")
_SEEN = "CUDA_VISIBLE_DEVICES"


def visible_gpus(driver: Path = _DRIVER, devices: Path = _DEVICES) -> int:
    """GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all of the machine.

    Args:
        driver: Where the driver has a folder for each card.
        devices: Where each card has a device; for containers, which are shown no such folders.
    """
    if (seen := os.environ.get(_SEEN)) is not None:
        names = [name.strip() for name in seen.split(",")]
        # CUDA reads the list up to the first name of no card.
        end = next((at for at, name in enumerate(names) if name in ("", "-1")), len(names))
        return end
    if driver.is_dir():
        return sum(1 for _ in driver.iterdir())
    return sum(1 for one in devices.glob("nvidia*") if one.name.removeprefix("nvidia").isdigit())


def idle_gpus(resources: Resources, gpus: int, *, trains: bool) -> list[str]:
    """A line for each stage that leaves some of several GPUs idle, with the field to set.

    Args:
        resources: Of the run.
        gpus: That it may use here.
        trains: Whether it fine-tunes policies too.
    """
    if gpus < 2 or resources.device == "cpu" or resources.ray_address:
        return []
    found = []
    each = max(1, resources.gpus_per_engine)
    used = resources.engines * each
    if used < gpus and not resources.endpoints:
        found.append(
            f"resources.engines: sampling uses {used} of {gpus} GPUs and the others idle; "
            f"{gpus // each} would use {'all' if gpus % each == 0 else 'more'}"
        )
    if trains and resources.train_processes < gpus:
        found.append(
            f"resources.train_processes: fine-tuning uses {resources.train_processes} of {gpus} "
            f"GPUs and the others idle; {gpus} would use all"
        )
    return found
