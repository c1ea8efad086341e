"""What trackers are told of a run, read back by each library's own reader."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from flows.config.rest_em import load_config
from flows.rest_em.results import RunReport
from flows.rest_em.tracking.gather import iteration_points, series_name, training_points
from flows.rest_em.tracking.record import Point, TrackedRun
from flows.rest_em.tracking.trackers import TRACKERS, installed, tell
from tasks.paths import ROOT
from tasks.settings.tracking import TrackerName
from tests.flows.conftest import Restem
from tests.needs import lacking

RUN = TrackedRun(
    run="math-demo-12345678",
    config={"seed": "1", "model.base": "embedded:tiny-math", "evaluation.pass_k": "[1, 4]"},
    report="/somewhere/report.html",
    iterations=[
        Point(0, {"eval/greedy": 0.25, "eval/greedy_low": 0.2, "cost/tokens": 1000.0}),
        Point(1, {"eval/greedy": 0.5, "eval/greedy_low": 0.4, "cost/tokens": 2000.0}),
    ],
    training=[
        Point(5, {"train/iteration_1/loss": 1.5}),
        Point(10, {"train/iteration_1/loss": 1.25}),
        Point(10, {"train/iteration_1/reward": 0.5}),
    ],
)
# Series -> its values, by step.
CURVES = {
    "eval/greedy": [(0, 0.25), (1, 0.5)],
    "eval/greedy_low": [(0, 0.2), (1, 0.4)],
    "cost/tokens": [(0, 1000.0), (1, 2000.0)],
    "train/iteration_1/loss": [(5, 1.5), (10, 1.25)],
    "train/iteration_1/reward": [(10, 0.5)],
}
BESIDE = ROOT / ".venv" / "home" / "trackers"
NAMES: tuple[TrackerName, ...] = get_args(TrackerName)
Curves = dict[str, list[tuple[int, float]]]

# Each prints [runs of the name, curves, a field of the configuration] of a home, in a process of
# its own, for some of these libraries keep what they read once.
READERS: dict[TrackerName, str] = {
    "tensorboard": """
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
files = list((home / "tensorboard" / run).iterdir())
read = EventAccumulator(str(home / "tensorboard" / run)).Reload()
for tag in read.Tags()["scalars"]:
    curves[tag] = [(one.step, one.value) for one in read.Scalars(tag)]
text = read.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
found = len(files), "| model.base | embedded:tiny-math |" in text and "embedded:tiny-math"
""",
    "wandb": """
from wandb.proto import wandb_internal_pb2 as proto
files = list((home / "wandb").glob(f"offline-run-*/run-{run}.wandb"))
# LevelDB's log: blocks of 32 KiB, in them parts with checksum, length and kind (whole, first,
# middle, last), and before them seven bytes of W&B's own.
content, at, whole, records, base = files[0].read_bytes(), 7, b"", [], ""
while at + 7 <= len(content):
    if 32768 - at % 32768 < 7:
        at += 32768 - at % 32768
        continue
    size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
    whole = (whole if kind in (3, 4) else b"") + content[at + 7 : at + 7 + size]
    at += 7 + size
    if kind in (1, 4):
        records.append(whole)
for raw in records:
    record = proto.Record()
    record.ParseFromString(raw)
    for item in record.run.config.update if record.HasField("run") else ():
        if item.key == "model.base":
            base = json.loads(item.value_json)
    row = {}
    for item in record.history.item if record.HasField("history") else ():
        row[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    for name, value in row.items():
        step = row.get("iteration", row.get("train/step"))
        if not name.startswith("_") and name not in ("iteration", "train/step"):
            curves.setdefault(name, []).append((step, value))
found = len(files), base
""",
    "mlflow": """
from mlflow import MlflowClient
client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
place = client.get_experiment_by_name("restem").experiment_id
runs = client.search_runs([place], f"attributes.run_name = '{run}'")
for name in runs[0].data.metrics:
    points = client.get_metric_history(runs[0].info.run_id, name)
    curves[name] = sorted((one.step, one.value) for one in points)
assert runs[0].info.status == "FINISHED" and runs[0].data.tags["restem.report"]
found = len(runs), runs[0].data.params["model.base"]
""",
    "trackio": """
import os
os.environ["TRACKIO_DIR"] = str(home / "trackio")
import trackio
runs = [one for one in trackio.Api().runs("restem") if one.name == run]
from trackio.sqlite_storage import SQLiteStorage
for row in SQLiteStorage.get_logs("restem", run):
    for name, value in row.items():
        if name not in ("step", "timestamp"):
            curves.setdefault(name, []).append((row["step"], value))
found = len(runs), runs[0].config["model.base"]
""",
}


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds the libraries that scripts/test_parts.sh brings beside .venv."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(BESIDE)])
    monkeypatch.setenv("PYTHONPATH", str(BESIDE))


@pytest.fixture(params=NAMES)
def tracker(request: pytest.FixtureRequest) -> TrackerName:
    """Each library that is there."""
    name: TrackerName = request.param
    if missing := [one for one in TRACKERS[name].needs if not importlib.util.find_spec(one)]:
        lacking(f"{missing[0]} is not installed (the extra {name}, or scripts/test_parts.sh)")
    return name


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sends curves elsewhere is not set."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_", "TRACKIO_")):
            monkeypatch.delenv(name)


class Told:
    """Tells a tracker, and keeps what is said of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def __call__(self, name: TrackerName, run: TrackedRun = RUN, limit: float = 600.0) -> None:
        log = self.home / "logs" / f"tracking-{name}.log"
        tell(name, run, self.home, log, self.lines.append, self.warnings.append, limit)


@pytest.fixture
def told(home: Path) -> Told:
    return Told(home)


def read_back(name: TrackerName, home: Path, run: str) -> tuple[int, str, Curves]:
    """How many runs of the name there are, its base policy, and its curves."""
    script = (
        "import json, sys\nfrom pathlib import Path\n"
        "home, run, curves = Path(sys.argv[1]), sys.argv[2], {}\n"
        f"{READERS[name]}\nprint(json.dumps([*found, curves]))"
    )
    command = [sys.executable, "-c", script, str(home), run]
    done = subprocess.run(command, capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr
    count, base, curves = json.loads(done.stdout.splitlines()[-1])
    return count, base, {k: [(step, value) for step, value in v] for k, v in curves.items()}


def same(found: Curves, expected: Curves) -> bool:
    """Whether curves are equal; TensorBoard keeps values as float32."""
    return found.keys() == expected.keys() and all(
        [step for step, _ in found[name]] == [step for step, _ in expected[name]]
        and [value for _, value in found[name]]
        == pytest.approx([value for _, value in expected[name]], rel=1e-6)
        for name in expected
    )


@pytest.mark.slow
def test_a_tracker_gives_back_what_it_was_told_once_however_often(
    tracker: TrackerName, told: Told
) -> None:
    told(tracker)
    told(tracker)
    assert told.warnings == [] and all(line.startswith(f"{tracker}: ") for line in told.lines)
    count, base, curves = read_back(tracker, told.home, RUN.run)
    assert (count, base) == (1, "embedded:tiny-math")
    assert same(curves, CURVES), curves


@pytest.mark.slow
def test_two_runs_are_two_runs(tracker: TrackerName, told: Told) -> None:
    other = TrackedRun("other-run", RUN.config, RUN.report, RUN.iterations[:1], [])
    told(tracker)
    told(tracker, other)
    assert told.warnings == []
    assert same(read_back(tracker, told.home, RUN.run)[2], CURVES)
    only = {name: points[:1] for name, points in CURVES.items() if not name.startswith("train")}
    assert same(read_back(tracker, told.home, "other-run")[2], only)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which somebody takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


ELSEWHERE: dict[TrackerName, dict[str, str]] = {
    "wandb": {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "ADDRESS"},
    "mlflow": {"MLFLOW_TRACKING_URI": "ADDRESS"},
    "trackio": {"TRACKIO_SERVER_URL": "ADDRESS"},
}


@pytest.mark.slow
def test_a_server_that_never_answers_costs_a_limited_time(
    tracker: TrackerName, told: Told, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tracker not in ELSEWHERE:
        return  # it writes files and has no server
    for name, value in ELSEWHERE[tracker].items():
        monkeypatch.setenv(name, value.replace("ADDRESS", silent))
    told(tracker, limit=10.0)
    [warning] = told.warnings
    assert warning.startswith(f"tracking: {tracker}: ") and "\n" not in warning
    assert told.lines == []


@pytest.mark.slow
def test_a_tracker_that_fails_is_one_line(tracker: TrackerName, told: Told) -> None:
    told.home.mkdir()
    for name in ("tensorboard", "wandb", "mlflow.db", "trackio"):
        (told.home / name).write_text("in the way")
    told(tracker)
    [warning] = told.warnings
    assert warning.startswith(f"tracking: {tracker}: ") and "the run itself is done" in warning
    assert told.lines == []
    assert "\n" not in warning


def test_what_is_not_installed_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "wandb" or None)
    said: list[str] = []
    assert installed(["mlflow", "wandb", "mlflow"], said.append) == ["wandb"]
    assert said == ["tracking: mlflow is not installed; pip install 'restem[mlflow]'"]


def test_every_tracker_has_an_extra_of_its_name() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(NAMES) <= extras.keys() and set(TRACKERS) == set(NAMES)
    assert sorted(extras["trackers"]) == sorted(one for name in NAMES for one in extras[name])


def test_trackers_change_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, tracked = load_config("math-demo"), load_config("math-demo", ['tracking=["wandb"]'])
    assert plain.run_id == tracked.run_id and plain.described() == tracked.described()


@pytest.mark.parametrize(
    ("metric", "series"), [("greedy", "greedy"), ("pass@4", "pass_at_4"), ("bbh: a b", "bbh_a_b")]
)
def test_names_of_series_are_taken_everywhere(metric: str, series: str) -> None:
    assert series_name(metric) == series


# ---- of a run ----


def report_of(restem: Restem) -> RunReport:
    found = next((restem.home / "store" / "report").glob("*/report.json")).parent
    return RunReport.read(found)


def expected_curves(report: RunReport) -> Curves:
    curves: Curves = {}
    for point in (*iteration_points(report.iterations, []), *training_points(report.iterations)):
        for name, value in point.values.items():
            curves.setdefault(name, []).append((point.step, value))
    return curves


def test_a_run_tells_metrics_with_bounds_losses_rewards_and_costs(finished: Restem) -> None:
    curves = expected_curves(report_of(finished))
    steps = {name: [step for step, _ in points] for name, points in curves.items()}
    for name in ("eval/greedy", "eval/greedy_low", "eval/greedy_high", "eval/pass_at_4"):
        assert steps[name] == [0, 1, 2]
    assert steps["samples/accepted"] == [0, 1]
    for number in (1, 2):
        assert len(steps[f"train/iteration_{number}/loss"]) > 1
        assert len(steps[f"train/iteration_{number}/reward"]) > 0
    low, value, high = (dict(curves[f"eval/greedy{end}"])[2] for end in ("_low", "", "_high"))
    assert low <= value <= high


@pytest.mark.engine
@pytest.mark.prefect
def test_a_cached_run_tells_all_trackers_and_makes_nothing_again(
    copied: Restem, tmp_path: Path
) -> None:
    there = [n for n in NAMES if all(map(importlib.util.find_spec, TRACKERS[n].needs))]
    missing = [n for n in NAMES if n not in there]
    steps = copied.demo(f"tracking={json.dumps(NAMES)}")
    assert {line["state"] for line in steps} == {"Cached"}
    report = report_of(copied)
    expected = expected_curves(report)
    for name in there:
        count, base, found = read_back(name, copied.home, report.run)
        costs = {one for one in found if one.startswith("cost/")}
        assert "cost/tokens" in costs and (count, base) == (1, "embedded:tiny-math")
        assert same({k: v for k, v in found.items() if k not in costs}, expected), name
    # Those that are not there were said when the run began.
    said = [text for text in copied.status()["warnings"] if text.startswith("tracking: ")]
    assert [f"restem[{n}]" in text for n, text in zip(missing, said, strict=True)] == [True] * len(
        missing
    )
