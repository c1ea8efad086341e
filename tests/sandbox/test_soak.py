"""The soak's own arithmetic, and a short soak: everything is killed once, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from bench.scoring import _soak_jobs, soak
from tests.needs import lacking


def rows(count: int) -> list[list[object]]:
    return [[number, *_soak_jobs.known(number)] for number in range(count)]


def test_what_is_lost_or_changed_is_found() -> None:
    good = rows(50)
    assert soak.judge(good, 50) == (0, [])
    assert soak.judge(good[:20] + good[21:], 50) == (1, [])
    assert soak.judge([*good, good[3]], 50) == (1, [])
    good[7] = [7, "sandbox_error", 0, 2, None]
    lost, changed = soak.judge(good, 50)
    assert lost == 0
    assert len(changed) == 1 and changed[0].startswith("7 ")


def test_all_kinds_come_and_their_verdicts_are_possible() -> None:
    assert {_soak_jobs.kind(number) for number in range(5000)} == set(_soak_jobs.KINDS)
    assert len({_soak_jobs.job(number).tests for number in range(5000)}) == 5000


def test_a_line_that_a_kill_cut_off_is_removed(tmp_path: Path) -> None:
    journal = tmp_path / "verdicts"
    assert _soak_jobs.recover(journal) == 0
    whole = "".join(json.dumps(row) + "\n" for row in rows(3))
    journal.write_text(whole + "[3, ")
    assert _soak_jobs.recover(journal) == 3
    assert journal.read_text() == whole


def test_growth_is_told_from_noise_and_warm_up() -> None:
    watch = soak.Watch()
    for number in range(100):
        watch.note("flat", "a", number, 30.0 + number % 2 - 20.0 * (number < 10))
        watch.note("grows", "a", number, 30.0 + number * 0.1)
        watch.note("short", str(number), number, 1.0)
    flat, grows = watch.growth("flat", 100), watch.growth("grows", 100)
    assert flat is not None and abs(flat) < 1.0
    assert grows == pytest.approx(10.0)
    assert watch.growth("short", 100) is None


def test_nothing_is_lost_while_things_are_killed(image: str, capfd: pytest.CaptureFixture) -> None:
    if os.geteuid() != 0 or not shutil.which("dockerd", path="/usr/sbin:/usr/bin:/sbin"):
        lacking("a Docker daemon of its own needs root and dockerd")
    assert soak.run("3000") == 0.0
    said = capfd.readouterr().out
    assert "killed: container 3, pool 1, daemon 1" in said
    assert "containers left 0, processes left 0" in said
    assert said.splitlines()[-1] == "soak ratio=0.000000"
