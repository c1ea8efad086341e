"""`restem bench loading`: how much memory a node needs to load a model for training, split in two.

A random Llama in bfloat16 is written once. Two processes (gloo, this machine's CPU) load it as a
fine-tune with `train_strategy = "fsdp"` does, while this one reads the proportional set sizes of
both from /proc: anonymous memory, and pages of mapped files, each once. Not counted is what the
processes had before they began to load, and the float32 weights that are trained: they are loaded
to where training happens, which on a node with GPUs is not the CPU's memory. Both are printed.

The ratio is the peak against the model's size in bfloat16; at most 1.3 is wanted. `restem bench
loading 1e9 true` loads in each process by itself, as DDP does and as was done for fsdp before; of
that nothing is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.finetune.process_group import TRAIN_GROUP, Ranks
from tasks.paths import CONFIGS, ROOT
from tasks.settings import FinetuneSettings

PROCESSES = 2
# Phases, as the first process names them in a file.
_PHASES = _BEFORE, _LOADING, _LOADED = "before", "loading", "loaded"
_LOOK_SECONDS = 0.02
# So long a phase lasts at least, to be looked at.
_STAY_SECONDS = 0.5
_GB = 1e9


@dataclass
class _Memory:
    """Proportional set size of all processes, bytes."""

    anonymous: int = 0
    files: int = 0

    @property
    def whole(self) -> int:
        return self.anonymous + self.files


def run(parameters: int | str = 1_000_000_000, every: str = "false") -> float:
    """Measure, and print sizes and the ratio.

    Args:
        parameters: About so many the model has.
        every: "true": each process reads the whole model.

    Returns:
        Peak memory of loading by the model's size.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _make_model(folder / "model", int(float(parameters)))
        size = sum(path.stat().st_size for path in (folder / "model").glob("*.safetensors"))
        peaks = _measured(folder, every == "true")
    before = peaks[_BEFORE].whole
    peak, after = peaks[_LOADING], peaks[_LOADED]
    trained = 2 * size  # float32, both parts together
    print(f"model {size / _GB:.2f} GB; trained weights {trained / _GB:.2f} GB")
    for name, one in (("peak", peak), ("then", after)):
        print(
            f"{name} {(one.whole - before) / _GB:.2f} GB, of it files {one.files / _GB:.2f} GB: "
            f"{(one.whole - before) / size:.2f} of the model's size"
        )
    ratio = (peak.whole - before - (0 if every == "true" else trained)) / size
    print(f"loading ratio={ratio:.3f}")
    return ratio


def load() -> None:
    """In one of the processes: load, and say in which phase it is."""
    import torch

    folder, every = Path(sys.argv[1]), sys.argv[2] == "True"
    torch.set_num_threads(1)
    ranks = Ranks()
    ranks.join("cpu")

    def phase(name: str) -> None:
        ranks.meet()
        if ranks.first:
            (folder / "phase").write_text(name, encoding="utf-8")
        time.sleep(_STAY_SECONDS)
        ranks.meet()

    def loaded(model: Path) -> object:
        if every:
            from tasks.finetune.load_model import load_plain

            return load_plain(str(model))
        from tasks.finetune.split_model import load_split

        return load_split({"model": str(model), "seed": 1}, FinetuneSettings(), "cpu")

    loaded(folder / "tiny")  # what is imported on the way is no model
    phase(_BEFORE)
    phase(_LOADING)
    model = loaded(folder / "model")
    phase(_LOADED)
    del model
    ranks.leave()


def _make_model(folder: Path, parameters: int) -> None:
    """Two random Llamas: one of so many parameters, and a tiny one beside it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    for place, width in (
        (folder, 64 * round((parameters / 264) ** 0.5 / 64)),
        (folder.parent / "tiny", 64),
    ):
        config = LlamaConfig(
            vocab_size=8 * width,
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=19,
            num_attention_heads=width // 64,
            num_key_value_heads=width // 64,
        )
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            LlamaForCausalLM(config).save_pretrained(place, max_shard_size="1GB")
        finally:
            torch.set_default_dtype(before)


def _measured(folder: Path, every: bool) -> dict[str, _Memory]:
    """The peak in each phase."""
    phase = folder / "phase"
    phase.write_text("", encoding="utf-8")
    peaks = {name: _Memory() for name in _PHASES}
    group = subprocess.Popen(
        [
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", str(CONFIGS / "accelerate" / "fsdp.yaml")),
            *("--num_processes", str(PROCESSES), "--main_process_port", "0"),
            *("-m", "bench.training.loading", str(folder), str(every)),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", TRAIN_GROUP: "1"},
    )
    while group.poll() is None:
        name = phase.read_text(encoding="utf-8")
        now = _memory(group.pid)
        if name in peaks and now.whole > peaks[name].whole:
            peaks[name] = now
        time.sleep(_LOOK_SECONDS)
    if group.returncode or not peaks[_LOADED].whole:
        raise RuntimeError(f"a process that loads failed (exit code {group.returncode})")
    return peaks


def _memory(launcher: int) -> _Memory:
    """That of the launcher's processes; of none while they start."""
    now = _Memory()
    try:
        found = psutil.Process(launcher).children(recursive=True)
    except psutil.Error:
        return now
    for one in found:
        try:
            lines = Path(f"/proc/{one.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
        now.anonymous += sizes.get("Pss_Anon:", 0)
        now.files += sizes.get("Pss_File:", 0) + sizes.get("Pss_Shmem:", 0)
    return now


if __name__ == "__main__":
    load()
