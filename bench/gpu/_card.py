"""Step `card`: what is here, and how fast a plain product of matrices is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import time

from bench.gpu._record import Bench, wait_for

PACKAGES = (
    *("torch", "transformers", "accelerate", "peft", "trl", "datasets", "tokenizers"),
    *("huggingface_hub", "pyarrow", "pydantic", "numpy", "triton"),
    # Kernels that are used where they are installed.
    *("flash_attn", "kernels", "liger_kernel", "flash-linear-attention", "causal_conv1d"),
)
# Without these, steps of training cannot run.
FOR_TRAINING = ("trl", "datasets", "pydantic", "peft", "accelerate", "pyarrow")
# Dense bfloat16 operations a second by the makers' data sheets, by a part of the card's name.
PUBLISHED = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "4090": 165e12,
}


def card(bench: Bench) -> None:
    """Versions, the card, what is missing."""
    import torch

    versions = {name: _version(name) for name in PACKAGES}
    missing = [name for name in FOR_TRAINING if not importlib.util.find_spec(name)]
    bench.line(
        "versions",
        python=platform.python_version(),
        cuda=str(torch.version.cuda),
        packages=versions,
        missing=missing,
    )
    context = _context_seconds() if bench.device == "cuda" else 0.0
    if bench.device == "cpu":
        bench.line("card", name="none", matmul_tflops=matmul_rate(bench) / 1e12)
        return
    about = torch.cuda.get_device_properties(0)
    bench.line(
        "card",
        name=about.name,
        memory_gb=about.total_memory / 1e9,
        capability=f"{about.major}.{about.minor}",
        driver=_driver(),
        published_tflops=(published() or 0) / 1e12,
        matmul_tflops=matmul_rate(bench) / 1e12,
        context_seconds=context,
    )


def matmul_rate(bench: Bench) -> float:
    """Operations a second of a product of two square bfloat16 matrices; the best of three."""
    import torch

    size, times = (256, 2) if bench.small else (8192, 10)
    a, b = (torch.randn(size, size, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    best = 0.0
    for _ in range(4):
        wait_for(bench.device)
        began = time.perf_counter()
        for _ in range(times):
            _ = a @ b
        wait_for(bench.device)
        best = max(best, 2 * size**3 * times / (time.perf_counter() - began))
    return best


def published() -> float | None:
    """The card's operations a second by its maker; None where it is not in the table."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((rate for part, rate in PUBLISHED.items() if part in name), None)


def _context_seconds() -> float:
    """How long a process waits for its first kernel, by the clock of one that just began."""
    import torch

    began = time.perf_counter()
    torch.ones(1, device="cuda").item()
    return time.perf_counter() - began


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _driver() -> str:
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "unknown"
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, encoding="utf-8", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
