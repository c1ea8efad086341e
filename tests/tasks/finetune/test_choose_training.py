"""Fine-tunes with each rule of the choice among checks: what is kept, also after a kill."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.finetune.trainer import train
from tests.tasks.finetune.finetune_parts import FORKS, make_job, make_rows, make_start, write

pytestmark = pytest.mark.engine

# Eight problems at each of four checks: the third is the best, the second within one standard error
# of it (gap 1/8, error 1/8), the first is not (gap 3/8, error sqrt(15/8 / 7 / 8) = 0.183).
CHECKS = ("11100000", "11111000", "11111100", "11110000")
KEPT = {"best": 3, "one_se": 2, "last": 4}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("choose")
    make_start(folder / "start")
    write(folder / "rows.parquet", make_rows(40))
    return folder


def job_of(place: Path, work: Path, rule: str, **settings: Any) -> dict[str, Any]:
    chosen = {"checks": 4, "patience": 4, "schedule": "constant", "choose": rule} | settings
    job = make_job(place / "start", place / "rows.parquet", work, **chosen)
    job["validation"]["prompts"] = [f"what is {i} + 1?\n" for i in range(8)]
    job["resources"]["checkpoint_minutes"] = 60.0
    return job


class Graded:
    """Gives the marks of one check after the other, and keeps the texts."""

    def __init__(self, first: int = 0) -> None:
        self.texts: list[list[str]] = []
        self._first = first

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        marks = CHECKS[self._first + len(self.texts)]
        self.texts.append(question["score"])
        return {"rewards": [float(mark) for mark in marks]}


Undisturbed = Callable[[str], tuple[dict[str, Any], dict[str, Any], Graded]]


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Undisturbed:
    """The job of a rule, what training gives without a kill, and what it asked; made once."""
    done: dict[str, tuple[dict[str, Any], dict[str, Any], Graded]] = {}

    def of(rule: str) -> tuple[dict[str, Any], dict[str, Any], Graded]:
        if rule not in done:
            job, graded = job_of(place, place / rule, rule), Graded()
            done[rule] = job, train(job, graded), graded
        return done[rule]

    return of


def greedy(model: Path, prompts: list[str]) -> list[str]:
    """What a kept policy answers, by transformers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy: Any = AutoModelForCausalLM.from_pretrained(model).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")
        out = policy.generate(**ids, do_sample=False, max_new_tokens=12)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        found.append(text.split("\n")[0])
    return found


@pytest.mark.parametrize("rule", list(KEPT))
def test_the_policy_is_that_of_the_check_that_the_rule_keeps(undisturbed, rule):
    job, reply, grade = undisturbed(rule)
    checks = [entry for entry in reply["history"] if "reward" in entry]
    assert len(checks) == 4
    assert reply["best_step"] == checks[KEPT[rule] - 1]["step"]
    assert reply["best_reward"] == checks[KEPT[rule] - 1]["reward"]
    assert greedy(Path(job["out"]), job["validation"]["prompts"]) == grade.texts[KEPT[rule] - 1]


def test_rewards_by_problem_are_noted_where_the_rule_needs_them(undisturbed):
    noted = {}
    for rule in KEPT:
        _, reply, _ = undisturbed(rule)
        noted[rule] = [one.get("rewards") for one in reply["history"] if "reward" in one]
    assert noted["one_se"] == [[float(mark) for mark in marks] for marks in CHECKS]
    assert noted["best"] == noted["last"] == [None] * 4


def test_the_last_is_reached_whatever_patience_says(place, tmp_path):
    reply = train(job_of(place, tmp_path / "work", "last", patience=1), Graded())
    assert reply["steps"] == reply["best_step"] == reply["history"][-1]["step"]


def test_patience_counts_from_the_best_check_whichever_is_kept(place, tmp_path):
    reply = train(job_of(place, tmp_path / "work", "one_se", patience=1), Graded())
    checks = [entry["step"] for entry in reply["history"] if "reward" in entry]
    assert len(checks) == 4 and reply["best_step"] == checks[1]


def _killed_in(job: dict[str, Any], check: int) -> None:
    """Train until a check asks for its rewards, and be killed there."""
    import os

    graded = Graded()

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        if len(graded.texts) == check - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return graded(question)

    train(job, ask)


@pytest.mark.parametrize("rule", list(KEPT))
@pytest.mark.parametrize("check", [3, 4])
def test_killed_and_called_again_the_same_check_is_kept(place, undisturbed, tmp_path, rule, check):
    whole, expected, _ = undisturbed(rule)
    job = job_of(place, tmp_path / "killed", rule)
    process = FORKS.Process(target=_killed_in, args=(job, check))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = train(job, Graded(first=check - 1))
    assert {**again, "seconds": 0} == {**expected, "seconds": 0}
    for path in Path(whole["out"]).iterdir():
        assert (Path(job["out"]) / path.name).read_bytes() == path.read_bytes(), path.name


def test_weights_that_cannot_be_kept_any_more_are_deleted(place, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tests.tasks.finetune.test_choose_training.CHECKS",
        ("00000000", "11111100", "11111110", "11111000"),
    )
    lying: list[set[str]] = []
    job = job_of(place, tmp_path / "work", "one_se")

    def progress(done: int, total: int) -> None:
        lying.append({path.name for path in Path(job["work"]).glob("best-*.safetensors")})

    reply = train(job, Graded(), progress)
    first, second, third, _ = (one["step"] for one in reply["history"] if "reward" in one)
    assert lying[third - 1] >= {f"best-{second}.safetensors", f"best-{third}.safetensors"}
    assert f"best-{first}.safetensors" not in lying[third]
