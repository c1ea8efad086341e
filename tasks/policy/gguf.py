"""GGUF files into model folders that transformers, vLLM and the trainers all load.

A GGUF file is quantised; sampling and fine-tuning need plain weights, so it is dequantised once
into safetensors. Float32, because four-bit scales are not exact in bfloat16 and the base policy
should be the same whatever the number format it is later run in. No network is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.processes.wire import Message, Wire, answer_requests

GGUF_MAGIC = b"GGUF"


def packaged_file(module: str, out: Path) -> Path:
    """The GGUF file of a Python package: the one it carries, or one that it assembles.

    A package that carries one file is not imported: what else it can do may need other packages.

    Args:
        module: Importable package with one .gguf file in it, or with a function `assemble(path)`.
        out: Where to assemble it.

    Raises:
        UserError: there is no such package, it carries several files, or cannot assemble one.
    """
    spec = importlib.util.find_spec(module)
    folders = (spec and spec.submodule_search_locations) or []
    files = sorted(file for folder in folders for file in Path(folder).rglob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise UserError(
            f"model.base: package {module} carries {names}; expected one, or the path of a file"
        )
    if files:
        return files[0]
    _assemble(module, out)
    return out


def _assemble(module: str, out: Path) -> None:
    try:
        assemble = importlib.import_module(module).assemble
    except ImportError as error:
        raise UserError(f"model.base: package {module} cannot be imported ({error})") from None
    except AttributeError:
        raise UserError(
            f"model.base: package {module} has no .gguf file and no function assemble(path); "
            "expected a package that carries or assembles a GGUF file"
        ) from None
    # A file that a killed run left half-written would make the package refuse.
    out.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        assemble(out)
    except (OSError, ImportError, ValueError) as error:
        raise UserError(
            f"model.base: package {module} could not assemble its file: {error}"
        ) from None


def convert_gguf(gguf: Path, out: Path) -> None:
    """Dequantise a GGUF file into a folder with config, tokenizer and safetensors.

    Args:
        gguf: The file; its architecture must be one that transformers reads from GGUF.
        out: Folder for the model; made if need be. Peak memory is about twice the float32 size.

    Raises:
        UserError: not a GGUF file, or an architecture that transformers cannot read.
    """
    with gguf.open("rb") as file:
        if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise UserError(f"model.base: {gguf} is not a GGUF file")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
        tokenizer = AutoTokenizer.from_pretrained(**place, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            **place, dtype=torch.float32, trust_remote_code=False
        )
    except ImportError as error:
        raise UserError(f"model.base: GGUF needs another package: {error}") from None
    except ValueError as error:
        raise UserError(f"model.base: {gguf}: transformers cannot read it: {error}") from None
    # The weights are plain from here on: without these two the loaders look for a quantiser.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    shutil.rmtree(out / ".cache", ignore_errors=True)


def main(wire: Wire) -> None:
    """Convert in a child process, so that the memory it takes is free afterwards."""
    answer_requests(wire, _handle)


def _handle(request: Message, wire: Wire) -> Message:
    gguf = Path(request["gguf"])
    if request["package"]:
        gguf = packaged_file(request["package"], gguf)
    convert_gguf(gguf, Path(request["out"]))
    return {}
