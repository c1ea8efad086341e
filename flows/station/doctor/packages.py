"""Python, the packages that are installed, torch and its GPU, and vLLM's environment."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from flows.station.doctor.finding import Finding
from tasks.dag.runtime import home
from tasks.generate.vllm_environment import HOW, check
from tasks.paths import CONSTRAINTS, ROOT

# What brings the versions that were tested, in a checkout and where restem was installed.
_SETUP = "make setup" if (ROOT / "Makefile").is_file() else f"pip install -c {CONSTRAINTS} restem"
_SHOWN = 3
TORCH_SECONDS = 60.0
# In a process of its own: it takes hundreds of megabytes, and a broken driver may end the process.
_TORCH = """
import json, torch
devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
print(json.dumps([torch.__version__, torch.version.cuda,
                  [[d.name, d.total_memory] for d in devices]]))
"""
_SMI = "name,memory.total,memory.used,driver_version"


def python() -> list[Finding]:
    """The Python that runs this."""
    here = sys.version.split()[0]
    wanted = SpecifierSet(importlib.metadata.metadata("restem")["Requires-Python"])
    if wanted.contains(here, prereleases=True):
        return [Finding("python", "ok", f"{here} ({sys.executable})")]
    return [Finding("python", "fails", here, f"expected {wanted}")]


def packages() -> list[Finding]:
    """What restem asks for, and the versions that it was tested with."""
    lacking, wrong = [], []
    for line in importlib.metadata.requires("restem") or []:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(wanted.name)
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} (expected {wanted.specifier})")
    if lacking or wrong:
        value = ", ".join([*(f"{name} is missing" for name in lacking), *wrong])
        return [Finding("packages", "fails", value, _SETUP)]
    pins = _pins()
    there: dict[str, str] = {
        canonicalize_name(one.name): one.version for one in importlib.metadata.distributions()
    }
    other = [
        f"{name} {there[name]} (tested: {pin})"
        for name, pin in sorted(pins.items())
        if name in there and there[name].partition("+")[0] != pin
    ]
    same = sum(name in there for name in pins) - len(other)
    if not other:
        return [Finding("packages", "ok", f"{same} at the versions of constraints.txt")]
    value = f"{len(other)} of other versions than tested: {', '.join(other[:_SHOWN])}"
    return [Finding("packages", "warning", value, _SETUP)]


def _pins() -> dict[str, str]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in pairs}


def torch_and_gpu() -> list[Finding]:
    """Whether torch loads and what it sees, beside what the driver says."""
    gpus = _driver()
    done = subprocess.run(
        [sys.executable, "-c", _TORCH],
        capture_output=True,
        text=True,
        check=False,
        timeout=TORCH_SECONDS,
        encoding="utf-8",
    )
    try:
        version, cuda, devices = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return [Finding("torch", "fails", last[:200], _SETUP)]
    torch = Finding("torch", "ok", f"{version}, {f'CUDA {cuda}' if cuda else 'without CUDA'}")
    if not gpus and not devices:
        return [torch, Finding("gpu", "missing", "none; models run on the processor")]
    if not devices:
        todo = "install torch of the driver's CUDA (docs/supply.md)"
        return [torch, Finding("gpu", "warning", f"{'; '.join(gpus)}; torch does not see it", todo)]
    seen = [f"{name}, {memory / 2**30:.0f} GiB" for name, memory in devices]
    return [torch, Finding("gpu", "ok", "; ".join(gpus or seen))]


def _driver() -> list[str]:
    """One line for each GPU that NVIDIA's driver knows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    done = subprocess.run(
        [tool, f"--query-gpu={_SMI}", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TORCH_SECONDS,
        encoding="utf-8",
    )
    lines = [line.split(", ") for line in done.stdout.splitlines()]
    return [
        f"{name}, {used} of {total} used, driver {driver}"
        for name, total, used, driver in (line for line in lines if len(line) == 4)
    ]


def vllm() -> list[Finding]:
    """VLLM's own environment."""
    facts = check(home())
    bad = [fact for fact in facts if not fact.good]
    if bad and len(facts) == 1:
        return [Finding("vllm", "missing", "not installed; transformers samples", HOW)]
    value = ", ".join(fact.value for fact in facts if fact.name != "environment")
    if bad:
        return [Finding("vllm", "warning", "; ".join(str(fact) for fact in bad), HOW)]
    return [Finding("vllm", "ok", value)]
