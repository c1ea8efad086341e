"""A few faults of those that `restem bench chaos` does: runs end as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.recovery import chaos
from bench.recovery._chaos_clock import WallClock
from bench.recovery._chaos_storm import ChaosTally


@pytest.mark.station
def test_disturbed_runs_end_like_undisturbed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    chaos.run("4", "3", "3")  # ends with SystemExit on any violation
    said = capsys.readouterr().out
    assert "violations: 0" in said
    assert "over 3 runs" in said and int(said.split("faults: ")[1].split()[0]) >= 4


def test_a_bench_goes_on_from_its_record(tmp_path: Path) -> None:
    kept = ChaosTally(
        Counter(suspend=2), Counter(Retry=1), Counter({("flow", "gone"): 1}), ["x"], 7
    )
    kept.write(tmp_path / "record")
    assert ChaosTally.read(tmp_path / "record") == kept
    assert ChaosTally.read(tmp_path / "none") == ChaosTally()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_the_clock_of_a_bench_is_set_for_those_below_it_alone(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    code = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **clock.variables},
    ) as process:
        assert process.stdin and process.stdout

        def ahead() -> float:
            assert process.stdin and process.stdout
            print(file=process.stdin, flush=True)
            wall, monotonic = map(float, process.stdout.readline().split())
            return (wall - time.time()) - (monotonic - time.monotonic())

        # A busy machine may pause between two looks at a clock.
        assert ahead() == pytest.approx(0.0, abs=300.0)
        clock.move(7200)
        assert ahead() == pytest.approx(7200.0, abs=300.0)
        clock.move(-2000)
        assert ahead() == pytest.approx(5200.0, abs=300.0)
