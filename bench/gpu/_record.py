"""What a step is told, and the lines that it writes: JSON, one a case, on the disk at once."""

from __future__ import annotations

import json
import math
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tasks.errors import UserError
from tasks.rows import Json

Figure = str | float | int | bool | None | list[str] | list[float] | Mapping[str, float | int | str]
Device = Literal["cpu", "cuda"]
# Of a traceback so many lines are kept, the last ones.
TRACE_LINES = 8
_DIGITS = 6


@dataclass(frozen=True)
class Bench:
    """One step under way.

    Attributes:
        step: Its name.
        out: The file of lines.
        scratch: Folder for models and checkpoints, removed at the end.
        small: Shapes for two cores in place of a GPU.
        began: When the first step began, seconds since 1970.
        until: When this step is ended, seconds since 1970.
    """

    step: str
    out: str
    scratch: str
    small: bool
    began: float
    until: float

    @property
    def device(self) -> Device:
        """Where models are.

        Raises:
            UserError: shapes are for a GPU, and there is none.
        """
        import torch

        if self.small:
            return "cpu"
        if not torch.cuda.is_available():
            raise UserError("no CUDA device is seen here; --cpu-small runs small shapes on a CPU")
        return "cuda"

    @property
    def place(self) -> Path:
        """This step's own folder."""
        folder = Path(self.scratch) / self.step
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def left(self) -> float:
        """Seconds until it is ended."""
        return self.until - time.time()

    def line(self, case: str, **figures: Figure) -> None:
        """Write a line: the step, the case, seconds since the start, and the figures."""
        known: Json = {"step": self.step, "case": case, "at": round(time.time() - self.began, 1)}
        known |= {name: _plain(value) for name, value in figures.items()}
        text = json.dumps(known, ensure_ascii=True) + "\n"
        with Path(self.out).open(
            "ab"
        ) as file:  # one write, so that lines of two processes stay whole
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def failed(self, case: str, error: BaseException) -> None:
        """Write what was raised, with the end of its traceback."""
        trace = "".join(traceback.format_exception(error)).strip().splitlines()
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        self.line(case, error=said, trace=trace[-TRACE_LINES:])

    def to_json(self) -> Json:
        """Plain JSON for the wire."""
        return asdict(self)


def _plain(value: Figure) -> Figure:
    if isinstance(value, float):
        # JSON has no such numbers.
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}  # type: ignore[misc]
    return value


def peak_gigabytes() -> float | None:
    """Most memory of the card that tensors took since `reset_peak`; None on a CPU."""
    import torch

    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return torch.cuda.max_memory_allocated() / 1e9


def reset_peak() -> None:
    """Count the peak anew, with what is not used given back first."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def wait_for(device: Device) -> None:
    """Until the card has done all that it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
