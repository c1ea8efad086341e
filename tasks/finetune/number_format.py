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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

CONFIG = "config.json"
FLOAT32 = "float32"
_SHORT = ("bfloat16", "float16")


def format_of(config: Mapping[str, Any]) -> str:
    """The number format that a model's configuration names.

    Args:
        config: Content of config.json.

    Returns:
        bfloat16, float16 or float32; float32 for any other and for none.
    """
    for part in (config, config.get("text_config") or {}):
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
        Adapters beside a weight stay as they are: on export they are added to it before it is
        rounded.

        Args:
            model: Plain, whole, in float32.
        """
        import torch

        if not self:
            yield
            return
        true: dict[torch.nn.Parameter, torch.Tensor] = {}
        try:
            for name, parameter in model.named_parameters():
                if parameter.dtype == torch.float32:
                    if ".lora_" in name:
                        continue
                    rounded = parameter.data.to(self.dtype(name.replace(".base_layer", "")))
                    # Engines load every weight in one format, for layers expect that.
                    kept = getattr(torch, self.format) if parameter.is_cuda else torch.float32
                    true[parameter], parameter.data = parameter.data, rounded.to(kept)
            yield
        finally:
            for parameter, data in true.items():
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
