"""QLoRA (Dettmers et al., arXiv 2305.14314): adapters on a base whose weights have four bits.

bitsandbytes quantizes the base to NF4 as it is loaded, on a GPU. The adapters are float32. They are
merged into the base as its files have it, not into its rounded form. So the exported policy is not
quite the one that was trained and validated: what quantizing did to the base is not in it. Does not
cover a model that is split (train_strategy = "fsdp").
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from tasks.errors import UserError
from tasks.settings import FinetuneSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACKAGE = "bitsandbytes"


def refuse_without_package(settings: FinetuneSettings) -> None:
    """See that what quantizes is installed here.

    Raises:
        UserError: it is not, and it is needed.
    """
    if settings.method == "qlora" and importlib.util.find_spec(PACKAGE) is None:
        raise UserError(
            f"finetune.method: qlora needs {PACKAGE}, which is not installed; pip install "
            f"{PACKAGE}, or expected lora or full"
        )


def load_quantized(folder: str, settings: FinetuneSettings, device: str) -> PreTrainedModel:
    """A model folder's model with weights of four bits, ready for adapters.

    Args:
        folder: Of the model.
        settings: Of the fine-tune.
        device: cuda; on a cpu it is refused.

    Raises:
        UserError: there is no GPU, or the package is missing.
    """
    if device != "cuda":
        raise UserError("finetune.method: qlora needs a GPU (CUDA); expected lora or full")
    refuse_without_package(settings)
    import torch
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    model = AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        device_map={"": torch.cuda.current_device()},
        use_safetensors=True,
        trust_remote_code=False,
    )
    # Whether activations are computed again is the trainer's business.
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
