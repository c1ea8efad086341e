"""Runs on problems of one's own: a CSV of another form, several domains, what a change costs."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path

import pytest

from tasks.problems import synthetic_math
from tasks.rows import read_rows
from tests.flows.conftest import Restem

pytestmark = pytest.mark.engine

SMALL = (
    "iterations=1",
    "data.validation=16",
    "sampling.samples=2",
    "evaluation.samples=2",
    "evaluation.pass_k=[1,2]",
    "evaluation.majority=[2]",
    "evaluation.sampled_problems=8",
    "evaluation.train_problems=8",
    "resources.shard_problems=16",
    "resources.shard_samples=2",
    "resources.threads=1",
)


def flags(*changes: str) -> list[str]:
    return [part for change in (*SMALL, *changes) for part in ("--set", change)]


def write(path: Path, names: list[str], *, count: int = 60, text: int = 0) -> Path:
    """Word problems with their questions and answers under `names`, and texts behind them."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", *names])
        for number, one in enumerate(islice(synthetic_math.sum_stream("train", seed=11), count)):
            writer.writerow([number, one.question, one.sum.totals[-1]])
        for number in range(text):
            writer.writerow([count + number, f"Colour {number}?", "red"])
    return path


@pytest.fixture(scope="module")
def ran(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Restem, Path]:
    """A run on a CSV with columns of usual names, and the file."""
    folder = tmp_path_factory.mktemp("own")
    path = write(folder / "sums.csv", ["Problem", "Final answer"])
    restem = Restem(folder / "home", server)
    restem("run", "math-demo", *flags("data.train=file", f"data.source={path}"))
    return restem, path


def states(restem: Restem) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for step in restem.status()["steps"]:
        found.setdefault(step["step"], set()).add(step["state"])
    return found


def problems(restem: Restem) -> list[dict]:
    (step,) = [step for step in restem.status()["steps"] if step["step"] == "problems"]
    return list(read_rows(restem.home / "store" / step["artifact"] / "problems.parquet"))


def test_a_csv_of_ones_own_is_trained_and_tested_on(ran: tuple[Restem, Path]) -> None:
    restem, _ = ran
    status = restem.status()
    assert status["state"] == "completed" and len(status["iterations"]) == 2
    by_split = [row["split"] for row in problems(restem)]
    assert {split: by_split.count(split) for split in set(by_split)} == {
        **{"train": 32, "validation": 16, "test": 12}
    }
    assert {"generate draw", "select", "finetune"} <= set(states(restem))


def test_what_was_taken_for_what_is_said(ran: tuple[Restem, Path]) -> None:
    restem, path = ran
    (step,) = [step for step in restem.status()["steps"] if step["step"] == "problems"]
    manifest = json.loads((restem.home / "store" / step["artifact"] / "manifest.json").read_text())
    assert manifest["stats"]["note"] == (
        f'{path}: question = "Problem", reference = "Final answer". '
        "12 of 60 problems are drawn for test"
    )


def test_another_mapping_of_the_same_problems_reads_them_and_samples_nothing(
    ran: tuple[Restem, Path], tmp_path: Path
) -> None:
    restem, _ = ran
    path = write(tmp_path / "other.csv", ["aufgabe", "loesung"])
    mapping = '{question = "aufgabe", reference = "loesung"}'
    restem(
        *("run", "math-demo"),
        *flags("data.train=file", f"data.source={path}", f"data.columns={mapping}"),
    )
    found = states(restem)
    made = {step for step, states in found.items() if states != {"Cached"}}
    assert made == {"problems", "report"}
    assert found["problems"] == {"Completed"}


def test_several_domains_are_each_graded_by_their_own(server: str, tmp_path: Path) -> None:
    main = write(tmp_path / "sums.csv", ["question", "answer"], count=40)
    more = write(tmp_path / "texts.csv", ["question", "answer"], count=0, text=30)
    restem = Restem(tmp_path / "home", server)
    other = f'[{{source = "{more}", domain = "text"}}]'
    restem(
        *("run", "math-demo"),
        *flags("data.train=file", f"data.source={main}", f"data.more={other}"),
    )
    domains = {row["id"]: row["domain"] for row in problems(restem)}
    steps = [step for step in restem.status()["steps"] if step["step"] == "score draw"]
    graded = [
        row
        for step in steps
        for row in read_rows(restem.home / "store" / step["artifact"] / "verdicts.parquet")
    ]
    # A text's answer is a line to the letter, of which only the end is a number for math.
    texts = [row for row in graded if domains[row["problem_id"]] == "text"]
    sums = [row for row in graded if domains[row["problem_id"]] == "math"]
    assert texts and sums
    assert any(row["status"] == "correct" for row in sums)
    assert all(row["status"] != "correct" for row in texts)
    assert any(not row["extracted"].strip("-").isdigit() for row in texts)
    assert states(restem)["finetune"] == {"Completed"}


def test_programs_beside_sums_run_in_the_sandbox_and_sums_do_not(
    server: str, tmp_path: Path, image: str
) -> None:
    main = write(tmp_path / "sums.csv", ["question", "answer"], count=40)
    more = tmp_path / "programs.jsonl"
    rows = [
        {"question": f"Print {n}.", "tests": {"inputs": ["", ""], "outputs": [f"{n}", f"{n}"]}}
        for n in range(20)
    ]
    more.write_text("".join(json.dumps(row) + "\n" for row in rows))
    restem = Restem(tmp_path / "home", server)
    other = f'[{{source = "{more}", domain = "code"}}]'
    restem(
        *("run", "math-demo"),
        *flags("data.train=file", f"data.source={main}", f"data.more={other}"),
    )
    domains = {row["id"]: row["domain"] for row in problems(restem)}
    found: dict[str, set[str]] = {"math": set(), "code": set()}
    for step in restem.status()["steps"]:
        if step["step"] == "score draw":
            for row in read_rows(restem.home / "store" / step["artifact"] / "verdicts.parquet"):
                found[domains[row["problem_id"]]].add(row["status"])
    assert "correct" in found["math"]
    # What a policy of sums writes is no program that prints a number, but it is run as one.
    assert found["code"] & {"compile_error", "runtime_error", "wrong_answer"}
    assert not found["code"] & {"correct", "sandbox_error", "checker_error"}
