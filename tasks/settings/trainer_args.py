"""Arguments of transformers' and TRL's trainers that are handed through as they are.

A list of those that mean something here: numbers, switches and words, none of which names a file,
an address or code. What a field of ours decides is refused with that field's name, and all others
too, for most of them have no effect on batches and losses of our own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Value = bool | int | float | str

# Name -> type. All change the result, if only in the last bits of sums.
ARGUMENTS: dict[str, type] = {
    "activation_offloading": bool,
    "adam_beta1": float,
    "adam_beta2": float,
    "adam_epsilon": float,
    "full_determinism": bool,
    "label_smoothing": float,
    "loss_type": str,
    "neftune_noise_alpha": float,
    "optim": str,
    "tf32": bool,
    "torch_compile": bool,
    "torch_compile_backend": str,
    "torch_compile_mode": str,
    "torch_empty_cache_steps": int,
    "use_liger_kernel": bool,
}
# Those of a preference (dpo) alone; the loss of rows is ours.
FOR_PAIRS = ("label_smoothing", "loss_type")
# Those that TRL's RLOOTrainer has not.
NOT_RL = ("activation_offloading",)
# What fields of ours decide.
OWNED = {
    "learning_rate": "finetune.learning_rate",
    "lr_scheduler_type": "finetune.schedule",
    "warmup_steps": "finetune.warmup",
    "warmup_ratio": "finetune.warmup",
    "weight_decay": "finetune.weight_decay",
    "max_grad_norm": "finetune.max_grad_norm",
    "num_train_epochs": "finetune.epochs",
    "max_steps": "finetune.epochs",
    "max_length": "finetune.max_length",
    "packing": "finetune.packing",
    "beta": "finetune.beta",
    "num_generations": "finetune.generations",
    "temperature": "finetune.temperature",
    "seed": "seed",
    "per_device_train_batch_size": "resources.train_batch_size",
    "gradient_accumulation_steps": "finetune.batch_size",
    "eval_strategy": "finetune.checks",
    "save_strategy": "resources.checkpoint_minutes",
    "save_steps": "resources.checkpoint_minutes",
    "bf16": "resources.device",
    "use_cpu": "resources.device",
    "report_to": "tracking",
}
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_SWITCHES = {"true": True, "false": False}


def parse_trainer_args(given: Sequence[str]) -> dict[str, Value]:
    """Arguments by name.

    Args:
        given: Each `name=value`.

    Raises:
        ValueError: one is no such argument, is decided by a field of ours, or has another type.
    """
    found: dict[str, Value] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if name in OWNED:
            raise ValueError(f"{name} is decided by {OWNED[name]}; set that")
        if not equals or name not in ARGUMENTS:
            raise ValueError(
                f"{text!r:.200}: expected name=value with one of: {', '.join(sorted(ARGUMENTS))}"
            )
        if name in found:
            raise ValueError(f"{name} stands there twice")
        found[name] = _value(name, value)
    return found


def _value(name: str, text: str) -> Value:
    kind = ARGUMENTS[name]
    try:
        if kind is bool:
            return _SWITCHES[text.lower()]
        if kind is str:
            if not _WORD.fullmatch(text):
                raise ValueError
            return text
        return kind(text)
    except (KeyError, ValueError):
        words = {bool: "true or false", str: "a word", int: "a whole number", float: "a number"}
        raise ValueError(f"{name}={text:.100}: expected {words[kind]}") from None
