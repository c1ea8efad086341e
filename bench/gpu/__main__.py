"""`python -m bench.gpu OUT [STEPS...] [--cpu-small] [--wheels FOLDER] [--seconds N]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Take what is missing from wheels, then run; a mistake becomes one line and exit 2."""
    parser = argparse.ArgumentParser(prog="bench.gpu", description="What only a GPU can show.")
    parser.add_argument("out", help="file of JSON lines to write")
    parser.add_argument("steps", nargs="*", help="some of the steps; default: all")
    parser.add_argument("--cpu-small", action="store_true", help="small shapes, on the CPU")
    parser.add_argument("--seconds", type=float, help="for everything; default: 420")
    parser.add_argument("--wheels", type=Path, help="folder of wheels of what is missing here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="restem-site-") as site:
        if asked.wheels:
            _take(asked.wheels, site)
        from bench.gpu.gpu import run
        from tasks.errors import UserError

        options = [asked.out, *asked.steps, *(["cpu-small"] if asked.cpu_small else [])]
        if asked.seconds:
            options.append(f"seconds={asked.seconds:g}")
        try:
            whole = run(*options)
        except UserError as error:
            print(f"bench.gpu: {error}", file=sys.stderr)
            raise SystemExit(2) from None
    raise SystemExit(0 if whole else 1)


def _take(wheels: Path, site: str) -> None:
    """Put the wheels before all else on the path of this process and of those that it starts.

    A wheel that does not fit this Python is passed over; step `card` says what is missing then.
    """
    for wheel in sorted(wheels.glob("*.whl")):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"),
                *("--no-compile", "--disable-pip-version-check", "--upgrade"),
                *("--target", site, str(wheel)),
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode:
            print(f"bench.gpu: {wheel.name}: {done.stderr.strip()[-200:]}", file=sys.stderr)
    sys.path.insert(0, site)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([site, *([before] if before else [])])


if __name__ == "__main__":
    main()
