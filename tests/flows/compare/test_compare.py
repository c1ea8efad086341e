"""`restem compare`: real runs side by side, against what their artifacts say by themselves."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.compare.flow import compare_runs
from flows.compare.page import render
from flows.compare.results import ComparisonReport
from flows.compare.summary import same_problems
from flows.runs.journal import read_journal
from tasks.errors import UserError
from tests.flows.conftest import Restem
from tests.flows.rest_em.report_parts import HOSTILE, browse, check

# Seed 2 of the data leaves no problem that the first run is tested on among these eight.
ELSEWHERE = ("iterations=1", "data.seed=2", "data.train_limit=60", "data.test_limit=8")
OTHER = (
    "iterations=1",
    "seed=2",
    "data.test_limit=96",
    "sampling.samples=4",
    "evaluation.pass_k=[1,2]",
    'evaluation.transfer=["synthetic_math"]',
    "evaluation.transfer_limit=24",
)


@dataclass
class Runs:
    """A home with the small demo, one that is like it on 96 of its problems, and one on others."""

    restem: Restem
    first: str
    other: str
    elsewhere: str

    def compare(self, *arguments: str) -> dict[str, Any]:
        """`restem compare … --json`."""
        return json.loads(self.restem("compare", *arguments, "--json").splitlines()[-1])

    def lines(self, run: str) -> list[dict[str, Any]]:
        """Journal of a run."""
        text = (self.restem.home / "runs" / run / "steps.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def rows(self, run: str, step: str, iteration: int) -> list[dict[str, Any]]:
        """Rows of the artifacts of a step, which each have one table beside their timing."""
        found = []
        for line in self.lines(run):
            if (line["step"], line["iteration"]) == (step, iteration):
                folder = self.restem.home / "store" / line["artifact"]
                kind = line["artifact"].split("/")[0]
                found += pq.read_table(folder / f"{kind}.parquet").to_pylist()
        return found

    def solved(self, run: str, step: str, iteration: int) -> dict[str, list[bool]]:
        """Of each problem which samples have the full reward."""
        found: dict[str, list[bool]] = {}
        for row in self.rows(run, f"score {step}", iteration):
            found.setdefault(row["problem_id"], []).append(row["reward"] == 1.0)
        return found


@pytest.fixture(scope="module")
def runs(finished: Restem, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    home = tmp_path_factory.mktemp("compare") / "home"
    shutil.copytree(finished.home, home)
    restem = Restem(home, finished.api)
    first = restem.status()["run"]
    restem.demo(*OTHER)
    other = restem.status()["run"]
    restem.demo(*ELSEWHERE, "evaluation.sampled_problems=8", "data.validation=8")
    return Runs(restem, first, other, restem.status()["run"])


@pytest.fixture(scope="module")
def found(runs: Runs) -> dict[str, Any]:
    """The second run and the first one's base against the first run."""
    return runs.compare(runs.first, f"{runs.other}:1", f"{runs.first}:0")


def mean(values: Any) -> float:
    return sum(values := list(values)) / len(values)


def test_differences_are_those_of_the_verdicts_on_shared_problems(
    runs: Runs, found: dict[str, Any]
) -> None:
    one = found["comparisons"][0]
    before, after = runs.solved(runs.first, "test", 2), runs.solved(runs.other, "test", 1)
    both = before.keys() & after.keys()
    assert len(before) == 128 and len(after) == 96 == len(both)
    assert one["shared"]["test"] == {"problems": 96, "first": 128, "other": 96}
    changes = [after[key][0] - before[key][0] for key in both]
    greedy = one["metrics"]["greedy"]
    assert greedy["value"] == pytest.approx(mean(changes)) == one["after"] - one["before"]
    spread = math.sqrt(mean((c - mean(changes)) ** 2 for c in changes) / 96)
    assert greedy["high"] - greedy["low"] == pytest.approx(2 * 1.96 * spread, rel=0.3)
    for kind in ("train", "validation"):
        a, b = runs.solved(runs.first, kind, 2), runs.solved(runs.other, kind, 1)
        assert a.keys() == b.keys()
        expected = mean(b[key][0] - a[key][0] for key in a)
        assert one["metrics"][kind]["value"] == pytest.approx(expected)
    gap = one["metrics"]["train"]["value"] - greedy["value"]
    assert one["metrics"]["gap"]["value"] == pytest.approx(gap)
    a, b = runs.solved(runs.first, "pass@k", 2), runs.solved(runs.other, "pass@k", 1)
    expected = mean(mean(b[key]) - mean(a[key]) for key in a.keys() & b.keys())
    assert one["metrics"]["pass@1"]["value"] == pytest.approx(expected)
    # pass@4 and pass@2 were measured in one of the runs alone.
    assert set(one["metrics"]) == {"greedy", "train", "validation", "gap", "pass@1", "maj@4"}


def test_what_each_is_measured_at_is_what_its_run_says(runs: Runs, found: dict[str, Any]) -> None:
    said = json.loads(runs.restem("status", runs.first, "--json"))["iterations"]
    for policy, iteration in ((found["policies"][0], 2), (found["policies"][2], 0)):
        assert policy["metrics"] == said[iteration]["metrics"]
    line = next(one for one in found["runs"] if one["run"] == runs.first)["greedy"]
    assert [p["value"] for p in line] == [one["metrics"]["greedy"]["value"] for one in said]
    [transfer] = found["policies"][1]["transfer"].values()
    solved = runs.solved(runs.other, "synthetic_math (transfer)", 1)
    assert transfer["value"] == pytest.approx(mean(s for [s] in solved.values()))


def test_problems_that_flipped_are_shown_with_both_solutions(
    runs: Runs, found: dict[str, Any]
) -> None:
    texts = {}
    for run, number in ((runs.first, 2), (runs.first, 0)):
        rows = runs.rows(run, "generate test", number)
        texts[number] = {row["problem_id"]: row["text"] for row in rows}
    before, after = runs.solved(runs.first, "test", 2), runs.solved(runs.first, "test", 0)
    one = found["comparisons"][1]
    for kind, now in (("solved", True), ("lost", False)):
        ids = {key for key in before if after[key][0] is now and before[key][0] is not now}
        assert one["mcnemar"][kind] == len(ids)
        assert {item["id"] for item in one[kind]} <= ids
        assert len(one[kind]) == min(len(ids), 20)
        for item in one[kind]:
            assert item["before"] == texts[2][item["id"]]
            assert item["after"] == texts[0][item["id"]] and item["question"]
    assert one["solved"] or one["lost"]


def test_tests_are_exact_and_corrected_over_the_comparisons(found: dict[str, Any]) -> None:
    tests = [one["mcnemar"] for one in found["comparisons"]]
    for test in tests:
        changed = test["solved"] + test["lost"]
        fewer = min(test["solved"], test["lost"])
        tail = sum(math.comb(changed, i) for i in range(fewer + 1)) / 2**changed
        assert test["p"] == pytest.approx(min(1.0, 2 * tail))
    small, large = sorted(tests, key=lambda test: test["p"])
    assert small["p_holm"] == pytest.approx(min(1.0, 2 * small["p"]))
    assert large["p_holm"] == pytest.approx(max(small["p_holm"], large["p"]))


def test_bins_are_of_the_base_of_the_first_run(runs: Runs, found: dict[str, Any]) -> None:
    drawn = runs.solved(runs.first, "pass@k", 0)
    before, after = runs.solved(runs.first, "test", 2), runs.solved(runs.other, "test", 1)
    hard = [key for key in drawn if mean(drawn[key]) < 0.25 and key in after]
    [one] = [b for b in found["comparisons"][0]["bins"] if b["bin"] == "less than 25%"]
    assert one["problems"] == len(hard)
    assert one["before"] == pytest.approx(mean(before[key][0] for key in hard))
    assert one["after"] == pytest.approx(mean(after[key][0] for key in hard))


def test_configurations_costs_and_shared_artifacts(runs: Runs, found: dict[str, Any]) -> None:
    fields = {one["field"]: one["values"] for one in found["configuration"]}
    assert fields["seed"] == {runs.first: "1", runs.other: "2"}
    assert fields["data.test_limit"] == {runs.first: "128", runs.other: "96"}
    assert len(fields) == len(OTHER)
    lines = runs.lines(runs.first)
    first, _, base = (policy["cost"] for policy in found["policies"])
    assert first["drawn"] == 2 * 192 * 8 and base["drawn"] == 0
    made = [
        json.loads((runs.restem.home / "store" / line["artifact"] / "manifest.json").read_text())
        for line in lines
        if line["step"] != "report"
    ]
    for name in ("seconds", "engine_seconds"):
        expected = sum(one["stats"].get(name, 0) for one in made)
        assert first[name] == pytest.approx(expected, abs=0.01)
    tokens = sum(one["stats"]["tokens"] for one in made if one["kind"] == "samples")
    assert first["sampled_tokens"] == tokens
    of_base = found["comparisons"][1]["artifacts"]
    assert of_base["shared"] == of_base["other"] < of_base["first"] == len(made)
    theirs = {line["artifact"] for line in runs.lines(runs.other) if line["step"] != "report"}
    both = theirs & {line["artifact"] for line in lines}
    assert found["comparisons"][0]["artifacts"]["shared"] == len(both) > 0


def test_other_benchmarks_are_compared_where_both_have_them(
    runs: Runs, found: dict[str, Any]
) -> None:
    assert found["comparisons"][0]["transfer"] == {}
    [one] = runs.compare(f"{runs.other}:0", runs.other)["comparisons"]
    before, after = (runs.solved(runs.other, "synthetic_math (transfer)", i) for i in (0, 1))
    expected = mean(after[key][0] - before[key][0] for key in before)
    assert one["transfer"]["synthetic_math"]["value"] == pytest.approx(expected)
    assert one["transfer"]["synthetic_math"]["problems"] == len(before) == 24


def test_the_console_and_the_page_say_the_same(runs: Runs, chromium: str, tmp_path: Path) -> None:
    said = runs.restem("compare", runs.first, runs.other)
    page = Path(said.strip().splitlines()[-1].removeprefix("page: "))
    assert page.parent == runs.restem.home / "compare" and page.name.startswith(runs.first)
    text = check(page.read_text()).text
    assert "the comparison is on 96 test problems that both" in text
    assert "the comparison is on 96 test problems that both" in said
    difference = re.search(r"^greedy +([+−]\d+\.\d \[.*?\])", said.split("in points:")[1], re.M)
    assert difference is not None and difference[1] in text
    elsewhere = tmp_path / "page.html"
    runs.restem("compare", runs.first, runs.other, f"--out={elsewhere}", "--flips=0")
    assert "0 shown)" in elsewhere.read_text()
    dom, console = browse(chromium, page, tmp_path / "profile")
    assert console == [] and f"{runs.other}:1 against {runs.first}:2</h1>" in dom


def test_hostile_text_is_shown_and_not_run(found: dict[str, Any]) -> None:
    hostile = json.loads(json.dumps(found))
    del hostile["page"]
    text = dict.fromkeys(("id", "question", "reference", "before", "after"), HOSTILE)
    hostile["comparisons"][0]["solved"] = [text]
    hostile["configuration"].append(
        {"field": HOSTILE, "values": {one["run"]: HOSTILE for one in found["runs"]}}
    )
    hostile["warnings"].append(HOSTILE)
    assert (
        '<script>document.title="owned"</script>'
        in check(render(ComparisonReport.from_json(hostile))).text
    )


def test_a_problem_is_the_same_by_its_text_and_not_its_id_alone() -> None:
    first = [{"id": str(n), "question": f"{n}?", "reference": str(n)} for n in range(4)]
    other = [dict(row) for row in first[1:]]
    other[0]["question"] = "another?"
    other[1]["reference"] = "9"
    assert same_problems(first, other) == {"3"}


def test_mistakes_are_named(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(runs.restem.home))
    first = runs.first
    cases = [
        ((), "RUN: expected two or more"),
        ((first,), "RUN: expected two or more"),
        ((first, f"{first}:2"), f"RUN {first}:2: given twice"),
        ((first, "latest:9"), "latest:9: the run's policies are 0 (its base) to 1"),
        ((first, "nowhere"), "RUN nowhere: no such run"),
        ((first, "embedded:tiny-math"), "embedded:tiny-math: expected RUN or RUN:ITERATION"),
        ((first, runs.elsewhere), "none of its 8 test problems is among the 128"),
    ]
    for names, message in cases:
        with pytest.raises(UserError) as said:
            compare_runs(list(names))
        assert message in str(said.value) and "\n" not in str(said.value)


def test_a_mistake_is_one_line(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "no" / "page.html"
    for arguments in ((runs.first, runs.elsewhere), (runs.first, "latest:0", f"--out={out}")):
        [said] = runs.restem("compare", *arguments, code=2).strip().splitlines()
        assert said.startswith("restem: ") and "expected" in said


def test_a_run_that_is_not_whole_is_refused(
    copied: Restem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(copied.home))
    head, steps = read_journal("latest")
    line = next(x for x in steps if (x.step, x.iteration) == ("score test", 1))
    shutil.rmtree(copied.home / "store" / line.artifact)
    with pytest.raises(UserError, match=f"artifact {line.artifact} is gone or damaged"):
        compare_runs(["latest:0", "latest:1"])
    run = head.run
    file = copied.home / "runs" / run / "run.json"
    file.write_text(json.dumps({**head.to_json(), "state": "failed"}))
    with pytest.raises(UserError, match=f"RUN {run}: it is failed; expected a finished run"):
        compare_runs(["latest:0", "latest:2"])
