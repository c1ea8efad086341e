"""A few faults of those that `restem bench chaos` does: runs end as if nothing had happened."""

from __future__ import annotations

import pytest

from bench.recovery import chaos


@pytest.mark.station
def test_disturbed_runs_end_like_undisturbed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    chaos.run("6", "2", "3")  # ends with SystemExit on any violation
    said = capsys.readouterr().out
    assert "violations: 0" in said
    assert "over 2 runs" in said and int(said.split("faults: ")[1].split()[0]) >= 6
