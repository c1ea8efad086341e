"""`restem bench overhead`: the flow against the same functions called directly in one process.

Both run the embedded default, with more samples so that it takes minutes, from an empty store. The
baseline knows no Prefect, no task states and no child processes: engine, checker and trainer are
called in the one process that is timed, from its start to its end. The flow is timed likewise, its
Prefect server's start included. Only making the server's database, once in the life of a
RESTEM_HOME, is done before, by a run of the smallest size.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tasks.paths import ROOT

CONFIG = "math-demo"
# Between two and three minutes on two cores.
CHANGES = ("sampling.samples=40",)
SMALLEST = (
    "iterations=1",
    "data.train_limit=8",
    "data.test_limit=8",
    "data.validation=4",
    "sampling.samples=2",
    "evaluation.sampled_problems=4",
    "evaluation.train_problems=4",
    "finetune.epochs=1",
)
_STRAIGHT = """
import sys
from bench.orchestration.overhead import straight
straight(sys.argv[1], sys.argv[2:])
"""


def straight(config: str, changes: list[str]) -> None:
    """Run the loop with every step called directly."""
    from flows.config.rest_em import load_config
    from flows.orchestrator.direct_caller import DirectCaller
    from flows.rest_em.loop import Loop

    settings = load_config(config, changes)
    with DirectCaller(settings) as caller:
        Loop(settings, caller).run()


def run(rounds: str = "1", *changes: str) -> float:
    """Time both from process start to end, in turns, and print the median ratio.

    Args:
        rounds: Pairs.
        changes: `key=value` changes to the configuration.
    """
    changes = changes or CHANGES
    ratios = []
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        plain, flow = Path(first), Path(second)
        timed(flow, flow_command(SMALLEST))
        for number in range(1, int(rounds) + 1):
            baseline = timed(plain, [sys.executable, "-c", _STRAIGHT, CONFIG, *changes])
            print(f"{number}: straight {baseline:.1f} s", flush=True)
            took = timed(flow, flow_command(changes))
            print(f"{number}: flow     {took:.1f} s, ratio {took / baseline:.3f}", flush=True)
            ratios.append(took / baseline)
    ratio = statistics.median(ratios)
    print(f"overhead ratio={ratio:.3f}")
    return ratio


def flow_command(changes: tuple[str, ...]) -> list[str]:
    """The command that is measured, with `key=value` changes to its configuration."""
    flags = [part for change in changes for part in ("--set", change)]
    return [sys.executable, "-m", "flows.cli", "run", CONFIG, *flags]


def timed(folder: Path, command: list[str]) -> float:
    """Seconds that a command takes on an empty store."""
    for name in ("store", "results", "runs", "work"):
        shutil.rmtree(folder / name, ignore_errors=True)
    variables = {**os.environ, "RESTEM_HOME": str(folder)}
    variables.pop("PREFECT_API_URL", None)
    log = folder / "log"
    with log.open("w", encoding="utf-8") as sink:
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, env=variables, stdout=sink, stderr=sink, check=False
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
    return seconds
