"""Runs beside each other, reviewed between iterations, shown in the UI, and limited in places."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.config.rest_em import load_config
from flows.orchestrator import alarm
from flows.orchestrator.allowed_paths import check_addresses, check_places
from flows.runs.child_logs import LINES_A_LOOK, ChildLogs
from flows.runs.journal import sole
from tasks.errors import UserError
from tasks.evaluate.intervals import Interval
from tasks.evaluate.results import Metrics
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL, TINY

FLAGS = [part for change in SMALL for part in ("--set", change)]


def _api(restem: Restem, path: str, **body: Any) -> Any:
    reply = httpx.post(f"{restem.api}{path}", json=body, timeout=300, auth=restem.auth)
    reply.raise_for_status()
    return reply.json()


def _logged(restem: Restem, flow_run: str, wanted: str) -> list[str]:
    """Prefect's log of a run, once a text is in it: what is logged is sent behind the run."""
    lines, deadline = list[str](), time.monotonic() + 300
    while time.monotonic() < deadline:
        lines = []
        while more := _api(
            restem,
            "/logs/filter",
            logs={"flow_run_id": {"any_": [flow_run]}},
            sort="TIMESTAMP_ASC",
            offset=len(lines),
        ):
            lines += [line["message"] for line in more]
        if any(wanted in line for line in lines):
            return lines
        time.sleep(0.5)
    pytest.fail(f"{wanted!r} was never logged: {lines}")


def test_equal_runs_started_at_once_do_the_work_once(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restem = Restem(tmp_path / "home", server)
    monkeypatch.setenv("RESTEM_HOME", str(restem.home))
    flags = [part for change in TINY for part in ("--set", change)]
    logs = [tmp_path / "one", tmp_path / "two"]
    with ExitStack() as ends, sole(load_config("math-demo", list(TINY)).run_id, lambda: None):
        both = [
            subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "demo", *flags],
                cwd=ROOT,
                env=restem.environment(),
                stdout=ends.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            for log in logs
        ]
        # Neither is done before the other comes to it.
        while not all("waiting for it" in log.read_text() for log in logs):
            assert all(process.poll() is None for process in both)
            time.sleep(0.1)
    codes = [process.wait(800) for process in both]
    said = [log.read_text() for log in logs]
    assert codes == [0, 0], said
    counts = sorted(text.split("\nsteps: ")[1].split(";")[0] for text in said)
    steps = len(restem.status()["steps"])
    assert counts == [f"0 run, {steps} cached", f"{steps} run, 0 cached"]
    assert not (restem.home / "runs" / restem.status()["run"] / "lock").exists()
    assert list((restem.home / "store" / ".locks").glob("*")) == []


def test_a_review_stops_the_run_until_a_person_decides(copied: Restem) -> None:
    asked = copied("demo", *FLAGS, "--set", "review=true")
    assert "iteration 1 awaits its review" in asked
    assert copied.status()["state"] == "awaits review"
    assert max(s["iteration"] for s in copied.status()["steps"]) == 1
    again = copied("resume")
    assert "iteration 1 awaits its review" in again  # nobody decided yet
    assert "--set foo" in copied("review", "--set", "foo=1", code=2)
    assert "temperature" in copied("review", "--set", "temperature=9", code=2)
    copied("review", "--set", "temperature=0.9", "--note", "more of them")
    copied("resume")
    status = copied.status()
    assert status["state"] == "completed" and len(status["iterations"]) == 3
    assert any("temperature 0.7 -> 0.9 (more of them)" in text for text in status["warnings"])
    drawn = [s for s in status["steps"] if s["step"] == "generate draw" and s["iteration"] == 1]
    assert {s["state"] for s in drawn} == {"Completed"}
    manifest = json.loads(
        (copied.home / "store" / drawn[0]["artifact"] / "manifest.json").read_text()
    )
    assert manifest["stats"]["provenance"]["settings"]["sampling"]["temperature"] == 0.9
    assert "awaits no review" in copied("review", code=2)


def test_a_review_can_end_the_loop(copied: Restem) -> None:
    copied("demo", *FLAGS, "--set", "review=true")
    copied("review", "--stop")
    copied("resume")
    status = copied.status()
    assert status["state"] == "completed" and len(status["iterations"]) == 2
    assert any("the loop ends here" in text for text in status["warnings"])


def test_a_fresh_seed_is_the_flow_runs_own_and_survives_in_resume(copied: Restem) -> None:
    before = copied.status()
    first = copied("demo", *FLAGS, "--set", "iterations=1", "--set", "fresh_seed=true")
    status = copied.status()
    assert status["run"] != before["run"] and status["run"] in first
    head = json.loads((copied.home / "runs" / status["run"] / "run.json").read_text())
    assert head["config"]["fresh_seed"] is False
    assert (
        head["config"]["seed"]
        == load_config("math-demo", ["fresh_seed=true"]).seeded(head["flow_run"]).seed
    )
    drawn = [s["state"] for s in status["steps"] if s["step"] == "generate draw"]
    assert set(drawn) == {"Completed"}
    assert _logged(copied, head["flow_run"], "engine-transformers: ")
    copied("resume", status["run"])
    assert {s["state"] for s in copied.status()["steps"]} == {"Cached"}


def test_the_run_page_has_metrics_and_report(copied: Restem) -> None:
    copied.demo()  # all cached, and told to the server of this process
    run = copied.status()["run"]
    (table,) = _api(
        copied, "/artifacts/latest/filter", artifacts={"key": {"any_": [f"metrics-{run}"]}}
    )
    rows = json.loads(table["data"])
    assert [row["policy"] for row in rows] == ["p0", "p1", "p2"] and "[" in rows[2]["greedy"]
    (report,) = _api(
        copied, "/artifacts/latest/filter", artifacts={"key": {"any_": [f"report-{run}"]}}
    )
    assert "data:image/svg+xml" in report["data"]


def test_a_users_mistake_is_one_line_in_prefects_log(finished: Restem, tmp_path: Path) -> None:
    """One that only the run can find: what is wrong before it is no run and has no log there."""
    restem = Restem(tmp_path / "home", finished.api)
    file = tmp_path / "mine.py"
    file.write_text("def pick(candidates):\n    return 5\n")
    restem("demo", *FLAGS, "--set", f"filter.select={file}:pick", code=2)
    (head,) = (json.loads(p.read_text()) for p in restem.home.glob("runs/*/run.json"))
    lines = _logged(finished, head["flow_run"], "filter.select: mine.py:pick")
    assert not [line for line in lines if "Traceback" in line]


def test_cleaning_keeps_what_an_earlier_attempt_reached(copied: Restem) -> None:
    run = copied.home / "runs" / copied.status()["run"]
    (run / "steps.jsonl").write_text("")  # as of an attempt that was killed at its start
    assert copied("store", "gc").strip().endswith(", 0 to remove")


@pytest.mark.parametrize(
    ("field", "place", "fine"),
    [
        ("model.base", "embedded:tiny-math", True),
        ("model.base", "google/gemma-3-270m", True),
        ("model.prompt", "tiny_math", True),
        ("resources.store", "{home}/other", True),
        ("data.source", "{data}/gsm8k", True),
        ("resources.store", "s3://mine/runs", True),
        ("resources.store", "s3://mine-not/runs", False),
        ("resources.store", "s3://mine/../theirs", False),
        ("resources.store", "/etc", False),
        ("resources.store", "{home}/../elsewhere", False),
        ("resources.store", "file:///etc", False),
        ("resources.store", "simplecache::s3://mine/runs", False),
        ("data.source", "../../etc/passwd", False),
        ("model.base", "~/secrets", False),
        ("model.prompt", "prompt.toml", False),
    ],
)
def test_places_that_the_api_may_name(
    field: str, place: str, fine: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RESTEM_PATHS", "s3://mine:/srv/shared")
    named = [(field, place.format(home=home, data=tmp_path / "data"))]
    if fine:
        check_places(named)
    else:
        with pytest.raises(UserError, match=f"^{field}: "):
            check_places(named)


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        ("resources.ray_address=head:6379", True),
        ("resources.ray_address=auto", False),
        ("resources.ray_address=ray://head:6379", False),
        ("resources.ray_address=evil.example:6379", False),
        ('resources.endpoints=["http://gpu1:8100", "http://gpu2:8100/"]', True),
        ('resources.endpoints=["http://gpu1:8100", "http://evil.example:8100"]', False),
        ('resources.endpoints=["http://gpu1:8100@evil.example"]', False),
    ],
)
def test_addresses_that_the_api_may_name(
    change: str, fine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_ADDRESSES", "head:6379, http://gpu1:8100,http://gpu2:8100")
    named = load_config("math-demo", ["sampling.engine=vllm", change]).resources.addresses
    if fine:
        check_addresses(named)
    else:
        with pytest.raises(UserError, match=f"^{change.partition('=')[0]}: "):
            check_addresses(named)


def test_the_server_of_a_run_answers_those_alone_who_have_the_secret(finished: Restem) -> None:
    ask = finished.api + "/flows/filter"
    assert httpx.post(ask, json={}).status_code == 401
    assert httpx.post(ask, json={}, auth=finished.auth).status_code == 200
    for name in ("Host", "Origin"):
        headers = {name: "http://evil.example" if name == "Origin" else "evil.example"}
        assert httpx.post(ask, json={}, auth=finished.auth, headers=headers).status_code == 403


def test_every_place_of_a_configuration_is_looked_at() -> None:
    changes = ["data.source=/a", "data.test_source=/b", "model.base=/c", "model.prompt=/d"]
    places = [place for _, place in load_config("gsm8k", changes[:3]).places]
    assert {"/a", "/b", "/c"} <= set(places)


@pytest.mark.parametrize(
    ("test", "train", "rings"),
    [
        ((0.80, 0.70), (0.80, 0.90), True),
        ((0.80, 0.79), (0.80, 0.90), False),  # within the interval
        ((0.80, 0.70), (0.80, 0.80), False),  # training did not rise
        ((0.70, 0.80), (0.80, 0.90), False),
    ],
)
def test_the_alarm(test: tuple[float, float], train: tuple[float, float], rings: bool) -> None:
    before, now = (_metrics(greedy=test[i], train=train[i]) for i in range(2))
    facts = alarm.overfitted(before, now)
    assert (facts is not None) is rings
    if facts:
        assert "0.700" in facts.words(2)
    assert alarm.overfitted(_metrics(greedy=0.9), _metrics(greedy=0.1)) is None


def _metrics(**values: float) -> Metrics:
    return Metrics({name: Interval(v, v - 0.03, v + 0.03, 100) for name, v in values.items()})


class _Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *values: object) -> None:
        self.lines.append(text % values)


def test_child_logs_pass_on_whole_new_lines(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    file.write_text("of an earlier attempt\n")
    seen = _Lines()
    logs = ChildLogs(tmp_path, seen)  # type: ignore[arg-type]
    with file.open("ab") as out:
        out.write(b"loading 1%\rloading 100%\nhalf a li")
        out.flush()
        logs.look()
        assert seen.lines == ["engine: loading 100%"]
        out.write(b"ne\n" + b"x\n" * (LINES_A_LOOK + 7))
        out.flush()
        logs.look()
    assert seen.lines[1] == "engine: half a line"
    assert "8 more lines" in seen.lines[-1] and len(seen.lines) == LINES_A_LOOK + 2
