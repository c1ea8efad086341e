"""Parts of models and GPUs that are not here: from published throughput, else from a roofline.

The table (published.json) names the source of every number. Sampling: the published rate is that of
a full batch; what a step costs with fewer rows follows from reading the weights once, which memory
bandwidth bounds. Training: the published rate of tokens a GPU, spread over the GPUs there are.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gpus.simulation.costs import EngineParts, ScoreParts, SimulatedParts, TrainParts
from tasks.errors import UserError
from tasks.rows import Json

TABLE = Path(__file__).with_name("published.json")
# Share of the memory bandwidth that reading weights reaches in practice.
BANDWIDTH_SHARE = 0.7
# Share of a GPU's memory that weights and optimiser may take; the rest is for activations.
MEMORY_SHARE = 0.9
# Mixed precision with AdamW: weights and gradients in two bytes, and 12 bytes in float32
# (arXiv 1910.02054, section 3.1).
TRAINING_BYTES = 16
# With adapters alone, weights are frozen: two bytes, and no gradient of a weight, so two of the
# three passes' work.
ADAPTER_BYTES, ADAPTER_SPEED = 2, 1.5
# Starting an engine beside reading its weights: process, compilation, memory profiling.
ENGINE_START = 60.0
# Bytes a second that a machine of eight GPUs reads from storage.
READ_A_MACHINE = 5e9
GPUS_A_MACHINE = 8
# Processor cores that check samples, for each GPU.
CORES_A_GPU = 8
# Replacing a failed machine, without loading.
RESTART = 300.0
# Starting a trainer on many machines beside reading the weights, and writing the result.
TRAINER_START = 180.0
# What Prefect, the cache and the journal take for a step here (restem bench estimate prints it).
OVERHEAD = 0.05


@dataclass(frozen=True)
class PaperTask:
    """A recipe of the paper (table 1 and section 5 of arXiv 2312.06585) and what we assume of it.

    Attributes:
        problems: Training problems.
        samples: For each, in each iteration.
        iterations: As the paper shows them.
        cap: Most training rows of a problem.
        test: Test problems, solved greedily by every policy.
        sampled: Test problems sampled for pass@k, and `test_samples` for each.
        test_samples: See `sampled`.
        train: Training problems solved greedily.
        validation: Validation problems.
        prompt: Tokens of a prompt with its exemplars.
        question: Of these those that differ from problem to problem.
        mean: Mean tokens of a completion; their logarithm is normal with deviation `spread`.
        spread: See `mean`.
        longest: Most tokens of a completion.
        score: Seconds to check one sample on one core.
        epochs: Of a fine-tune.
        max_length: Tokens of a packed sequence.
    """

    problems: int
    samples: int
    iterations: int
    cap: int
    test: int
    sampled: int
    test_samples: int
    train: int
    validation: int
    prompt: int
    question: int
    mean: float
    spread: float
    longest: int
    score: float
    epochs: float
    max_length: int


TASKS = {
    "math": PaperTask(
        7500, 32, 3, 10, 5000, 500, 64, 500, 200, 470, 70, 250.0, 0.6, 1024, 3.5e-4, 3.0, 2048
    ),
    "apps": PaperTask(
        2342, 64, 2, 10, 1000, 500, 64, 500, 200, 750, 350, 200.0, 0.6, 1024, 0.25, 3.0, 4096
    ),
}


def published() -> Json:
    """The published figures."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class GpuCluster:
    """What so many GPUs make of a model.

    Attributes:
        gpus: All of them.
        engines: Sampling engines.
        engine_gpus: GPUs of each.
        method: `full` or `lora`; empty: the model cannot be trained on so few.
        parts: What things cost.
        hours: GPU-hours between failures.
    """

    gpus: int
    engines: int
    engine_gpus: int
    method: str
    parts: SimulatedParts
    hours: float


def cluster(model: str, gpu: str, gpus: int, task: PaperTask, slots: int = 256) -> GpuCluster:
    """Parts of a model on a number of GPUs.

    Args:
        model: 7b, 70b or 540b.
        gpu: h100 or a100.
        gpus: How many.
        task: Whose prompts and completions.
        slots: Sequences that an engine decodes at once.

    Raises:
        UserError: the model or GPU is not in the table.
    """
    facts = published()
    for name, value, known in (("--model", model, "models"), ("--gpu", gpu, "gpus")):
        if value not in facts[known]:
            raise UserError(f"{name} {value}: expected one of: {', '.join(facts[known])}")
    chip, size = facts["gpus"][gpu], facts["models"][model]
    engine, training = size["engines"][gpu], size["training"][gpu]
    each = engine["gpus"]
    engines = gpus // each
    memory = gpus * chip["memory_gb"] * 1e9 * MEMORY_SHARE
    method = ""
    if size["parameters"] * ADAPTER_BYTES <= memory:
        method = "lora"
    if size["parameters"] * TRAINING_BYTES <= memory:
        method = "full"
    weights = 2 * size["parameters"]
    lengths = completions(task)
    speed = training["tokens_a_gpu"] * gpus * (ADAPTER_SPEED if method == "lora" else 1.0)
    sampling = _engine(engine, chip, size["parameters"], task, slots)
    checks = sum(lengths) / len(lengths) * sampling.step_seconds(slots)
    parts = SimulatedParts(
        engine=sampling,
        score=ScoreParts(start=5.0, sample=task.score / (CORES_A_GPU * gpus)),
        train=TrainParts(
            start=TRAINER_START + weights / (READ_A_MACHINE * _machines(gpus)),
            row=0.0,
            sequence=task.max_length / speed,
            check=checks * math.ceil(task.validation / (slots * max(1, engines))),
            save=weights / (READ_A_MACHINE * _machines(gpus)),
            tokens_row=task.prompt + sum(lengths) / len(lengths),
        ),
        lengths=lengths,
        greedy_lengths=lengths,
        overhead=OVERHEAD,
        source=f"{engine['kind']} sampling, {training['kind']} training",
    )
    return GpuCluster(gpus, engines, each, method, parts, facts["gpu_hours_a_failure"]["value"])


def completions(task: PaperTask, count: int = 4096) -> tuple[int, ...]:
    """Completion lengths of a task: log-normal, cut at the longest; the same at every call."""
    draw = random.Random(0)
    middle = math.log(task.mean) - task.spread**2 / 2
    return tuple(
        max(1, min(task.longest, round(draw.lognormvariate(middle, task.spread))))
        for _ in range(count)
    )


def _engine(facts: Json, chip: Json, parameters: float, task: PaperTask, slots: int) -> EngineParts:
    bandwidth = facts["gpus"] * chip["bandwidth_tb"] * 1e12 * BANDWIDTH_SHARE
    full = slots / facts["decode"]  # seconds of a step of the published rate
    step = min(full, facts["bytes_a_weight"] * parameters / bandwidth)
    machines = _machines(facts["gpus"])
    return EngineParts(
        slots=slots,
        load=ENGINE_START + 2 * parameters / (READ_A_MACHINE * machines),
        # The exemplars are computed once for all prompts, the question once for all its samples.
        prompt=task.question / facts["prefill"],
        step=step,
        row=(full - step) / slots,
        shard=task.prompt / facts["prefill"],
    )


def _machines(gpus: int) -> int:
    return max(1, gpus // GPUS_A_MACHINE)


def changed(task: PaperTask, changes: list[str]) -> PaperTask:
    """A task with `key=value` changes.

    Raises:
        UserError: naming the field and what was expected.
    """
    from dataclasses import fields, replace

    known: dict[str, Any] = {field.name: getattr(task, field.name) for field in fields(task)}
    for change in changes:
        name, sign, value = change.partition("=")
        if name not in known or not sign:
            raise UserError(
                f"--set {change}: expected KEY=NUMBER with a key of: {', '.join(known)}"
            )
        try:
            number = type(known[name])(value)
        except ValueError:
            raise UserError(f"--set {change}: expected a number") from None
        if not number > 0:
            raise UserError(f"--set {change}: expected a number above 0")
        task = replace(task, **{name: number})
    return task
