"""A whole run that keeps the earliest check within one standard error: what it says of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.flows.conftest import Restem

CHANGES = (
    "finetune.choose=one_se",
    "finetune.checks=3",
    "finetune.batch_size=16",
    "iterations=1",
    "data.train_limit=96",
    "data.test_limit=64",
    "data.validation=40",
    "evaluation.sampled_problems=32",
    "evaluation.train_problems=32",
)


def test_the_run_says_which_check_it_kept_and_how_sure_it_is(server: str, tmp_path: Path) -> None:
    restem = Restem(tmp_path / "home", server)
    steps = restem.demo(*CHANGES)
    (trained,) = [step for step in steps if step["step"] == "finetune"]
    folder = restem.home / "store" / trained["artifact"]
    facts = json.loads((folder / "training.json").read_text())
    checks = [entry for entry in facts["history"] if "reward" in entry]
    assert facts["choose"] == "one_se" and {len(one["rewards"]) for one in checks} == {40}
    place = [one["step"] for one in checks].index(facts["best_step"]) + 1
    said = f"kept check {place} of {len(checks)} ("

    known = json.loads(restem("status", "latest", "--json"))["iterations"][1]["finetune"]
    assert known["choose"] == "one_se" and known["kept"].startswith(said)
    assert [one["step"] for one in known["checks"]] == [one["step"] for one in checks]
    for one, entry in zip(known["checks"], checks, strict=True):
        reward = one["reward"]
        assert reward["low"] < entry["reward"] == reward["value"] < reward["high"]
        assert reward["problems"] == 40
    (page,) = restem.home.glob("runs/*/report.html")
    for text in (restem("status", "latest"), page.read_text()):
        assert said in text
    manifest = json.loads((folder / "manifest.json").read_text())
    assert said in manifest["stats"]["note"] and "standard error" in manifest["stats"]["note"]
