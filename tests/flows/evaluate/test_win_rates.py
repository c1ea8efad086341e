"""`restem evaluate --judge`: win rates of one policy over another, by real judges."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from flows.config.evaluate import EvaluateConfig, load_evaluation
from flows.evaluate.results import EvaluationResults
from tasks.errors import UserError
from tests.flows.audit.test_audit_judge import TEMPLATE
from tests.flows.conftest import Restem

FLAGS = (
    "--on=synthetic_math",
    "--limit=40",
    "--set=measure.samples=2",
    "--set=measure.pass_k=[1]",
    "--set=measure.majority=[]",
    "--set=resources.shard_problems=20",
)


@pytest.fixture(scope="module")
def restem(finished: Restem, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    home = tmp_path_factory.mktemp("judged") / "home"
    subprocess.run(["cp", "-a", str(finished.home), str(home)], check=True)
    (home.parent / "plain.toml").write_text(TEMPLATE)
    return Restem(home, finished.api)


def _facts(restem: Restem, *arguments: str) -> dict[str, Any]:
    """What `restem evaluate --json` prints last."""
    said = restem("evaluate", *arguments, *FLAGS, "--json")
    return json.loads(next(line for line in said.splitlines() if line.startswith("{")))


def _asked(restem: Restem) -> tuple[str, ...]:
    prompt = restem.home.parent / "plain.toml"
    return (f"--set=judge.prompt={prompt}", "--set=judge.reason_tokens=4")


def test_a_judge_and_the_checker_say_how_often_the_last_policy_wins(restem: Restem) -> None:
    judge = ("--against=latest:0", "--judge=embedded:tiny-math", *_asked(restem))
    facts = _facts(restem, "latest:2", *judge)
    [benchmark] = facts["benchmarks"]
    by = benchmark["win_rates"]["by"]
    assert set(by) == {"oracle", "judge"}
    change = benchmark["comparison"]["metrics"]["greedy"]["value"]
    assert by["oracle"]["raw"]["value"] == pytest.approx(0.5 + change / 2)
    for one in by.values():
        assert one["raw"]["problems"] + one["unjudged"] == 40
    folder = restem.home / "runs" / facts["run"]
    assert EvaluationResults.read(folder).win_rates["synthetic_math"].to_json() == {"by": by}
    assert "Win rate over" in (folder / "report.html").read_text()
    said = restem("evaluate", "latest:2", *judge, *FLAGS)
    assert "at equal length" in said
    assert {step["state"] for step in restem.status()["steps"]} == {"Cached"}


def test_swapped_policies_have_one_minus_the_rate(restem: Restem) -> None:
    judge = ("--judge=embedded:tiny-math", *_asked(restem))
    one = _facts(restem, "latest:2", "--against=latest:0", *judge)["benchmarks"][0]
    run = one and restem.status()["results"]["model"].rpartition(":")[0]
    other = _facts(restem, f"{run}:0", f"--against={run}:2", *judge)["benchmarks"][0]
    for by in ("oracle", "judge"):
        first, second = (found["win_rates"]["by"][by] for found in (one, other))
        for name in ("raw", "controlled"):
            assert first[name]["value"] == pytest.approx(1 - second[name]["value"], abs=1e-6)


def test_a_policy_ties_with_itself_and_the_judge_is_not_asked(restem: Restem) -> None:
    made = set((restem.home / "store" / "preferences").glob("*"))
    judge = ("--judge=embedded:tiny-math", *_asked(restem))
    name = "embedded:tiny-math"
    [benchmark] = _facts(restem, name, f"--against={name}", *judge)["benchmarks"]
    for one in benchmark["win_rates"]["by"].values():
        assert one["raw"]["value"] == one["controlled"]["value"] == 0.5
        assert one["ties"] == 40
    new = set((restem.home / "store" / "preferences").glob("*")) - made
    assert new and not any(json.loads((one / "manifest.json").read_text())["rows"] for one in new)


def test_sampled_answers_are_compared_too(restem: Restem) -> None:
    judge = ("--against=latest:0", "--judge=oracle", "--set=judge.answers=sampled")
    [benchmark] = _facts(restem, "latest:2", *judge)["benchmarks"]
    [by, rate] = next(iter(benchmark["win_rates"]["by"].items()))
    assert (by, rate["raw"]["problems"]) == ("oracle", 40)
    change = benchmark["comparison"]["metrics"]["pass@1"]["value"]
    assert rate["raw"]["value"] == pytest.approx(0.5 + change / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--judge=oracle",), "judge.model: it prefers one of two policies; expected against"),
        (("--against=latest:0", "--judge=nowhere"), "judge.model: RUN nowhere: no such run"),
        (("--against=latest:0", "--set=judge.swap=false"), "judge.model: expected oracle or a"),
        (
            ("--against=latest:0", "--judge=oracle", "--on=hungarian"),
            "judge.model: hungarian is graded by a person; expected a model, not oracle",
        ),
        (
            ("--against=latest:0", "--judge=oracle", "--set=judge.colour=red"),
            "judge.colour: no such field",
        ),
    ],
)
def test_mistakes_are_one_line(restem: Restem, arguments: tuple[str, ...], message: str) -> None:
    said = restem("evaluate", "latest", *arguments, code=2)
    assert message in said and said.count("\n") == 1


def test_a_judge_without_a_chat_template_is_named(restem: Restem) -> None:
    judge = ("--against=latest:0", "--judge=embedded:tiny-math")
    said = restem("evaluate", "latest:2", *judge, *FLAGS, code=2)
    assert "judge.prompt: answers needs a judge with a chat template" in said


def test_an_evaluation_without_a_judge_keeps_its_id() -> None:
    """That of the defaults before there were judges."""
    plain = load_evaluation("", {"against": "embedded:mini-math"})
    assert plain.run_id == "evaluate-6adf1bfc" and "judge" not in plain.described()
    asked = load_evaluation("", {"against": "embedded:mini-math", "judge": {"model": "oracle"}})
    assert asked.run_id != plain.run_id and asked.described()["judge"]["model"] == "oracle"


def test_a_judge_is_one_of_the_places_that_a_form_may_name() -> None:
    config = EvaluateConfig.model_validate(
        {"against": "a", "judge": {"model": "/somewhere", "prompt": "/else.toml"}}
    )
    assert {("judge.model", "/somewhere"), ("judge.prompt", "/else.toml")} <= set(config.places)
    with pytest.raises(UserError):
        load_evaluation("", {"judge": {"model": "oracle"}})
