"""From a run to its labels, and from them to a run whose reward model is fit on them."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tasks.compare.people import parse_labels
from tasks.rows import PREFERENCES_FILE, read_rows
from tests.flows.audit.label.label_parts import labelling
from tests.flows.conftest import Restem

pytestmark = pytest.mark.engine

SMALL_NOTES = (
    *("iterations=1", "data.train_limit=48", "data.test_limit=16", "data.validation=8"),
    *("sampling.samples=3", "reward.by=model", "reward.epochs=1", "reward.batch_size=16"),
    *("finetune.epochs=1", "finetune.checks=0", "evaluation.samples=2", "evaluation.pass_k=[1,2]"),
    *("evaluation.sampled_problems=8", "evaluation.train_problems=0", "resources.threads=1"),
)
PATIENCE = 300.0


def run(restem: Restem, *changes: str) -> list[dict[str, Any]]:
    flags = [part for change in (*SMALL_NOTES, *changes) for part in ("--set", change)]
    restem("run", "notes-demo", *flags)
    return restem.status()["steps"]


@pytest.fixture(scope="module")
def noted(server: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    """A home in which a small run on notes was labelled by the oracle."""
    restem = Restem(tmp_path_factory.mktemp("noted") / "home", server)
    run(restem, "judge.labels=oracle")
    return restem


def ask(link: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    address, _, token = link.partition("/#")
    request = urllib.request.Request(
        f"{address}/{path}",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        return json.load(reply)


def label_all(link: str) -> dict[str, Any]:
    """Prefer the longer note, as a person may, wherever it stands."""
    state = ask(link, "state")
    while shown := state.get("shown"):
        left, right = ((len(shown[side]), shown[side]) for side in ("left", "right"))
        says = "left" if left > right else "right"
        state = ask(link, "label", {"pair": shown["id"], "says": says})
    return state


def test_people_label_a_run_and_the_next_one_learns_of_them(noted: Restem, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    with labelling(noted, "latest", "--pairs", "0", "--out", str(file)) as (link, process):
        state = label_all(link)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert state["labelled"] == state["pairs"] > 40
    (line,) = state["agreements"]
    assert line["other"] == "the checker"
    steps = run(noted, "judge.labels=people", f"judge.source={file}")
    states = {step["step"]: step["state"] for step in steps}
    assert states["generate draw"] == "Cached"
    assert states["compare draw"] == states["fit"] == states["rate draw"] == "Completed"
    # Each pair that the run draws has a label.
    assert sum(s["rows"] for s in steps if s["step"] == "compare draw") == state["pairs"]
    for step in steps:
        if step["step"] == "compare draw":
            path = noted.home / "store" / step["artifact"] / PREFERENCES_FILE
            assert all(row["status"] == "judged" for row in read_rows(path))


def test_a_killed_server_has_lost_no_label(noted: Restem, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    links = set[str]()
    for number in range(3):
        with labelling(noted, "--out", str(file), "--person", "ann") as (link, process):
            links.add(link.partition("#")[2])
            state = ask(link, "state")
            assert state["labelled"] == number
            state = ask(link, "label", {"pair": state["shown"]["id"], "says": "tie"})
            process.kill()
        assert len(parse_labels(file.read_bytes(), file)) == number + 1
    assert len(links) == 1  # so that a page which is open goes on


def test_agreement_is_printed(noted: Restem, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    for person in ("ann", "bob"):
        options = ("--out", str(file), "--person", person, "--pairs", "8")
        with labelling(noted, *options) as (link, _):
            label_all(link)
    said = json.loads(noted("label", "--agreement", "--json", "--out", str(file)))
    assert said["people"] == {"ann": 8, "bob": 8}
    between = said["agreements"][0]
    assert (between["one"], between["other"]) == ("ann", "bob")
    assert between["found"]["share"]["value"] == 1.0
    assert "Cohen's kappa" in noted("label", "--agreement", "--out", str(file))


WRONG = {
    "no run": (("nowhere",), "RUN nowhere: no such run"),
    "no iteration": (("--iteration", "7"), "--iteration 7: its policies that drew samples are 0"),
    "no name": (("--person", "a\tb"), "--person: expected a name of at most 60"),
    "no folder": (("--out", "nowhere/a.jsonl"), "--out nowhere/a.jsonl: expected a file in a fo"),
    "json of a page": (("--json",), "--json: it is of --agreement"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_line(noted: Restem, case: str) -> None:
    arguments, said = WRONG[case]
    assert noted("label", *arguments, code=2).startswith(f"restem: {said}")


def test_a_preference_set_takes_the_place_of_comparing(noted: Restem, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    with file.open("w") as out:
        for n in range(60):
            row = {"prompt": f"Post {n}: Ann has {n} caps.", "chosen": f"Ann has {n} caps."}
            out.write(json.dumps(row | {"rejected": "It rained."}) + "\n")
    steps = run(noted, "judge.labels=people", f"judge.source={file}", "iterations=2")
    names = [step["step"] for step in steps]
    assert names.count("preference set") == 1 and "compare draw" not in names
    assert names.index("preference set") < names.index("generate draw")
    # Both iterations are rated by the one model.
    fits = [step for step in steps if step["step"] == "fit"]
    assert len(fits) == 2 and len({step["artifact"] for step in fits}) == 1


def test_a_mistake_in_a_set_is_said_before_anything_is_sampled(
    noted: Restem, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"prompt": "a"}\n')
    flags = [part for change in SMALL_NOTES for part in ("--set", change)]
    more = ("--set", "judge.labels=people", "--set", f"judge.source={file}", "--set", "seed=9")
    before = noted.runs()
    said = noted("run", "notes-demo", *flags, *more, code=2)
    assert f"{file} line 2: field 'chosen': expected a text or chat messages, not nothing" in said
    assert noted.runs() == before
