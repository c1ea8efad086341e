"""A few of the inputs of `restem bench fuzz`, by fixed seeds; all that it found is mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.recovery.fuzz import TARGETS, Violation, fuzz, report, run

# Of a target; the command of make.
COUNT = 300


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_hostile_inputs_are_answered_or_refused(target: str) -> None:
    found = fuzz(target, COUNT, seed=16)
    assert not found.violations and not found.outside, report(found)
    assert found.inputs == COUNT == found.outcomes.total()
    assert len(found.outcomes) > 3  # else the inputs reach nothing


@pytest.mark.slow
def test_the_same_numbers_make_the_same_inputs() -> None:
    whole = fuzz("parameters", 40, seed=3).outcomes
    assert fuzz("parameters", 20, seed=3).outcomes + fuzz("parameters", 20, 3, 20).outcomes == whole
    # Only counts are compared, and those of one other seed may be the same by chance.
    assert any(fuzz("parameters", 40, seed=seed).outcomes != whole for seed in (4, 5, 6, 7))


class Bad:
    """Does what none may."""

    def try_one(self, random: object) -> str:
        Path("here").write_text("inside")  # the working folder is its own
        (Path(os.environ["TMPDIR_OF_TEST"]) / "there").write_text("outside")
        raise ValueError("a traceback")

    def close(self) -> None:
        pass


def test_what_none_may_do_is_counted_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR_OF_TEST", str(tmp_path))
    monkeypatch.setattr("bench.recovery._fuzz_parameters.open_target", lambda folder: Bad())
    with pytest.raises(SystemExit) as ended:
        run("parameters", "5")
    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert "VIOLATION 5 times, first 0: ValueError at test_fuzz.py" in said
    assert f"OUTSIDE 5 times: open {tmp_path}/there" in said
    assert said.endswith("fuzz ratio=0.0000\n")


def test_a_wrong_target_is_one_line() -> None:
    with pytest.raises(SystemExit, match="expected all or one of: manifests, journals"):
        run("nothing")
    assert issubclass(Violation, Exception)
