"""What cannot work, a rule each: None, or the line that says field, finding and remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.model_checks.question import Question
from tasks.rows import Json
from tasks.settings.finetune import RL

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Their activations are larger than float16 holds (vllm/config/model.py has the same list).
_OVERFLOW = ("gemma2", "gemma3", "gemma3_text", "glm4")
# Models of plain attention that do not tell rows apart by their positions; the matrix of
# tests/tasks/families holds this list and `_recurrent` to what the trainer sees.
_BLIND = ("bloom", "falcon", "gpt_oss", "mpt", "opt")
# Their gated delta nets: vLLM's kernels for a CPU assert bfloat16 (0.32, ops/cpu/gdn_attention.py).
_DELTA_NETS = ("qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text", "qwen3_next")
# Some of their layers are one and the same.
_SHARED = ("zamba", "zamba2")
# Names of layers that hold a vector for each position.
_LEARNED = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?)$")
_NUMBER_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Weights, gradients and the two moments of Adam, float32 each.
_FULL_BYTES = 16
# The weights alone; adapters are small.
_LORA_BYTES = 2
_GB = 1e9


@dataclass(frozen=True)
class Facts:
    """A question, and what is known of its model.

    Attributes:
        config: As transformers has it.
        raw: The same as its file has it.
        skeleton: The model without weights.
    """

    question: Question
    config: PreTrainedConfig
    raw: Json
    skeleton: PreTrainedModel

    @cached_property
    def parameters(self) -> int:
        """How many numbers the model has, tied ones once."""
        return sum(one.numel() for one in self.skeleton.parameters())

    @property
    def kind(self) -> str:
        """What transformers calls the family."""
        return str(self.config.model_type)

    @property
    def on_gpu(self) -> bool:
        """Whether GPUs of this machine are used."""
        machine = self.question.machine
        return bool(machine and machine.gpus) and self.question.resources.device != "cpu"


def quantised(facts: Facts) -> str | None:
    """Training needs the numbers themselves."""
    said = facts.raw.get("quantization_config")
    if not said or facts.question.finetune is None:
        return None
    method = said.get("quant_method", "some way") if isinstance(said, dict) else "some way"
    return (
        f"{facts.question.field}: its weights are quantised ({method}) and cannot be trained; "
        "expected the model in bfloat16 or float32"
    )


def device(facts: Facts) -> str | None:
    """A GPU that was asked for."""
    question = facts.question
    if question.resources.device == "cuda" and question.machine and not question.machine.gpus:
        return "resources.device: cuda, but nvidia-smi shows no GPU here; expected auto or cpu"
    return None


def engines(facts: Facts) -> str | None:
    """GPUs for all engines."""
    resources, machine = facts.question.resources, facts.question.machine
    if machine is None or not facts.on_gpu or resources.endpoints:
        return None
    each = max(1, resources.gpus_per_engine)
    if resources.engines * each <= len(machine.gpus):
        return None
    field = "resources.engines" if each <= len(machine.gpus) else "resources.gpus_per_engine"
    most = len(machine.gpus) // each if each <= len(machine.gpus) else len(machine.gpus)
    return (
        f"{field}: {resources.engines} engines with {each} GPUs each need "
        f"{resources.engines * each}, and {len(machine.gpus)} are here; expected at most {most}"
    )


def processes(facts: Facts) -> str | None:
    """A GPU for each training process."""
    count, machine = facts.question.resources.train_processes, facts.question.machine
    if facts.question.finetune is None or machine is None or not facts.on_gpu:
        return None
    if count > 1 and count > len(machine.gpus):
        return (
            f"resources.train_processes: {count} processes need a GPU each, and "
            f"{len(machine.gpus)} are here; expected at most {len(machine.gpus)}"
        )
    return None


def batch(facts: Facts) -> str | None:
    """Sequences that can be dealt to training processes."""
    settings, count = facts.question.finetune, facts.question.resources.train_processes
    if settings is None or settings.batch_size % count == 0:
        return None
    return (
        f"finetune.batch_size: {settings.batch_size} sequences cannot be split among {count} "
        "processes (resources.train_processes); expected a multiple"
    )


def vllm(facts: Facts) -> str | None:
    """An architecture that vLLM has, or can take from transformers."""
    question = facts.question
    if question.engine != "vllm" or not question.vllm_python:
        return None
    found = Path(question.vllm_python).parent.parent.glob(
        "lib/python3*/site-packages/vllm/model_executor/models/registry.py"
    )
    registry = next(iter(found), None)
    if registry is None:
        return None
    name = type(facts.skeleton).__name__
    known = set(re.findall(r'"(\w+)"', registry.read_text(encoding="utf-8")))
    if name in known or getattr(facts.skeleton, "_supports_attention_backend", False):
        return None
    field = question.fields.engine
    return f"{field}: this vLLM has no {name} ({facts.kind} models); expected transformers"


def delta_nets(facts: Facts) -> str | None:
    """Numbers that vLLM's kernels of gated delta nets take on a CPU."""
    question = facts.question
    here = question.engine == "vllm" and bool(question.vllm_python) and not facts.on_gpu
    if not here or facts.kind not in _DELTA_NETS or question.dtype == "bfloat16":
        return None
    return (
        f"{question.fields.dtype}: on a CPU vLLM samples {facts.kind} models in bfloat16 alone; "
        f"expected that, or transformers in {question.fields.engine}"
    )


def heads(facts: Facts) -> str | None:
    """Heads of attention that can be dealt to GPUs."""
    question = facts.question
    each = question.resources.gpus_per_engine
    count = getattr(facts.config.get_text_config(), "num_attention_heads", None)
    if question.engine != "vllm" or question.resources.device == "cpu" or not count or each < 2:
        return None
    gpus = question.machine is None or question.machine.gpus
    if not gpus or count % each == 0:
        return None
    fitting = [str(n) for n in range(1, count + 1) if count % n == 0]
    return (
        f"resources.gpus_per_engine: {count} heads of attention cannot be split among {each} GPUs; "
        f"expected one of: {', '.join(fitting)}"
    )


def float16(facts: Facts) -> str | None:
    """Numbers that hold the activations."""
    if facts.question.dtype != "float16" or facts.kind not in _OVERFLOW:
        return None
    field = facts.question.fields.dtype
    return f"{field}: {facts.kind} models overflow float16; expected bfloat16 or float32"


def context(facts: Facts) -> str | None:
    """Places for a completion."""
    places = getattr(facts.config.get_text_config(), "max_position_embeddings", None)
    most = facts.question.max_tokens
    if not places or most < places:
        return None
    fields = facts.question.fields
    return (
        f"{fields.max_tokens}: {most:,} tokens do not fit into the model's {places:,} positions "
        f"with a prompt; expected {fields.remedy or f'less than {places:,}'}"
    )


def places(facts: Facts) -> str | None:
    """A vector for each position of a row, where the model has learned them."""
    settings = facts.question.finetune
    if settings is None:
        return None
    limit = getattr(facts.config.get_text_config(), "max_position_embeddings", None)
    learned = any(_LEARNED.search(name) for name, _ in facts.skeleton.named_modules())
    if not learned or not limit or settings.max_length <= limit:
        return None
    return (
        f"finetune.max_length: a row of {settings.max_length:,} tokens has no place in a "
        f"{facts.kind} model, which has learned {limit:,}; expected at most {limit:,}"
    )


def packing(facts: Facts) -> str | None:
    """Rows of a packed sequence that stay apart."""
    settings = facts.question.finetune
    if settings is None or settings.improve in ("dpo", RL) or not settings.packing:
        return None
    if facts.kind in _BLIND or _recurrent(facts.config):
        kind = facts.kind
        return f"finetune.packing: {kind} models mix the rows of a packed sequence; expected false"
    return None


def left_padding(facts: Facts) -> str | None:
    """Samples of prompts of several lengths in one forward pass."""
    settings = facts.question.finetune
    if settings is None or settings.improve != RL or not _recurrent(facts.config):
        return None
    return (
        f"finetune.improve: rl pads prompts on the left, which {facts.kind} models read as text; "
        "expected sft or dpo"
    )


def adapters(facts: Facts) -> str | None:
    """Layers that adapters can be merged into."""
    settings = facts.question.finetune
    if settings is None or not settings.has_adapters or facts.kind not in _SHARED:
        return None
    return (
        f"finetune.method: {facts.kind} models share layers, into which adapters would be merged "
        "more than once; expected full"
    )


def sampling_memory(facts: Facts) -> str | None:
    """Memory for the weights of an engine."""
    question = facts.question
    if question.machine is None or question.resources.endpoints:
        return None
    need = facts.parameters * _NUMBER_BYTES[question.dtype]
    each = max(1, question.resources.gpus_per_engine) if question.engine == "vllm" else 1
    have = sum(question.machine.gpus[:each]) if facts.on_gpu else question.machine.memory
    if need <= have:
        return None
    spread = "resources.gpus_per_engine with vllm, " if facts.on_gpu else ""
    return (
        f"{question.field}: {_size(facts)} in {question.dtype} take {need / _GB:,.3g} GB, and an "
        f"engine has {have / _GB:,.3g} GB here; expected more {spread}another machine, or a "
        "smaller model"
    )


def training_memory(facts: Facts) -> str | None:
    """Memory for weights, gradients and moments of a trainer."""
    question, settings = facts.question, facts.question.finetune
    if question.machine is None or settings is None:
        return None
    resources = question.resources
    each = _LORA_BYTES if settings.has_adapters else _FULL_BYTES
    parts = resources.train_processes if resources.train_strategy == "fsdp" else 1
    # On a CPU all processes share one memory.
    need = facts.parameters * each // (parts if facts.on_gpu else 1)
    have = min(question.machine.gpus) if facts.on_gpu else question.machine.memory
    if need <= have:
        return None
    lighter = "lora" if settings.method == "full" else "a smaller model"
    return (
        f"finetune.method: {settings.method} training of {_size(facts)} takes {need / _GB:,.3g} GB "
        f"a process ({each} bytes each), and {have / _GB:,.3g} GB are here; expected {lighter}, or "
        "more GPUs with resources.train_strategy = fsdp"
    )


def _recurrent(config: PreTrainedConfig) -> bool:
    """Whether a layer keeps a state, through which rows in one sequence meet."""
    from transformers import DynamicCache
    from transformers.cache_utils import LinearAttentionCacheLayerMixin

    layers = DynamicCache(config=config).layers
    return any(isinstance(one, LinearAttentionCacheLayerMixin) for one in layers)


def _size(facts: Facts) -> str:
    return f"{facts.parameters / _GB:,.3g} billion parameters"
