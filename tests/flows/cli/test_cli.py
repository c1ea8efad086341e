"""The doors: what a person types and reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flows.conftest import Restem


def test_status_gives_every_metric_with_its_interval(finished: Restem) -> None:
    facts = json.loads(finished("status", "latest", "--json"))
    assert facts == finished.status()
    assert facts["state"] == "completed"
    assert [item["iteration"] for item in facts["iterations"]] == [0, 1, 2]
    for item in facts["iterations"]:
        assert {"greedy", "train", "validation", "pass@1", "pass@4", "maj@4"} <= set(
            item["metrics"]
        )
        for metric in item["metrics"].values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert {"state", "seconds", "tokens", "artifact"} <= set(facts["steps"][0])


def test_status_without_json_shows_a_table(finished: Restem) -> None:
    text = finished("status")
    assert "completed" in text and "p2" in text and "generate draw" in text


@pytest.mark.parametrize("row", ["0", "1:3", "2:0"])
def test_trace_agrees_with_the_artifacts(finished: Restem, row: str) -> None:
    chain = json.loads(finished("trace", "latest", row, "--json"))
    sample, training = chain["sample"], chain["training row"]
    assert sample["text"] == training["completion"]
    assert chain["verdict"]["status"] == "correct"
    assert chain["prompt"]["same in training"]
    from tasks.rows import sample_seed, text_digest

    assert sample["seed"] == sample_seed(1, training["problem_id"], training["index"])
    assert text_digest(chain["prompt"]["text"]) == chain["prompt"]["digest"]
    manifest = finished.home / "store" / chain["policy"]["artifact"] / "manifest.json"
    assert json.loads(manifest.read_text())["digest"] == chain["policy"]["digest"]


@pytest.mark.parametrize("row", ["99999999", "x", "9:0", "1:"])
def test_trace_of_no_row_is_one_line(finished: Restem, row: str) -> None:
    text = finished("trace", "latest", row, code=2)
    assert text.startswith(f"restem: ROW {row}: ") and text.count("\n") == 1


def test_a_run_that_is_not_there(finished: Restem) -> None:
    text = finished("status", "nothing-here", code=2)
    assert "no such run" in text and text.count("\n") == 1


def test_dry_run_of_a_finished_run_finds_all_of_it(finished: Restem) -> None:
    from tests.small import SMALL

    flags = [part for change in SMALL for part in ("--set", change)]
    plan = json.loads(finished("run", "math-demo", *flags, "--dry-run", "--json"))
    assert all(row["to_do"] == 0 for row in plan["steps"])
    planned = sum(row["cached"] for row in plan["steps"])
    assert planned + 1 == len(finished.status()["steps"])  # the report is the one step more


def test_dry_run_of_a_change_plans_only_what_follows(finished: Restem) -> None:
    from tests.small import SMALL

    flags = [part for change in (*SMALL, "filter.cap=1") for part in ("--set", change)]
    plan = json.loads(finished("run", "math-demo", *flags, "--dry-run", "--json"))
    rows = {(row["iteration"], row["step"]): row for row in plan["steps"]}
    assert rows[0, "generate draw"]["to_do"] == 0
    assert rows[1, "select"]["to_do"] == rows[1, "finetune"]["to_do"] == 1
    assert rows[2, "generate test"]["cached"] == 0


def test_dry_run_prints_the_configuration_and_the_steps(home: Path, finished: Restem) -> None:
    text = Restem(home, finished.api)("run", "math-demo", "--dry-run")
    assert "[sampling]" in text and "temperature = 0.7" in text
    assert "generate draw" in text and "to do" in text
    assert list((home / "store").glob("samples/*")) == []


@pytest.mark.parametrize(
    "arguments,names",
    [
        (["run", "nowhere.toml"], "nowhere.toml: no such file"),
        (["run", "math-demo", "--set", "sampling.samples=0"], "sampling.samples"),
        (["run", "math-demo", "--set", "model.base=embedded:huge"], "model.base"),
        (["run", "math-demo", "--set", "model.base=/no/such/folder"], "model.base"),
        (["run", "math-demo", "--set", "model.prompt=none-such"], "none-such"),
        (["run", "math-demo", "--set", "data.source=/nowhere"], "source"),
        (["grade", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["bench", "nothing"], "expected one of"),
        (["engine", "install", "sglang"], "sglang"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    home: Path, finished: Restem, arguments: list[str], names: str
) -> None:
    text = Restem(home, finished.api)(*arguments, code=2)
    last = text.strip().splitlines()[-1]
    assert last.startswith("restem: ") and names in last


def test_grade_adds_to_each_line_and_keeps_the_order(home: Path, finished: Restem) -> None:
    lines = [
        {"gold": "1/2", "prediction": r"so the answer is $\frac{1}{2}$", "id": 7},
        {"gold": "18", "prediction": "#### 17"},
        {"gold": "3", "prediction": ""},
    ]
    file = home / "pairs.jsonl"
    home.mkdir()
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = Restem(home, finished.api)("grade", str(file))
    graded = [json.loads(line) for line in text.splitlines()]
    assert [line["correct"] for line in graded] == [True, False, False]
    assert [line["status"] for line in graded] == ["correct", "wrong_answer", "no_answer"]
    assert graded[0]["id"] == 7 and {"extracted", "seconds"} <= set(graded[0])


def test_grade_names_the_line_that_is_wrong(home: Path, finished: Restem) -> None:
    home.mkdir()
    (home / "pairs.jsonl").write_text('{"gold": "1", "prediction": "1"}\n{"gold": "1"}\n')
    text = Restem(home, finished.api)("grade", str(home / "pairs.jsonl"), code=2)
    assert "line 2" in text and "prediction" in text


def test_store_gc_keeps_what_runs_reach(copied: Restem) -> None:
    before = set((copied.home / "store").glob("[!.]*/*/manifest.json"))
    stray = copied.home / "store" / "samples" / ("0" * 32)
    stray.mkdir()
    assert "1 that no run needs are not old enough" in copied("store", "gc", "--delete")
    assert f"would remove samples/{'0' * 32}" in copied("store", "gc", "--older-than", "0")
    assert stray.is_dir()
    copied("store", "gc", "--delete", "--older-than", "0s")
    assert not stray.exists()
    assert set((copied.home / "store").glob("[!.]*/*/manifest.json")) == before
    assert "1 damaged artifacts lie in quarantine, 0 B" in copied("store", "list")
    verified = json.loads(copied("store", "verify", "--json"))
    assert [one["what"] for one in verified["quarantine"]] == ["quarantine"]


@pytest.mark.parametrize("age", ["soon", "-1", "1y", "1.5h", "9999999999"])
def test_store_gc_says_what_an_age_is(home: Path, finished: Restem, age: str) -> None:
    text = Restem(home, finished.api)("store", "gc", f"--older-than={age}", code=2)
    assert text == f"restem: --older-than {age}: expected a time such as 0, 90m, 24h or 7d\n"


def test_store_list_counts_every_artifact(finished: Restem) -> None:
    rows = json.loads(finished("store", "list", "--json"))
    assert len(rows) == len(list((finished.home / "store").glob("[!.]*/*/manifest.json")))
    assert all(row["label"] != "damaged" for row in rows)


def test_the_store_in_json(finished: Restem) -> None:
    entries = json.loads(finished("store", "list", "--json"))
    assert {"kind", "key", "rows", "bytes", "seconds", "label"} == set(entries[0])
    verified = json.loads(finished("store", "verify", "--json"))
    assert verified == {"whole": len(entries), "damaged": [], "unfinished": []}
    garbage = json.loads(finished("store", "gc", "--json"))
    [made] = garbage.pop("homes")  # this home is a copy of the one that made it
    assert made["runs"] == 1
    assert garbage == {"kept": len(entries), "garbage": [], "copies": [], "deleted": False}
