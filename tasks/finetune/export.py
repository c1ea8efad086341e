"""The trained policy as a folder that transformers and vLLM load, the same bytes every time.

Holds config, weights (safetensors), generation settings and the start model's own tokenizer files,
and nothing that differs from run to run: no training arguments, times or paths. Weights are in the
number format of the start model (number_format.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.finetune.load_model import adapted
from tasks.finetune.number_format import Rounding
from tasks.processes.wire import Message
from tasks.settings import FinetuneSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What belongs to a tokenizer or to sampling; whatever of it the start model has is copied as it is,
# because saving a loaded tokenizer again may rewrite it.
COMPANIONS = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)


def export(model: PreTrainedModel, weights: Path, start: Path, out: Path) -> None:
    """Write a model folder.

    Args:
        model: The model as trained, adapters included; it is changed.
        weights: Weights to put into it first (CheckpointFolder.keep).
        start: Folder of the model that training started from.
        out: Folder to write; what it holds is replaced.
    """
    import torch
    from safetensors.torch import load_file

    kept = load_file(weights)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(kept.pop(name))
    if kept:
        raise ValueError(f"{weights.name} holds weights of another model: {sorted(kept)[:3]}")
    model = getattr(model, "merge_and_unload", lambda: model)()
    Rounding(start).apply(model)
    write_policy(model, start, out)


def export_afresh(job: Message, settings: FinetuneSettings, weights: Path) -> None:
    """Write the model folder of a job whose own model cannot be written: split, or of four bits.

    The base is read in the format of its files and changed weight by weight, so memory for one
    policy in that format is needed.

    Args:
        job: `model` and `out` are used.
        settings: Whether there are adapters.
        weights: As `export` takes them.
    """
    import torch
    from transformers import AutoModelForCausalLM

    start, out = Path(job["model"]), Path(job["out"])
    model = AutoModelForCausalLM.from_pretrained(
        start, dtype="auto", use_safetensors=True, trust_remote_code=False
    )
    model = adapted(model, settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()  # the files of the base stay as they are
    export(model, weights, start, out)


def write_policy(model: PreTrainedModel, start: Path, out: Path) -> None:
    """Write a model whose weights are as they shall be; arguments as those of `export`."""
    from transformers import AutoConfig

    # Training turns the cache off and such; none of that belongs to the policy.
    model.config = AutoConfig.from_pretrained(start, trust_remote_code=False)
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)  # written for the owner alone, unlike the rest
    for name in COMPANIONS:
        if (start / name).exists():
            shutil.copyfile(start / name, out / name)
