"""What a run or a problem says of comparison, limits and results decides the verdict."""

from __future__ import annotations

import json

import pytest

from sandbox.pool import SandboxPool
from sandbox.rule import Rule
from sandbox.verdict import Job, Limits, Report, judge_test
from sandbox.verdict import Test as Case
from tasks.rows import Json
from tasks.score.code.conditions import Conditions
from tasks.score.code.pool import CodePool, code_job
from tasks.score.step import sandbox_settings
from tasks.settings import ExecutionSettings


@pytest.mark.parametrize(
    ("rule", "printed", "expected", "same"),
    [
        (Rule(), "yes", "YES", False),
        (Rule(any_case=True), "yes Straße", "YES STRASSE", True),
        (Rule(any_case=True), "yes", "NO", False),
        (Rule(any_case=True), "1E-5", "1e-5", True),
        (Rule(), "1\n\n2", "1\n2", False),
        (Rule(blank_lines=False), "\n1\n \n\n2\n\n", "1\n2", True),
        (Rule(blank_lines=False), "1\n2", "1\n\n\n2", True),
        (Rule(blank_lines=False), "1 2", "1\n2", False),
        (Rule(), "0.501", "0.5", False),
        (Rule(float_error=1e-2), "0.501", "0.5", True),
        (Rule(float_error=1e-2), "0.52", "0.5", False),
        (Rule(float_error=1e-2), "101", "100", False),
        (Rule(float_error=0.0), "0.5000001", "0.5", False),
        (Rule(float_error=0.0), "0.50", "0.5", True),
    ],
)
def test_the_rule_decides(rule: Rule, printed: str, expected: str, same: bool) -> None:
    report: Report = {"status": "ok", "output": printed, "stderr": "", "cpu": 0.0}
    found = judge_test(Case("", expected), report, call=False, rule=rule)
    assert found.value == ("correct" if same else "wrong_answer")


def test_the_rule_holds_for_values_of_calls_too() -> None:
    report: Report = {"status": "ok", "output": "[1, [0.501]]", "stderr": "", "cpu": 0.0}
    case = Case(args=(), value=[1, [0.5]])
    assert judge_test(case, report, call=True).value == "wrong_answer"
    assert judge_test(case, report, call=True, rule=Rule(float_error=0.01)).value == "correct"


STREAM = {"tests": [{"input": "", "output": "0.5"}]}


@pytest.mark.parametrize(
    ("reference", "settings", "limits", "error"),
    [
        ({}, {}, Limits(cpu=4.0, memory=512 * 2**20), 1e-6),
        ({"time_limit": 1.5}, {}, Limits(cpu=1.5, memory=512 * 2**20), 1e-6),
        ({"time_limit": 1.5}, {"time_factor": 2.0}, Limits(cpu=3.0, memory=512 * 2**20), 1e-6),
        ({}, {"time_factor": 2.0}, Limits(cpu=4.0, memory=512 * 2**20), 1e-6),
        ({"memory_mb": 64}, {}, Limits(cpu=4.0, memory=64 * 2**20), 1e-6),
        ({"memory_mb": 9999}, {}, Limits(cpu=4.0, memory=512 * 2**20), 1e-6),
        ({}, {"float_error": 1e-3}, Limits(cpu=4.0, memory=512 * 2**20), 1e-3),
        (
            {"float_error": 1e-4},
            {"float_error": 1e-3},
            Limits(cpu=4.0, memory=512 * 2**20),
            1e-4,
        ),
    ],
)
def test_what_a_problem_says_goes_before_what_the_run_says(
    reference: Json, settings: Json, limits: Limits, error: float
) -> None:
    asked = Conditions.of(sandbox_settings(ExecutionSettings(**settings)))
    job = code_job(json.dumps({**STREAM, **reference}), "", asked.limits, asked=asked)
    assert job.limits == limits
    assert job.rule.float_error == error


def test_settings_at_their_defaults_stand_in_no_key() -> None:
    keyed = sandbox_settings(ExecutionSettings())
    assert keyed.keys() == {"time_limit", "memory_mb", "image", "rules"}
    assert sandbox_settings(ExecutionSettings(any_case=True)) == {**keyed, "any_case": True}


def test_a_run_s_rule_reaches_its_verdicts(pool: SandboxPool) -> None:
    pair = (json.dumps({"tests": [{"input": "", "output": "YES"}]}), "```python\nprint('yes')\n```")
    asked = Conditions.of(sandbox_settings(ExecutionSettings(any_case=True)))
    for conditions, status in ((None, "wrong_answer"), (asked, "correct")):
        [(grade, _)] = CodePool(pool, Limits(), "correct", conditions).grade([pair])
        assert grade.status.value == status


def test_a_checker_of_the_reference_judges_and_its_failure_has_no_reward(pool: SandboxPool) -> None:
    tests = [{"input": "5", "output": "0 5"}, {"input": "6", "output": "0 6"}]
    text = "```python\nn = int(input())\nprint(1, n - 1)\n```"
    sums = "def check_output(a, b, c): return sum(map(int, c.split())) == int(a)"
    for checker, found in ((sums, ("correct", 1.0)), ("1 / 0", ("checker_error", 0.0))):
        reference = json.dumps({"tests": tests, "checker": checker})
        for score in ("correct", "tests"):
            [(grade, _)] = CodePool(pool, Limits(), score).grade([(reference, text)])
            assert (grade.status.value, grade.reward) == found


@pytest.mark.parametrize(
    ("program", "in_place", "status"),
    [
        ("def f(a, k): a.sort()", 0, "correct"),
        ("def f(a, k):\n a.sort()\n return a", 0, "correct"),
        ("def f(a, k): return sorted(a)", 0, "wrong_answer"),
        ("def f(a, k): return sorted(a)", None, "correct"),
        ("def f(a, k): a.sort()", None, "wrong_answer"),
        ("def f(a, k): a = sorted(a)", 0, "wrong_answer"),
        ("class Solution:\n def f(self, a, k): a.sort()", 0, "correct"),
        ("def f(a, k): a.sort()", 1, "wrong_answer"),
    ],
)
def test_a_result_in_place_is_the_argument_after_the_call(
    pool: SandboxPool, program: str, in_place: int | None, status: str
) -> None:
    tests = (Case(args=([3, 1, 2], 7), value=[1, 2, 3]), Case(args=([2, 1], 7), value=[1, 2]))
    job = Job(program, tests, "f", in_place=in_place)
    assert pool.submit(job).result().status.value == status
