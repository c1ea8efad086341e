"""The model to be trained, as it is loaded: plain, with adapters, whole or split.

Loads no torch before it is needed, for the trainer counts its imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tasks.processes.wire import Message
from tasks.settings import FinetuneSettings

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel


def is_split(resources: Message) -> bool:
    """Whether no process has the whole model."""
    return resources["train_processes"] > 1 and resources["train_strategy"] == "fsdp"


def adapted(model: PreTrainedModel, settings: FinetuneSettings) -> PreTrainedModel:
    """A model with adapters around it, where there are any."""
    if not settings.has_adapters:
        return model
    from peft import get_peft_model

    return cast("PreTrainedModel", get_peft_model(model, adapters(settings, model)))


def load_for(settings: FinetuneSettings, job: Message, device: str) -> PreTrainedModel:
    """The model of a job as it is trained, without adapters unless it is split.

    Raises:
        UserError: it cannot be loaded so on this machine.
    """
    folder = job["model"]
    if is_split(job["resources"]):
        from tasks.finetune.split_model import load_split

        return load_split(job, settings, device)
    if settings.method == "qlora":
        from tasks.finetune.quantized import load_quantized

        return load_quantized(folder, settings, device)
    return load_plain(folder, device)


def load_plain(folder: str, device: str = "cpu") -> PreTrainedModel:
    """A model folder's model, its weights float32 and in memory of their own.

    Args:
        folder: Of the model.
        device: Where its weights are to lie. On a GPU they come in the format of the files, which
            are mapped, and become float32 there.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from tasks.finetune.families import mend

    # Weights stay float32 everywhere; on CUDA the passes run in bfloat16.
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32 if device == "cpu" else "auto",
        use_safetensors=True,
        trust_remote_code=False,
    )
    for parameter in model.parameters():
        # Weights that lie in the mapped file may be aligned otherwise than those a checkpoint
        # brings, and alignment may change the last bit of a sum.
        parameter.data = parameter.data.to(device, torch.float32, copy=True)
    if device != "cpu":
        model.to(device)  # pyright: ignore[reportArgumentType] - what else it has
    mend(model)
    return model


def adapters(settings: FinetuneSettings, model: PreTrainedModel) -> LoraConfig:
    """The configuration of a model's adapters."""
    from peft import LoraConfig

    from tasks.finetune.families import without_adapter

    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        exclude_modules=without_adapter(model) or None,
        task_type="CAUSAL_LM",
    )
