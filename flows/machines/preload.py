"""Imports what samplers and trainers need; the fork server imports it before the first fork.

transformers and TRL load most of themselves only when a name is asked for, so naming the packages
would leave 3 s of imports to every child.
"""

# ruff: noqa: F401
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    PrinterCallback,
)
from transformers.models.llama import modeling_llama  # with what all models share
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

import tasks.decoding.decode
import tasks.finetune.callbacks
import tasks.finetune.checkpoints
import tasks.finetune.export
import tasks.finetune.packing
import tasks.finetune.supervised
import tasks.finetune.trainer
import tasks.generate.transformers_engine
