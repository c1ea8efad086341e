"""What the fine-tune step answers a trainer that asks for rewards of samples (rl)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tasks.checkers.known import judged_reference
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.step import JUDGE, open_judge
from tasks.dag.mixed import CHECKERS_KEY, PROGRAMS, grade_mixed
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call
from tasks.rows import PROBLEMS_FILE, Json, read_rows


def reward_answers(call: Call, runtime: Runtime, reward: Json) -> Callable[[Json], list[float]]:
    """A function that gives rewards in [0, 1] of {"problems": [id, ...], "texts": [answer, ...]}.

    Args:
        call: Of the fine-tune.
        runtime: Opens engines and graders at the first question.
        reward: RewardSource.keyed().
    """
    stored = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    problems = [row for row in read_rows(stored) if row["split"] == "train"]
    if JUDGE in call.inputs:
        questions = {row["id"]: row["question"] for row in problems}
        prompt = load_judge_prompt(call.hints[JUDGE], reward["prompt"])
        judge = open_judge(replace(call, settings=reward), runtime, prompt)
        return lambda asked: judge.rate(
            [questions[one] for one in asked["problems"]], asked["texts"]
        )
    one = PROGRAMS if "sandbox" in reward else reward.get("checker", "")
    names = reward.get(CHECKERS_KEY, [one] * len(problems))
    checkers = {row["id"]: name for row, name in zip(problems, names, strict=True)}
    references = {row["id"]: judged_reference(row) for row in problems}

    def graded(asked: Json) -> list[float]:
        ids = asked["problems"]
        pairs = [(references[name], text) for name, text in zip(ids, asked["texts"], strict=True)]
        grades = grade_mixed(
            runtime.grader, pairs, [checkers[name] for name in ids], reward.get("sandbox")
        )
        return [grade.reward for grade in grades]

    return graded
