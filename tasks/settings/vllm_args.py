"""Arguments of vLLM's own, handed through: which there may be, and in which section.

They are written as `name=value`, with vLLM's names (`vllm serve --help`; underscores or hyphens)
and values in JSON or as a bare word: `kv_cache_dtype=fp8`, `max_num_batched_tokens=8192`. Those
that change what is sampled stand in `sampling.vllm_args` and so in the key of samples; those that
change speed and memory alone in `resources.vllm_args` and in no key. A name that this file does not
know may change anything, so it is one of the first kind. Not handed through is what restem sets
itself, and what would have vLLM run code of others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

MOST = 64
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

# What restem sets -> the field that decides it, or why.
OWNED = {
    "model": "model.base",
    "model_weights": "model.base",
    "tokenizer": "model.base",
    "revision": "model.revision",
    "tokenizer_revision": "model.revision",
    "code_revision": "model.revision",
    "dtype": "model.dtype",
    "max_model_len": "the prompts and sampling.max_tokens",
    "max_num_seqs": "resources.batch_size",
    "gpu_memory_utilization": "resources.memory_fraction",
    "kv_cache_memory_bytes": "resources.cpu_cache_gb",
    "tensor_parallel_size": "resources.gpus_per_engine",
    "data_parallel_size": "resources.engines",
    "seed": "seed, which gives each sample its own",
    "generation_config": "restem: temperature, top_k and top_p are those of the run",
    "override_generation_config": "restem: temperature, top_k and top_p are those of the run",
    "enable_prefix_caching": "restem: prompts are computed once",
    "skip_tokenizer_init": "restem, which needs the tokenizer",
    "served_model_name": "restem engine serve",
    "host": "restem engine serve",
    "port": "restem engine serve",
    "middleware": "restem engine serve",
    "api_key": "restem engine serve",
}
# Code of others, or a secret, which would lie in the key.
CODE = frozenset(
    [
        "trust_remote_code",
        "worker_cls",
        "worker_extension_cls",
        "scheduler_cls",
        "logits_processors",
        "io_processor_plugin",
        "reasoning_parser_plugin",
        "tool_parser_plugin",
        "model_class_overrides",
        "hf_token",
    ]
)
# Speed and memory. Which kernel adds up moves the last bit of sums, as another device does.
SPEED = frozenset(
    [
        "all2all_backend",
        "async_scheduling",
        "attention_backend",
        "block_size",
        "compilation_config",
        "cpu_offload_gb",
        "cudagraph_capture_sizes",
        "disable_cascade_attn",
        "disable_custom_all_reduce",
        "disable_hybrid_kv_cache_manager",
        "disable_log_stats",
        "distributed_executor_backend",
        "enable_chunked_prefill",
        "enable_dbo",
        "enable_eplb",
        "enable_expert_parallel",
        "enable_flashinfer_autotune",
        "enforce_eager",
        "expert_placement_strategy",
        "kv_offloading_size",
        "linear_backend",
        "long_prefill_token_threshold",
        "max_cudagraph_capture_size",
        "max_num_batched_tokens",
        "max_parallel_loading_workers",
        "moe_backend",
        "num_gpu_blocks_override",
        "numa_bind",
        "optimization_level",
        "performance_mode",
        "pipeline_parallel_size",
        "prefix_caching_hash_algo",
        "safetensors_load_strategy",
        "scheduling_policy",
        "stream_interval",
        "use_tqdm_on_load",
        "watermark",
    ]
)
# Of those that change samples the ones that name no file, no address and no code.
_PLAIN_RESULTS = frozenset(
    [
        "allow_deprecated_quantization",
        "disable_sliding_window",
        "kv_cache_dtype",
        "kv_cache_dtype_skip_layers",
        "language_model_only",
        "mamba_cache_dtype",
        "mamba_ssm_cache_dtype",
        "quantization",
        "use_fp64_gumbel",
    ]
)
# Whose values may name a file or a class.
_OPEN = frozenset({"compilation_config", "distributed_executor_backend"})
# What a run from the API, or one that asks an engine server, may say.
ANYBODY = (SPEED | _PLAIN_RESULTS) - _OPEN
_WORD = re.compile(r"[\w.+-]{0,64}")

VllmArgs = dict[str, JsonValue]


def parse_vllm_args(items: Sequence[str]) -> VllmArgs:
    """Arguments by their names, with underscores, in the order of the names.

    Args:
        items: Each `name=value`; hyphens before and in the name are taken too.

    Raises:
        ValueError: naming the one that is malformed or comes twice.
    """
    found: VllmArgs = {}
    for item in items:
        given, equals, value = item.partition("=")
        name = given.strip().lstrip("-").replace("-", "_")
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(f"expected name=value, such as kv_cache_dtype=fp8, not {item!r:.100}")
        if name in found:
            raise ValueError(f"{name}: expected once, not twice")
        found[name] = _value(value.strip())
    return dict(sorted(found.items()))


def check_sampling_args(items: Sequence[str]) -> list[str]:
    """`items`, if each may stand in `sampling.vllm_args`.

    Raises:
        ValueError: naming the one that may not, and where it belongs.
    """
    for name in _passed(items):
        if name in SPEED:
            raise ValueError(f"{name}: changes no sample; expected in resources.vllm_args")
    return list(items)


def check_resource_args(items: Sequence[str]) -> list[str]:
    """`items`, if each may stand in `resources.vllm_args`.

    Raises:
        ValueError: naming the one that may not, and where it belongs.
    """
    for name in _passed(items):
        if name not in SPEED:
            raise ValueError(f"{name}: may change samples; expected in sampling.vllm_args")
    return list(items)


def not_for_anybody(args: VllmArgs) -> str:
    """What of these arguments is not for a run from the API or a server's guest; empty: nothing."""
    for name, value in args.items():
        if name not in ANYBODY:
            return name
        if not all(_is_plain(one) for one in (value if isinstance(value, list) else [value])):
            return f"{name}={value!r:.100}"
    return ""


def flags(args: VllmArgs) -> list[str]:
    """The arguments as `vllm serve` takes them."""
    return [part for name, value in args.items() for part in _flag(name.replace("_", "-"), value)]


def _passed(items: Sequence[str]) -> Iterator[str]:
    for name in parse_vllm_args(items):
        if name in OWNED:
            raise ValueError(f"{name}: restem sets it; it is decided by {OWNED[name]}")
        if name in CODE:
            raise ValueError(f"{name}: would have vLLM run other code or keep a secret; not taken")
        yield name


def _value(text: str) -> JsonValue:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> object:
    raise ValueError(name)


def _is_plain(value: JsonValue) -> bool:
    return not isinstance(value, dict | list) and (
        not isinstance(value, str) or bool(_WORD.fullmatch(value))
    )


def _flag(name: str, value: JsonValue) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list):
        return [f"--{name}", *(one if isinstance(one, str) else json.dumps(one) for one in value)]
    return [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
