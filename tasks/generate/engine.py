"""One interface to sampling engines; each runs in child processes that die with their parent.

A very small model gains little from a second thread in each of its tiny operations, so on CPU the
transformers engine runs it in several single-threaded children (tasks/generate/replicas.py). With
GPUs, `resources.engines` children get some each: for a dense model that is the data parallelism of
vLLM, without its coordinator.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tasks.dag.contracts import Engine
from tasks.errors import UserError
from tasks.generate.replicas import ChildEngine
from tasks.generate.vllm_environment import folder_of, python_of, supported
from tasks.processes.child import Child
from tasks.processes.cores import usable_cores
from tasks.processes.wire import Message
from tasks.settings import Resources
from tasks.settings.vllm_args import VllmArgs, parse_vllm_args

VLLM_SCRIPT = Path(__file__).with_name("vllm_engine.py")
# Models with less than so many bytes of weights are run in several children: a step of theirs is
# mostly fixed costs.
SMALL_MODEL_BYTES = 32 * 2**20
MAX_REPLICAS = 8
# Such a further child takes seconds to start; it must have samples to make up for that.
SAMPLES_A_REPLICA = 256


def open_engine(
    name: str,
    model_dir: Path,
    *,
    resources: Resources,
    dtype: str,
    log: Path,
    home: Path,
    say: Callable[[str], None] = lambda text: None,
    vllm_args: VllmArgs | None = None,
) -> Engine:
    """Open an engine; nothing is started before the first request.

    Args:
        name: `transformers` or `vllm`.
        model_dir: Folder with configuration, tokenizer and safetensors.
        resources: Device, threads, batch size, memory, how many.
        dtype: Number format of weights and activations.
        log: File for the output of the children.
        home: RESTEM_HOME, where vLLM's environment lies.
        say: Told when an engine had to be started again.
        vllm_args: What vLLM is told besides, of `sampling.vllm_args`.

    Raises:
        UserError: there is no such engine, or vLLM's environment is missing or of another version.
    """
    threads = resources.threads or usable_cores()
    on_cpu = runs_on_cpu(resources)
    common: Message = {
        "model": str(model_dir.resolve()),
        "dtype": dtype,
        "batch_size": resources.batch_size,
    }
    opened = partial(ChildEngine, stall=resources.stall_seconds, say=say)
    if name == "vllm":
        python = supported(python_of(home))
        env = vllm_variables(home, threads)
        common |= {
            "memory_fraction": resources.memory_fraction,
            "cpu_cache_gb": resources.cpu_cache_gb,
            "tensor_parallel": 1 if on_cpu else max(1, resources.gpus_per_engine),
            "vllm_args": {
                "resources.vllm_args": parse_vllm_args(resources.vllm_args),
                "sampling.vllm_args": vllm_args or {},
            },
        }
        return opened(
            lambda replica: Child.script(
                python, VLLM_SCRIPT, log=log, env=env | _devices(resources, replica, on_cpu)
            ),
            common,
            replicas=resources.engines,
        )
    if name != "transformers":
        raise UserError(f"sampling.engine: {name!r} is none of: transformers, vllm")
    replicas, each, least = resources.engines, threads, 1
    if on_cpu:
        weights = sum(file.stat().st_size for file in model_dir.glob("*.safetensors"))
        if replicas == 1 and 0 < weights < SMALL_MODEL_BYTES:
            replicas = min(threads, MAX_REPLICAS)
            each, least = 1, SAMPLES_A_REPLICA
        else:
            each = max(1, threads // replicas)
    return opened(
        lambda replica: Child.module(
            "tasks.generate.transformers_engine:main",
            log=log,
            env=_devices(resources, replica, on_cpu),
        ),
        {
            **common,
            "device": resources.device,
            "threads": each,
        },
        replicas=replicas,
        least=least,
    )


def _devices(resources: Resources, replica: int, on_cpu: bool) -> dict[str, str]:
    """Which GPUs an engine sees: those that this process may use, so many for each in turn."""
    if on_cpu:
        return {"CUDA_VISIBLE_DEVICES": ""} if resources.device == "cpu" else {}
    if resources.engines == 1:
        return {}
    each = max(1, resources.gpus_per_engine)
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = seen.split(",") if seen else [str(i) for i in range(resources.engines * each)]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[replica * each : (replica + 1) * each])}


def vllm_variables(home: Path, threads: int) -> dict[str, str]:
    """Environment variables of a process that runs vLLM."""
    return {
        # Threads that wait for each other would burn the time other processes need.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": str(threads),
        # Threads pinned to cores stand still when another process is on their core.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CACHE_ROOT": str(folder_of(home).parent / "cache"),
    }


def runs_on_cpu(resources: Resources) -> bool:
    """Whether engines compute on the CPU: where asked to, and where there is no GPU."""
    return resources.device == "cpu" or (resources.device == "auto" and not _has_cuda())


def _has_cuda() -> bool:
    """Whether a CUDA device is there, without importing torch."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()
