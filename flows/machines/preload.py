"""Imports what samplers and trainers need; the fork server imports it before the first fork.

transformers and TRL load most of themselves only when a name is asked for, so naming the packages
would leave 3 s of imports to every child.

Imports make hundreds of thousands of objects and next to no garbage. Without the collector they
take a quarter less. `gc.freeze` takes what they made out of its sight, so that the first collection
of a child neither walks over all of it nor copies the memory that the forks share.
"""

# ruff: noqa: E402, F401
import gc

gc.disable()

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

gc.freeze()
gc.enable()
