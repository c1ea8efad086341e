"""`restem evaluate` as a person uses it: real policies and engines, the cache, hand grading."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.config.evaluate import load_evaluation
from flows.evaluate.bbh import by_task
from flows.evaluate.flow import resolved
from flows.evaluate.hand import read_grades
from flows.evaluate.results import ScoredBenchmark
from flows.station.web import page_of
from tasks.errors import UserError
from tasks.evaluate.metrics import pass_at_k
from tasks.paths import CONFIGS
from tasks.settings import MeasureSettings
from tests.flows.conftest import Restem

FLAGS = (
    "--limit=60",
    "--set=measure.samples=4",
    "--set=measure.pass_k=[1,4]",
    "--set=measure.majority=[4]",
    "--set=resources.shard_problems=30",
)


@pytest.fixture(scope="module")
def compared(finished: Restem, tmp_path_factory: pytest.TempPathFactory) -> tuple[Restem, Any]:
    """The second iteration of the demo against its base, on problems of the demo's kind."""
    home = tmp_path_factory.mktemp("compared") / "home"
    subprocess.run(["cp", "-a", str(finished.home), str(home)], check=True)
    restem = Restem(home, finished.api)
    said = restem("evaluate", "latest", "--against=latest:0", "--on=synthetic_math", *FLAGS)
    assert "accuracy in %" in said and "difference" in said
    return restem, restem.status()


def test_results_are_the_averages_of_the_samples(compared: tuple[Restem, Any]) -> None:
    restem, facts = compared
    folder = restem.home / "runs" / facts["run"]
    rows = pq.read_table(folder / "samples.parquet").to_pylist()
    assert len(rows) == 2 * 60 * (1 + 4)
    [benchmark] = facts["results"]["benchmarks"]
    for policy in benchmark["policies"]:
        own = [row for row in rows if row["policy"] == policy["number"]]
        greedy = [row["reward"] for row in own if row["drawn"] == "greedy"]
        assert policy["metrics"]["greedy"]["value"] == pytest.approx(sum(greedy) / 60)
        right: dict[str, int] = {}
        for row in own:
            if row["drawn"] == "sampled":
                right[row["problem_id"]] = right.get(row["problem_id"], 0) + int(row["reward"])
        for k in (1, 4):
            expected = sum(pass_at_k(4, c, k) for c in right.values()) / 60
            assert policy["metrics"][f"pass@{k}"]["value"] == pytest.approx(expected)
    assert {row["group"] for row in rows if row["drawn"] == "greedy"} == {-1}
    assert {row["group"] for row in rows if row["drawn"] == "sampled"} & {0, 1, 2, 3}


def test_each_count_of_the_report_leads_to_as_many_samples(
    compared: tuple[Restem, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    restem, facts = compared
    monkeypatch.setenv("RESTEM_HOME", str(restem.home))
    report = (restem.home / "runs" / facts["run"] / "report.html").read_text()
    counts = re.findall(r'<a data-samples="samples\?(.*?)" title=.*?>([\d,]+)</a>', report)
    assert len(counts) > 3 and any("flipped=" in query for query, _ in counts)
    for query, count in counts:
        page = page_of(["runs", facts["run"], "samples"], html.unescape(query))
        assert page is not None and f" of {count} sample" in page.body.decode(), query
    said = restem("samples", facts["run"], "--purpose", "synthetic_math greedy", "--limit", "0")
    assert said.count(" sample 0: ") == 2 * 60


def test_the_comparison_is_of_the_same_problems(compared: tuple[Restem, Any]) -> None:
    _, facts = compared
    [benchmark] = facts["results"]["benchmarks"]
    found = benchmark["comparison"]
    before, after = (policy["metrics"]["greedy"]["value"] for policy in benchmark["policies"])
    assert found["metrics"]["greedy"]["value"] == pytest.approx(after - before)
    test = found["mcnemar"]
    assert (test["solved"] - test["lost"]) / 60 == pytest.approx(after - before)
    assert 0 < test["p"] <= test["p_holm"] <= 1
    assert sum(one["problems"] for one in found["bins"]) == 60
    assert set(found["metrics"]) == {"greedy", "pass@1", "pass@4", "maj@4"}


def test_again_it_is_all_cached(compared: tuple[Restem, Any]) -> None:
    restem, facts = compared
    name = facts["results"]["model"]
    restem("evaluate", name, f"--against={name[:-1]}0", "--on=synthetic_math", *FLAGS)
    again = restem.status()
    assert again["run"] == facts["run"] and again["results"] == facts["results"]
    assert {step["state"] for step in again["steps"]} == {"Cached"}


def test_what_a_run_sampled_is_not_sampled_again(finished: Restem, tmp_path: Path) -> None:
    """The demo measures its policies on the same problems with the same settings."""
    shutil.copytree(finished.home, tmp_path / "home")
    restem = Restem(tmp_path / "home", finished.api)
    flags = [f"--set={key}" for key in ("resources.shard_problems=64", "resources.shard_samples=4")]
    flags += [f"--set=measure.{key}" for key in ("samples=4", "pass_k=[1,4]", "majority=[4]")]
    flags += ["--limit=128", "--set=measure.sampled_problems=64"]
    flags += ["--set=max_tokens.synthetic_math=40", "--on=synthetic_math"]
    restem("evaluate", "latest:1", *flags)
    drawn = [s for s in restem.status()["steps"] if s["step"].startswith("generate")]
    assert drawn and {step["state"] for step in drawn} == {"Cached"}


def test_text_answers_are_compared_to_the_letter(finished: Restem, tmp_path: Path) -> None:
    rows = [
        {"task": "boolean_expressions", "input": text, "target": target}
        for text, target in (("not True is", "False"), ("not not True is", "True"))
    ]
    file = tmp_path / "bbh.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    restem = Restem(tmp_path / "home", finished.api)
    restem(
        "evaluate",
        "embedded:tiny-math",
        "--on=bbh-direct",
        f"--set=sources.bbh-direct={file}",
        "--set=shots=0",
        "--set=max_tokens.bbh-direct=8",
        *FLAGS[1:4],
    )
    facts = restem.status()
    [benchmark] = facts["results"]["benchmarks"]
    assert benchmark["policies"][0]["metrics"]["maj@4"]["problems"] == 2
    [policy] = benchmark["policies"]
    assert set(policy["subjects"]) == {"boolean_expressions"}
    assert policy["metrics"]["mean of tasks"]["value"] == policy["metrics"]["greedy"]["value"]
    samples = pq.read_table(restem.home / "runs" / facts["run"] / "samples.parquet").to_pylist()
    for row in samples:
        target = {"0": "False", "1": "True"}[row["problem_id"][-1]]
        assert (row["status"] == "correct") == (row["extracted"] == target)


def test_tasks_count_alike_however_many_problems_they_have() -> None:
    subjects = ["navigate"] * 6 + [
        "logical_deduction_three_objects",
        "logical_deduction_five_objects",
    ]
    problems = [{"id": str(n), "subject": subject} for n, subject in enumerate(subjects)]
    rewards = [1, 1, 1, 0, 0, 0, 1, 1]
    greedy = [{"problem_id": str(n), "index": 0, "reward": r} for n, r in enumerate(rewards)]
    result = ScoredBenchmark("bbh-cot", 0, problems, greedy, [])
    tasks, mean = by_task(result, MeasureSettings(bootstrap=200, confidence=0.95))
    assert {name: (one.value, one.problems) for name, one in tasks.items()} == {
        "navigate": (0.5, 6),
        "logical_deduction": (1.0, 2),
    }
    assert mean.value == pytest.approx(0.75) and mean.low < 0.75 < mean.high <= 1


def test_samples_are_graded_by_hand_and_read_back(finished: Restem, tmp_path: Path) -> None:
    file = tmp_path / "exam.jsonl"
    file.write_text(
        "".join(json.dumps({"question": f"{n}+{n}=?", "points": 4}) + "\n" for n in range(3))
    )
    restem = Restem(tmp_path / "home", finished.api)
    command = [
        *("evaluate", "embedded:tiny-math", "--on=hungarian", f"--set=sources.hungarian={file}"),
        *("--set=shots=0", "--set=max_tokens.hungarian=20"),
    ]
    restem(*command)
    run = restem.home / "runs" / restem.status()["run"]
    lines = [json.loads(text) for text in (run / "hungarian.jsonl").read_text().splitlines()]
    assert [line["of"] for line in lines] == [4, 4, 4] and lines[0]["points"] is None
    for line, points in zip(lines, (4, 1, 0), strict=True):
        line["points"] = points
    graded = tmp_path / "graded.jsonl"
    graded.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = restem(*command, f"--grades={graded}")
    assert "by hand" in said and "41.7%" in said
    steps = restem.status()["steps"]
    assert {s["step"] for s in steps if s["state"] == "Completed"} == {"report"}
    hand = restem.status()["results"]["benchmarks"][0]["hand"]
    assert hand["graded"] == 3 and hand["points"]["0"]["value"] == pytest.approx(5 / 12)
    graded.write_text(json.dumps(lines[0] | {"id": "hungarian/test/9"}) + "\n")
    said = restem(*command, f"--grades={graded}", code=2)
    assert said.strip().splitlines()[-1].startswith("restem: grades: hungarian/test/9: no sample")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": 5}, "line 2: points: expected at most 4"),
        ({"points": "four"}, "line 2: points: expected a number"),
        ({"points": True}, "line 2: points: expected a number"),
        ({"points": -1}, "line 2: points: expected a number"),
        ({"policy": None}, "line 2: expected id and policy"),
        ({"id": "a"}, "line 2: a of that policy was graded above"),
    ],
)
def test_a_grade_that_is_none_is_named_by_its_line(
    change: dict, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "grades.jsonl"
    line = {"policy": "p", "of": 4, "points": 2}
    file.write_text(json.dumps(line | {"id": "a"}) + "\n" + json.dumps(line | {"id": "b"} | change))
    with pytest.raises(UserError, match=message):
        read_grades(str(file))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "nowhere"}, "model: RUN nowhere: no such run"),
        ({"model": "latest:9"}, r"model: latest:9: the run's policies are 0 \(its base\) to 2"),
        ({"against": "latest:x"}, "against: latest:x: expected RUN or RUN:ITERATION"),
        ({"on": ["gsm9k"]}, "on.0: "),
        ({"max_tokens": {"gsm8k": 0}}, "max_tokens: gsm8k: expected 1 to 32768"),
    ],
)
def test_mistakes_are_named(
    finished: Restem, fields: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(finished.home))
    with pytest.raises(UserError, match=message):
        resolved(load_evaluation("", {"model": "embedded:tiny-math", **fields}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embedded:none"], "no embedded model 'none'"),
        ([], "MODEL: expected RUN"),
    ],
)
def test_mistakes_are_one_line(
    server: str, arguments: list[str], message: str, tmp_path: Path
) -> None:
    said = Restem(tmp_path / "home", server)("evaluate", *arguments, code=2)
    assert message in said.strip().splitlines()[-1]


SHIPPED = sorted((CONFIGS / "evaluate").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_parses(path: Path) -> None:
    assert load_evaluation(path, {}).name == path.stem


def test_groups_of_benchmarks_are_spelled_out() -> None:
    config = load_evaluation("", {"on": ["bbh", "gsm8k", "bbh-cot"]})
    assert config.on == ["bbh-cot", "bbh-direct", "gsm8k"]
    with pytest.raises(UserError, match="on: "):
        load_evaluation("", {"on": []})
