"""`restem bench overhead`: the flow against the same functions called straight in one process.

Both run the embedded default from an empty store. The baseline knows no Prefect, no task states
and no child processes: engine, checker and trainer are called in the one process that times them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_STRAIGHT = """
import sys
from pathlib import Path
from flows.bench.overhead import straight
straight(sys.argv[1], sys.argv[2:])
"""


def straight(config: str, changes: list[str]) -> None:
    """Run the loop with every step called directly."""
    from flows.config import load_config
    from flows.direct import DirectCaller
    from flows.loop import Loop

    settings = load_config(config, changes)
    with DirectCaller(settings) as caller:
        Loop(settings, caller).run()


def run(config: str = "math-demo", *changes: str) -> float:
    """Time both from process start to end and print the ratio.

    Args:
        config: Configuration to run.
        changes: `key=value` changes to it.
    """
    flags = [part for change in changes for part in ("--set", change)]
    baseline = _timed([sys.executable, "-c", _STRAIGHT, config, *changes])
    print(f"straight: {baseline:.1f} s", flush=True)
    flow = _timed([sys.executable, "-m", "flows.cli", "run", config, *flags])
    print(f"flow:     {flow:.1f} s", flush=True)
    ratio = flow / baseline
    print(f"overhead ratio={ratio:.3f}")
    return ratio


def _timed(command: list[str]) -> float:
    import os

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(
            command,
            check=True,
            cwd=ROOT,
            env={**os.environ, "RESTEM_HOME": folder},
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - started
