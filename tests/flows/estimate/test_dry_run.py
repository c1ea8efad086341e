"""`restem run --dry-run` with an estimate, beside a real run of the same configuration."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Restem
from tests.small import SMALL

FLAGS = [part for change in SMALL for part in ("--set", change)]


def _counts(steps: list[dict[str, Any]]) -> dict[tuple[int, str], tuple[int, int]]:
    """Shards and samples of every set that a run has drawn."""
    shards: Counter[tuple[int, str]] = Counter()
    samples: Counter[tuple[int, str]] = Counter()
    for line in steps:
        step, _, name = line["step"].partition(" ")
        if step == "generate":
            shards[line["iteration"], name] += 1
            samples[line["iteration"], name] += line["rows"]
    return {key: (shards[key], samples[key]) for key in shards}


def _planned(estimate: dict[str, Any]) -> dict[tuple[int, str], tuple[int, int]]:
    return {
        (line["iteration"], line["step"]): (line["shards"], line["samples"])
        for line in estimate["lines"]
        if line["samples"]
    }


@pytest.fixture(scope="module")
def probed(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Restem, dict[str, Any]]:
    """A home in which nothing but a probe of the small demo was made, and its estimate."""
    restem = Restem(tmp_path_factory.mktemp("probed"), server)
    text = restem("run", "math-demo", *FLAGS, "--dry-run", "--probe", "--json")
    line = next(line for line in text.splitlines() if line.startswith("{"))
    return restem, json.loads(line)["estimate"]


def test_a_probe_plans_the_counts_of_the_run(
    probed: tuple[Restem, dict[str, Any]], finished: Restem
) -> None:
    _, estimate = probed
    assert _planned(estimate) == _counts(finished.status()["steps"])
    trained = {line["iteration"] for line in estimate["lines"] if line["step"] == "finetune"}
    assert trained == {1, 2}
    assert all(line["seconds"] >= 0.0 for line in estimate["lines"])
    assert sum(line["seconds"] for line in estimate["lines"]) == pytest.approx(estimate["seconds"])
    assert estimate["most"] >= estimate["seconds"] - 1e-6


def test_a_probe_expects_about_the_rows_that_the_run_kept(
    probed: tuple[Restem, dict[str, Any]], finished: Restem
) -> None:
    _, estimate = probed
    kept = [line["rows"] for line in finished.status()["steps"] if line["step"] == "select"]
    expected = [line["rows"] for line in estimate["lines"] if line["step"] == "finetune"]
    # The probe sees 64 of 192 problems, under other seeds.
    assert expected == pytest.approx(kept, rel=0.4)


def test_a_probe_leaves_the_problems_the_model_and_its_estimate(
    probed: tuple[Restem, dict[str, Any]],
) -> None:
    restem, estimate = probed
    stored = json.loads(restem("store", "list", "--json"))
    assert sorted(row["kind"] for row in stored) == ["model", "problems"]
    left = [str(path.relative_to(restem.home)) for path in (restem.home / "runs").rglob("*.json*")]
    assert left == [f"runs/{estimate['run']}/estimate.json"]


def test_what_was_probed_is_known_to_the_next_dry_run(
    probed: tuple[Restem, dict[str, Any]],
) -> None:
    restem, estimate = probed
    text = restem("run", "math-demo", *FLAGS, "--dry-run")
    assert "estimate: " in text and "probe of 2" in text
    more = json.loads(
        restem(*("run", "math-demo", *FLAGS, "--set", "sampling.samples=16", "--dry-run", "--json"))
    )["estimate"]
    drawn = {line["step"]: line["samples"] for line in more["lines"] if line["iteration"] == 0}
    assert drawn["draw"] == 2 * 192 * 8
    assert more["seconds"] > estimate["seconds"]


def _at_an_even_pace(restem: Restem) -> None:
    """Give a run the times of a machine that does nothing else, whatever this one did beside it.

    A shard takes a second and a hundredth for each sample, and is scored while the next one is
    sampled; a fine-tune takes what its manifest says.
    """
    (journal,) = restem.home.glob("runs/*/steps.jsonl")
    head = json.loads(journal.with_name("run.json").read_text())
    clock = head["started"]
    lines = [json.loads(text) for text in journal.read_text().splitlines()]
    for line in lines:
        kind = line["step"].partition(" ")[0]
        rows = line["rows"] if kind == "generate" else 0
        if kind != "finetune":
            line["took"] = 0.1 if kind == "score" else 1.0 + rows / 100
        clock += 0.0 if kind == "score" else line["took"]
        line["ended"] = clock + (0.1 if kind == "score" else 0.0)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    journal.with_name("run.json").write_text(json.dumps({**head, "ended": clock + 0.1}))


def test_a_run_is_what_the_next_dry_run_learns_from(copied: Restem) -> None:
    _at_an_even_pace(copied)
    flags = [*FLAGS, "--set", "seed=7"]
    made = json.loads(copied("run", "math-demo", *flags, "--dry-run", "--json"))["estimate"]
    steps = copied.status()["steps"]
    assert made["source"].startswith("run math-demo-")
    rows = [line["rows"] for line in made["lines"] if line["step"] == "finetune"]
    kept = [line["rows"] for line in steps if line["step"] == "select"]
    assert rows == pytest.approx([sum(kept) / len(kept)] * 2, rel=0.05)
    # The same work costs what it has cost: what differs is the greedy samples of the base policy,
    # which do not depend on the seed and are cached.
    cached = [
        n for n, line in enumerate(steps) if line["step"] in ("generate validation", "measure")
    ]
    began, greedy = (steps[n]["ended"] for n in (0, cached[0]))
    took = copied.status()["seconds"] - (greedy - began)
    assert made["seconds"] == pytest.approx(took, rel=0.25)
    real = {key: value for key, value in _counts(steps).items() if key not in _greedy_of_base()}
    assert _planned(made) == real


def _greedy_of_base() -> set[tuple[int, str]]:
    return {(0, "test"), (0, "train"), (0, "validation")}


def test_status_says_what_was_estimated_and_what_it_took(copied: Restem) -> None:
    facts = copied.status()
    assert "estimate" not in facts
    made = {"run": facts["run"], "lines": [], "seconds": 12.0, "most": 13.0, "start": 2.0}
    made |= {"source": "probe", "made": 1.0, "total": 14.0}
    folder: Path = copied.home / "runs" / facts["run"]
    (folder / "estimate.json").write_text(json.dumps(made))
    assert copied.status()["estimate"] == made
    assert "estimated 12 s (probe), took " in copied("status", "latest")


def test_a_finished_run_has_nothing_to_estimate(copied: Restem) -> None:
    for other in (copied.home / "runs").glob("*/estimate.json"):  # another test's, of its own run
        other.unlink()
    plan = json.loads(copied("run", "math-demo", *FLAGS, "--dry-run", "--json"))
    assert plan["estimate"]["seconds"] == 0.0 and plan["estimate"]["lines"] == []
    assert not list((copied.home / "runs").glob("*/estimate.json"))
    text = copied("run", "math-demo", *FLAGS, "--dry-run", "--probe", code=2)
    assert "expected some to be drawn" in text


def test_nothing_known_is_said(server: str, tmp_path: Path) -> None:
    restem = Restem(tmp_path, server)
    text = restem("run", "math-demo", *FLAGS, "--dry-run")
    assert "nothing was measured here yet; --dry-run --probe" in text
    text = restem("run", "math-demo", "--probe", code=2)
    assert text == "restem: --probe: it measures for an estimate; expected it with --dry-run\n"
