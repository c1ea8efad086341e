"""`restem audit --judge`: judges whose agreement is known, and a real one on the small demo."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flows.audit.judge import way_of
from flows.audit.judge_results import AskedSo
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.known import draw_known
from tasks.compare.label import Judge
from tasks.rows import Row
from tests.flows.audit.audit_parts import PAIRS, make_run
from tests.flows.conftest import Restem
from tests.tasks.generate.hosted_parts import KEY, serving
from tests.tasks.generate.test_hosted_choices import chose

PROMPT = load_judge_prompt("notes")
TEMPLATE = """
pair = "{question} 1: {first} 2: {second}"
direct = " Better:"
reason = " Because"
after = " Better:"
choices = [" 1", " 2"]
single = "{question} {answer}"
score = " Score:"
scores = [" 0", " 1"]
stop = ["\\n"]
"""


class Says:
    """An engine whose choice is a function of the prompt."""

    def __init__(self, log_odds: Callable[[str], float]) -> None:
        self.log_odds = log_odds

    def choose(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        return [[self.log_odds(prompt), 0.0] for prompt in prompts]


def _known(problems: int = 600) -> list[Row]:
    """Right and wrong samples of problems that are solved one time of two, three or five."""
    return [
        {
            "problem_id": f"p{n}",
            "index": index,
            "text": f"{'right' if not index else 'wrong'} {n} {index}",
            "status": "wrong_answer" if index else "correct",
            "finish": "stop",
        }
        for n in range(problems)
        for index in range((2, 3, 5)[n % 3])
    ]


def _ways(log_odds: Callable[[str], float]) -> tuple[AskedSo, AskedSo]:
    """The judge in one order, and in both."""
    judge = Judge(Says(log_odds), PROMPT, lambda asked, said: asked + said, lambda s: s, True)
    drawn = draw_known(lambda: iter(_known()), 0, 0)
    labels = judge.label([one.pair for one in drawn], {f"p{n}": "?" for n in range(600)})
    rows = [
        {**row, "first_right": one.first_right, "share": one.share}
        for one, row in zip(drawn, labels, strict=True)
    ]
    return (
        way_of(rows, 0, reasoning=False, swap=False),
        way_of(rows, 0, reasoning=False, swap=True),
    )


def test_a_judge_that_always_says_first_knows_nothing() -> None:
    one, both = _ways(lambda prompt: 40.0)
    assert one.alignment and both.alignment
    assert one.alignment.agreement.low < 0.5 < one.alignment.agreement.high
    assert one.alignment.first_place == 1.0 and one.alignment.same_place is None
    assert both.alignment.agreement.value == 0.5
    assert both.alignment.same_place and both.alignment.same_place.value == 1.0


def test_swapping_repairs_a_taste_for_a_place() -> None:
    """It knows the better one a little, and likes the second place more."""
    one, both = _ways(lambda prompt: (1.0 if "Note 1: right" in prompt else -1.0) - 1.5)
    assert one.alignment and both.alignment
    assert one.alignment.agreement.high < 0.6
    assert both.alignment.agreement.value == 1.0


def test_hard_problems_stand_first() -> None:
    """It knows the better one where the problem is solved one time of two."""

    def log_odds(prompt: str) -> float:
        number = int(prompt.split("right ")[1].split()[0])
        return 0.0 if number % 3 else (2.0 if "Note 1: right" in prompt else -2.0)

    _, both = _ways(log_odds)
    assert both.alignment
    assert [one.value for one in both.alignment.by_difficulty] == [0.5, 0.5, 1.0]
    calibrated = {one.low: one for one in both.alignment.calibration}
    assert calibrated[0.8].right.value == 1.0
    assert calibrated[0.8].sure == pytest.approx(1 / (1 + math.exp(-2)))


class TestCommand:
    """The verb itself."""

    def test_a_real_judge_on_the_demo(self, copied: Restem, tmp_path: Path) -> None:
        template = tmp_path / "plain.toml"
        template.write_text(TEMPLATE)
        asked = ("audit", "latest", "--judge=embedded:tiny-math", f"--prompt={template}")
        options = ("--pairs=40", "--reason-tokens=8")
        facts = json.loads(copied(*asked, *options, "--json"))
        assert facts["pairs"] == 40 and facts["judge"] == "embedded:tiny-math"
        ways = [(way["reasoning"], way["swap"]) for way in facts["ways"]]
        assert ways == [(False, False), (False, True), (True, False), (True, True)]
        for way in facts["ways"]:
            found = way["alignment"]
            assert way["unjudged"] == 0 and found["pairs"] == 40
            assert (found["same_place"] is not None) == way["swap"]
            assert sum(one["pairs"] for one in found["calibration"]) == 40
        [file] = (copied.home / "runs").glob("*/audit-judge.json")
        assert json.loads(file.read_text()) == facts
        made = sorted((copied.home / "store" / "judged_pairs").iterdir())
        said = copied(*asked, *options)
        assert "both orders, a reason first" in said and "A judge that knows nothing" in said
        assert sorted((copied.home / "store" / "judged_pairs").iterdir()) == made
        assert json.loads(file.read_text()) == facts

    def test_a_hosted_judge_that_always_says_first(self, copied: Restem) -> None:
        with serving(lambda *_: chose(("1", {"1": 0.9, "2": 0.1}), finish="stop")) as service:
            env = {"OPENAI_BASE_URL": service.address, "OPENAI_API_KEY": KEY}
            asked = ("audit", "latest", "--judge=openai:judge", "--pairs=40", "--json")
            facts = json.loads(copied(*asked, **env))
            paid = len(service.requests)
            assert json.loads(copied(*asked, **env)) == facts and len(service.requests) == paid
        for way in facts["ways"]:
            found = way["alignment"]
            assert found["first_place"] == 1.0
            if way["swap"]:
                assert found["agreement"]["value"] == 0.5
                assert found["same_place"]["value"] == 1.0
            else:
                assert found["agreement"]["low"] <= 0.5 <= found["agreement"]["high"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--judge=nowhere"], "--judge: RUN nowhere: no such run"),
            (["--judge=embedded:none"], "no embedded model 'none'"),
            (
                ["--judge=embedded:tiny-math"],
                "judge.prompt: answers needs a judge with a chat template",
            ),
            (["--judge=latest:1", "--prompt=none"], "judge.prompt: no template 'none'"),
            (["--judge=latest:1", "--out=x.jsonl"], "--out: for audits of the checker"),
            (["--judge=latest:1", "--engine=x"], "--engine x: expected transformers or vllm"),
            (["--prompt=notes"], "--prompt notes: it is for a judge"),
        ],
    )
    def test_mistakes_are_one_line(
        self, finished: Restem, options: list[str], message: str
    ) -> None:
        said = finished("audit", *options, code=2)
        assert message in said and said.count("\n") == 1

    def test_a_run_without_a_wrong_sample(self, finished: Restem, home: Path) -> None:
        make_run(home, [one for one in PAIRS if one["gold"] == one["text"]][:1])
        said = Restem(home, finished.api)("audit", "--judge=embedded:tiny-math", code=2)
        assert "no problem has a right and a wrong sample" in said and said.count("\n") == 1
