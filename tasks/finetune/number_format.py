"""The number format of a policy: that of the base, in which it is exported and validated.

Training is in float32. A policy of a 16-bit base is rounded once, when it is exported, and has the
base's size; validation looks at the rounded weights (`as_exported`), so its rewards are those of
the policy that is kept. Weights that the base's files hold in float32 although its format is
another (routers, decays of recurrent layers) stay so. Nothing is rounded for a base in float32, nor
for one whose configuration names no format.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

CONFIG = "config.json"
FLOAT32 = "float32"
ADAPTER = ".lora_"
_SHORT = ("bfloat16", "float16")


def format_of(config: Mapping[str, object]) -> str:
    """The number format that a model's configuration names.

    Args:
        config: Content of config.json.

    Returns:
        bfloat16, float16 or float32; float32 for any other and for none.
    """
    text = config.get("text_config")
    for part in (config, text if isinstance(text, Mapping) else {}):
        for name in ("dtype", "torch_dtype"):
            if part.get(name):
                said = str(part[name]).removeprefix("torch.")
                return said if said in _SHORT else FLOAT32
    return FLOAT32


def format_of_folder(model: Path) -> str:
    """The number format of a model folder; see `format_of`."""
    return format_of(json.loads((model / CONFIG).read_text(encoding="utf-8")))


class Rounding:
    """How the weights of a policy are rounded when it is exported."""

    def __init__(self, start: Path) -> None:
        """Look at a model folder.

        Args:
            start: What training starts from.
        """
        self.format = format_of_folder(start)
        self._whole: set[str] = _names_in_float32(start) if self else set()

    def __bool__(self) -> bool:
        """Whether anything is rounded."""
        return self.format != FLOAT32

    def dtype(self, name: str) -> torch.dtype:
        """The format of a weight, by its name in the plain model."""
        import torch

        return torch.float32 if name in self._whole else getattr(torch, self.format)

    def kept(self, name: str) -> torch.dtype:
        """The format in which a trained weight is kept until it is exported."""
        import torch

        return torch.float32 if not self or ADAPTER in name else self.dtype(name)

    def apply(self, model: PreTrainedModel) -> None:
        """Round the weights of a plain model, one after the other."""
        if self:
            for name, parameter in model.named_parameters():
                if parameter.is_floating_point():
                    parameter.data = parameter.data.to(self.dtype(name))

    @contextmanager
    def as_exported(self, model: PreTrainedModel) -> Generator[None]:
        """Let a model compute with its weights as they would be exported; back after the block.

        On CUDA in the format itself, elsewhere in float32 with rounded weights. The true weights
        are kept meanwhile, so that half of their size is needed besides (on a CPU all of it).
        Adapters and what they stand beside are let be: on export their sum is rounded.

        Args:
            model: Plain, in float32, whole or split.
        """
        true: dict[torch.nn.Parameter, torch.Tensor] = {}
        try:
            if self:
                for name, parameter in model.named_parameters():
                    if parameter.requires_grad and ADAPTER not in name:
                        true[parameter] = _replace(parameter, self.dtype(name))
            yield
        finally:
            for parameter, data in true.items():
                _put_back(parameter, data)


def _replace(parameter: torch.nn.Parameter, format: torch.dtype) -> torch.Tensor:
    """Round a parameter where it lies; what it was."""
    import torch
    from torch.distributed.tensor import DTensor

    if isinstance(parameter, DTensor):  # its memory has to stay where it is
        part = parameter.to_local().detach()
        before = part.clone()
        part.copy_(part.to(format))
        return before
    before = parameter.data
    # On a GPU passes are made in 16 bits, as an engine makes them.
    kept = torch.float32 if parameter.device.type == "cpu" else format
    parameter.data = before.to(format).to(kept)
    return before


def _put_back(parameter: torch.nn.Parameter, data: torch.Tensor) -> None:
    from torch.distributed.tensor import DTensor

    if isinstance(parameter, DTensor):
        parameter.to_local().detach().copy_(data)
    else:
        parameter.data = data


def _names_in_float32(folder: Path) -> set[str]:
    """The weights that a model folder's files hold in float32, by the headers alone."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        found |= {
            name for name, one in header.items() if name != "__metadata__" and one["dtype"] == "F32"
        }
    return found
