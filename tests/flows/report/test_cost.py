"""What a run costs: summed from manifests, and nothing for what the cache gave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.metering import COST_NAMES, CpuWatch, cpu_of, metered, spend
from tests.flows.conftest import Restem


def made(restem: Restem) -> list[dict]:
    """The stats of every artifact in the store."""
    store = restem.home / "store"
    return [json.loads(path.read_text())["stats"] for path in store.glob("*/*/manifest.json")]


def test_totals_are_the_sums_over_the_manifests(finished: Restem) -> None:
    cost = finished.status()["cost"]
    stats = made(finished)
    for name in COST_NAMES:
        expected = sum(one.get(name, 0) for one in stats)
        assert cost["total"]["made"][name] == pytest.approx(expected, abs=0.01)
        by_step = sum(row["made"][name] for row in cost["steps"])
        assert by_step == pytest.approx(expected, abs=0.01)
    assert sum(row["tasks"] for row in cost["steps"]) == len(stats)
    assert cost["total"]["spent"] == cost["total"]["made"]


def test_each_step_says_what_it_used(finished: Restem) -> None:
    rows = {
        (row["iteration"], row["step"]): row["made"] for row in finished.status()["cost"]["steps"]
    }
    for step in ("generate draw", "generate test"):
        used = rows[0, step]
        assert used["cpu_seconds"] > 0 and used["tokens"] > 0
        assert used["engine_seconds"] > 0
    # The trainer is a process of its own: without it the step would have used next to nothing.
    assert rows[1, "finetune"]["cpu_seconds"] > 1.0
    assert rows[0, "score draw"]["cpu_seconds"] > 0
    assert all(row["sandbox_seconds"] == 0 for row in rows.values())  # no program was run


def test_a_cached_run_spent_nothing(copied: Restem) -> None:
    before = copied.status()["cost"]
    copied.demo()
    cost = copied.status()["cost"]
    assert cost["total"]["made"] == before["total"]["made"]
    assert set(cost["total"]["spent"].values()) == {0}
    assert all(row["cached"] == row["tasks"] for row in cost["steps"])
    said = copied("status")
    assert "spent now, s" in said and "CPU s" in said


def test_a_resumed_run_spent_what_it_made_again(copied: Restem) -> None:
    victim = sorted((copied.home / "store" / "verdicts").glob("*"))[0]
    (victim / "verdicts.parquet").unlink()
    steps = copied.demo()
    cost = copied.status()["cost"]
    (line,) = [step for step in steps if step["state"] == "Completed"]
    assert cost["total"]["spent"]["seconds"] == line["seconds"]
    (row,) = [row for row in cost["steps"] if row["spent"]["seconds"]]
    assert (row["iteration"], row["step"]) == (line["iteration"], line["step"])


def test_accepted_samples_are_those_of_the_selection(finished: Restem) -> None:
    status = finished.status()
    cost = status["cost"]
    for found in cost["accepted"]:
        line = next(
            s
            for s in status["steps"]
            if s["step"] == "select" and s["iteration"] == found["iteration"]
        )
        counts = json.loads(
            (finished.home / "store" / line["artifact"] / "counts.json").read_text()
        )
        assert (found["kept"], found["correct"]) == (counts["kept"], counts["correct"])
        drawn = sum(
            s["tokens"]
            for s in status["steps"]
            if s["step"] == "generate draw" and s["iteration"] == found["iteration"] - 1
        )
        assert found["cost"]["tokens"] == drawn > 0
        assert found["per_kept"]["tokens"] == pytest.approx(drawn / counts["kept"])
        assert found["per_correct"]["tokens"] == pytest.approx(drawn / counts["correct"])
    assert [found["iteration"] for found in cost["accepted"]] == [1, 2]


def test_a_point_costs_the_whole_run(finished: Restem) -> None:
    status = finished.status()
    values = [item["metrics"]["greedy"]["value"] for item in status["iterations"]]
    gained = 100 * (values[-1] - values[0])
    points = status["cost"]["points"]
    assert points["gained"] == pytest.approx(gained)
    if gained > 0:
        tokens = status["cost"]["total"]["made"]["tokens"]
        assert points["per_point"]["tokens"] == pytest.approx(tokens / gained)
    else:
        assert points["per_point"] is None


def test_the_report_says_the_same(finished: Restem) -> None:
    page = Path(finished("report", "latest").strip()).read_text()
    assert "Cost of a sample and of a point" in page
    (found, *_) = finished.status()["cost"]["accepted"]
    assert f"{found['per_kept']['tokens']:.3g}" in page


def test_two_steps_at_once_do_not_count_each_other() -> None:
    import threading
    import time

    facts: dict[str, dict[str, float]] = {}

    def step(name: str, work: float) -> None:
        with metered() as meter:
            until = time.thread_time() + work
            while time.thread_time() < until:
                sum(range(1000))
            spend("engine_seconds", 0.05)
        facts[name] = meter.costs()

    threads = [threading.Thread(target=step, args=one) for one in (("busy", 1.0), ("idle", 0.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert facts["busy"]["cpu_seconds"] >= 1.0
    assert facts["idle"]["cpu_seconds"] < 0.5
    assert facts["idle"]["engine_seconds"] >= 0.05


def test_a_process_that_works_for_a_step_is_read_to_its_end() -> None:
    import subprocess
    import sys

    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    watch = CpuWatch(process.pid)
    assert process.stdout and process.stdout.readline()
    with metered() as meter:
        watch.read(meter)
        watch.read(meter)
    assert 0.45 <= meter.costs()["cpu_seconds"] < 2.0
    process.kill()
    process.wait()
    assert cpu_of(process.pid) == 0.0
