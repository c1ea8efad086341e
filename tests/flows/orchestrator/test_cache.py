"""Nothing is paid for twice, and nothing damaged is served: asserted on the states of tasks."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.recovery.resume import digests, leftovers
from flows.runs.journal import read_head
from tasks.store.locks import alone
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL


def states(steps: list[dict], group: str = "") -> set[str]:
    return {step["state"] for step in steps if step["step"].startswith(group)}


def done(steps: list[dict]) -> set[str]:
    """Names of the step groups in which work was done."""
    return {step["step"] for step in steps if step["state"] == "Completed"}


def test_an_identical_run_is_all_cached_and_starts_nothing(copied: Restem) -> None:
    for log in copied.home.glob("runs/*/logs/*"):
        log.unlink()
    steps = copied.demo()
    assert steps and states(steps) == {"Cached"}
    assert list(copied.home.glob("runs/*/logs/*")) == []  # an engine or trainer would have one


def _last_flow_run(restem: Restem) -> dict[str, Any]:
    """As Prefect's server has it, which knows runs of other tests as well."""
    head = read_head(restem.home / "runs" / restem.status()["run"])
    return httpx.get(f"{restem.api}/flow_runs/{head.flow_run}", auth=restem.auth).json()


def test_prefect_itself_says_cached(copied: Restem) -> None:
    copied.demo()
    flow_run = _last_flow_run(copied)
    expected = len(copied.status()["steps"])
    tasks: list[dict] = []
    names: list[str] = []
    deadline = time.monotonic() + 300
    # The server records them later, and their ends after their beginnings.
    while names != ["Cached"] * expected and time.monotonic() < deadline:
        time.sleep(0.5)
        tasks = httpx.post(
            f"{copied.api}/task_runs/filter",
            json={"flow_runs": {"id": {"any_": [flow_run["id"]]}}, "limit": 200},
            auth=copied.auth,
        ).json()
        names = [task["state_name"] for task in tasks]
    assert names == ["Cached"] * expected


def test_a_run_of_the_command_line_has_the_tags_of_its_deployment(copied: Restem) -> None:
    copied.demo()
    assert sorted(_last_flow_run(copied)["tags"]) == ["cpu", "demo", "math"]


def test_a_run_with_a_server_of_its_own_ends_in_silence(copied: Restem) -> None:
    flags = [part for change in SMALL for part in ("--set", change)]
    said = copied("demo", *flags, "--set", "evaluation.pass_k=[1,2]", PREFECT_API_URL="")
    assert (copied.home / "prefect" / "server.log").exists()
    assert said.splitlines()[-1].startswith("time: ")


def test_another_cap_runs_select_and_later_only(copied: Restem) -> None:
    steps = copied.demo("filter.cap=1", "iterations=1")
    first = [step for step in steps if step["iteration"] == 0]
    assert states(first) == {"Cached"}
    assert states(steps, "select") == states(steps, "finetune") == {"Completed"}


def test_more_samples_draw_only_the_new_ones(copied: Restem) -> None:
    before = copied.status()["steps"]
    steps = copied.demo("sampling.samples=16", "iterations=1")
    drawn = [s for s in steps if s["step"] == "generate draw"]
    old = {s["artifact"] for s in before if s["step"] == "generate draw" and s["iteration"] == 0}
    assert {s["artifact"] for s in drawn if s["state"] == "Cached"} == old
    assert len([s for s in drawn if s["state"] == "Completed"]) == len(old)


def test_another_k_samples_nothing(copied: Restem) -> None:
    steps = copied.demo("evaluation.pass_k=[1,2]")
    assert done(steps) == {"measure", "report"}


def test_another_seed_draws_fresh_samples_but_not_greedy_ones(copied: Restem) -> None:
    steps = copied.demo("seed=99", "iterations=1")
    first = [step for step in steps if step["iteration"] == 0]
    assert states(first, "generate draw") == {"Completed"}
    assert states(first, "generate test") == {"Cached"}


def test_more_training_problems_sample_only_the_new_ones(copied: Restem) -> None:
    before = {s["artifact"] for s in copied.status()["steps"] if s["step"] == "generate draw"}
    steps = copied.demo("data.train_limit=256", "iterations=1")
    drawn = [s for s in steps if s["step"] == "generate draw"]
    assert {s["artifact"] for s in drawn if s["state"] == "Cached"} <= before
    assert sum(s["state"] == "Cached" for s in drawn) == 6  # 192 problems / 64, twice 4 samples
    assert sum(s["state"] == "Completed" for s in drawn) == 2


# Every kind is built again in its own way. How damage is found does not depend on the kind: both
# ways of it are shown for every file in tests/tasks/store/test_artifacts.py.
DAMAGE = [
    *(("problems", "flip"), ("model", "remove"), ("samples", "flip"), ("verdicts", "remove")),
    *(("rows", "flip"), ("metrics", "remove"), ("report", "flip")),
]


@pytest.mark.parametrize(("kind", "how"), DAMAGE)
def test_damage_is_found_said_and_rebuilt(copied: Restem, kind: str, how: str) -> None:
    expected = digests(copied.home)
    dice = random.Random(f"{kind} {how}")
    files = sorted(p for p in (copied.home / "store" / kind).rglob("*") if p.is_file())
    victim = dice.choice(files)
    if how == "remove":
        victim.unlink()
    else:
        content = bytearray(victim.read_bytes())
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        victim.write_bytes(bytes(content))
    damaged = victim.relative_to(copied.home / "store")
    assert "1 damaged" in copied("store", "verify", code=1)
    steps = copied.demo()
    place = "/".join(damaged.parts[:2])
    assert [s["artifact"] for s in steps if s["state"] == "Completed"] == [place]
    head = json.loads(next(copied.home.glob("runs/*/run.json")).read_text())
    assert any(victim.name in warning and "built again" in warning for warning in head["warnings"])
    assert digests(copied.home) == expected
    assert "0 damaged" in copied("store", "verify")


def test_a_broken_prefect_record_is_written_again(copied: Restem) -> None:
    record = sorted((copied.home / "results").glob("score-*"))[0]
    whole = json.loads(json.loads(record.read_text())["result"])
    record.write_text('{"half a rec')
    steps = copied.demo()
    assert {s["state"] for s in steps} == {
        "Cached"
    }  # its artifact is there: only the record is new
    assert json.loads(json.loads(record.read_text())["result"]) == whole
    assert any("was damaged; it is written again" in w for w in copied.status()["warnings"])


def test_a_record_that_another_run_is_writing_is_waited_for(copied: Restem) -> None:
    record = sorted((copied.home / "results").glob("measure-*"))[-1]
    whole, locks = record.read_text(), copied.home / "results-locks"
    journal = next(copied.home.glob("runs/*/steps.jsonl"))
    before = journal.stat().st_ino, journal.stat().st_mtime_ns
    flags = [part for change in SMALL for part in ("--set", change)]
    with alone(locks / record.name):
        record.write_text(whole[:10])
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "demo", *flags],
            cwd=ROOT,
            env=copied.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while process.poll() is None and not (
            (journal.stat().st_ino, journal.stat().st_mtime_ns) != before
            and '"score' in journal.read_text()
        ):
            time.sleep(0.05)
        time.sleep(1)  # it comes to the record of the measures
        record.write_text(whole)
    said, _ = process.communicate()  # pytest-timeout bounds it
    assert process.returncode == 0 and "damaged" not in said, said
    assert states(copied.status()["steps"]) == {"Cached"}


def test_lost_prefect_records_cost_no_work(copied: Restem) -> None:
    made = {p: p.stat().st_mtime_ns for p in (copied.home / "store").glob("*/*/manifest.json")}
    for record in (copied.home / "results").iterdir():
        record.unlink()
    copied.demo()
    assert made == {p: p.stat().st_mtime_ns for p in made}


def test_nothing_temporary_is_left(finished: Restem) -> None:
    assert leftovers(finished.home) == 0
    assert Path(finished("report", "latest").strip()).is_file()
