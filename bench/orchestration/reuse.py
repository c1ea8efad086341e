"""`restem bench reuse`: what all studies draw with shared artifacts, against each run by itself.

All studies are run once, small, in a home of their own. What their runs ask for is what they would
draw with nothing shared; that this count is right is checked on the arms of one study, each run in
a home of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from flows.study.config import StudyConfig, find_study, load_study

# Small enough for minutes; every size keeps its place among the others.
SMALL = (
    *("data.train_limit=64", "data.test_limit=40", "data.validation=16"),
    *("evaluation.sampled_problems=20", "evaluation.train_problems=16"),
    *("evaluation.transfer_limit=20", "finetune.epochs=1", "finetune.checks=1"),
    *("resources.shard_problems=64", "finetune.batch_size=2"),
)
CHECKED = "cap"


def run(seeds: str = "1") -> None:
    """Run all studies, and print the share of samples that they had to draw.

    Args:
        seeds: Runs of each arm.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        done = _restem(home / "all", ["study", "all", "--seeds", seeds, "--json", *_flags(SMALL)])
        facts = json.loads(done[done.index('{"run"') :].splitlines()[0])["studies"]
        for one in facts:
            samples = one["account"]["samples"]
            print(
                f"{one['study']:<14} asked {samples['asked']:>9,.0f}  "
                f"drawn {samples['made']:>9,.0f}  shared {samples['shared']:>9,.0f}"
            )
        asked, alone = _checked(home)
        print(f"{CHECKED}: its arms ask for {asked:,} samples, and drew {alone:,} each by itself")
    totals = [one["account"]["samples"] for one in facts]
    drawn, whole = sum(t["made"] for t in totals), sum(t["asked"] for t in totals)
    print(f"all studies: {drawn:,.0f} of {whole:,.0f} samples drawn")
    print(f"reuse ratio={drawn / whole:.3f}")


def _checked(home: Path) -> tuple[int, int]:
    """Samples that the arms of a study ask for together, and draw each in a home of its own."""
    small = [*SMALL, "evaluation.transfer=[]"]
    flags = ["study", CHECKED, "--config", "study-math", "--seeds", "1", "--json"]
    done = _restem(home / "together", [*flags, *_flags(small)])
    facts = json.loads(done[done.index('{"run"') :].splitlines()[0])["studies"]
    config: StudyConfig = load_study(CHECKED, ["study-math"], 1, "", small)
    alone = 0
    for place, arm in enumerate(config.arms(find_study(CHECKED))):
        changes = [*small, *(f"{key}={json.dumps(value)}" for key, value in arm.changes.items())]
        _restem(home / str(place), ["run", "study-math", *_flags(changes)])
        rows = json.loads(_restem(home / str(place), ["store", "list", "--json"]))
        alone += sum(row["rows"] for row in rows if row["kind"] == "samples")
    return facts[0]["account"]["samples"]["asked"], alone


def _restem(home: Path, arguments: list[str]) -> str:
    """Run a command in a home of its own, with a server of its own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env={**plain, "RESTEM_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def _flags(changes: tuple[str, ...] | list[str]) -> list[str]:
    return [part for change in changes for part in ("--set", change)]
