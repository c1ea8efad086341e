"""A finished run that is asked for again: found whole, without a server, and said as before."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.rest_em.cached import cached_run
from flows.runs.journal import sole
from tests.flows.conftest import Restem
from tests.small import SMALL

FLAGS = [part for change in SMALL for part in ("--set", change)]
TIMES = ("took", "ended")


def plain(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: v for name, v in line.items() if name not in TIMES} for line in lines]


def shown(text: str) -> list[str]:
    """What is printed, without what times are in."""
    lines = [line for line in text.splitlines() if not line.startswith(("time: ", "steps: "))]
    return [re.sub(r" +[0-9.]+ s · ", " ", line) for line in lines]


def test_it_says_and_keeps_what_prefect_would(copied: Restem) -> None:
    through = copied("demo", *FLAGS)
    before = copied.status()
    alone = copied("demo", *FLAGS, PREFECT_API_URL="")
    now = copied.status()
    assert not (copied.home / "prefect" / "server.log").exists()
    assert shown(alone) == shown(through)
    assert "67 cached" in alone and " 0 run" in alone
    assert plain(now["steps"]) == plain(before["steps"])
    assert now["iterations"][-1]["metrics"] == before["iterations"][-1]["metrics"]
    assert (now["state"], now["model"], now["report"]) == (
        "completed",
        before["model"],
        before["report"],
    )


def test_it_loads_neither_prefect_nor_torch(copied: Restem) -> None:
    code = (
        "import sys; from flows.config.rest_em import load_config;"
        "from flows.api.start import start;"
        f"start(load_config('math-demo', {list(SMALL)!r}));"
        "print([one for one in ('prefect', 'torch', 'transformers') if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copied.root,
        env={**copied.environment(), "PREFECT_API_URL": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("damage", ["removed", "changed"])
def test_where_something_is_missing_nothing_is_written(
    copied: Restem, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(copied.home))
    config = load_config("math-demo", list(SMALL))
    head = copied.home / "runs" / config.run_id / "run.json"
    before = head.read_bytes()
    policy = copied.home / "store" / json.loads(before)["policies"][-1]
    if damage == "removed":
        shutil.rmtree(policy)
    else:
        os.truncate(policy / "model.safetensors", 100)
    assert cached_run(config) is None
    assert head.read_bytes() == before
    assert damage == "removed" or policy.is_dir()  # it is set aside by the run that makes it again


def test_a_run_under_way_is_not_taken_for_finished(
    copied: Restem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(copied.home))
    config = load_config("math-demo", list(SMALL))
    with sole(config.run_id, lambda: None):
        assert cached_run(config) is None
    assert cached_run(config) is not None


@pytest.mark.parametrize("change", ["review=true", "fresh_seed=true", 'tracking=["tensorboard"]'])
def test_what_needs_the_flow_goes_through_it(home: Path, change: str) -> None:
    assert cached_run(load_config("math-demo", [change])) is None
