"""The step `compare answers`: which of two policies' answers a judge prefers, for win rates.

Rows are of rows.PREFERENCE. Both `first` and `second` are the index of the two samples, one of each
policy, and p is the probability that the answer of the policy whose win rate is asked is better.
What is settled without a judge (tasks/evaluate/answers.py) has no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.compare.draw import Pair
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.label import JUDGED, Costs
from tasks.compare.step import JUDGE, judge_stats, judging, open_judge
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import COMPARE_ANSWERS
from tasks.evaluate.answers import paired_answers
from tasks.rows import (
    PREFERENCE,
    PREFERENCES_FILE,
    PROBLEMS_FILE,
    SAMPLES_FILE,
    Row,
    read_rows,
    write_rows,
)
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef
from tasks.store.store import Draft

_FIRST, _OTHER = "first", "other"
# Pairs that a judge is asked about at once: between two of them a person hears of progress.
_AT_ONCE = 512


def compare_answers_call(
    label: str,
    settings: JudgeSettings,
    first: ArtifactRef,
    other: ArtifactRef,
    *,
    references: str,
    problems: ArtifactRef,
    hints: dict[str, object],
    judge: ArtifactRef,
    engine: Mapping[str, object],
) -> Call:
    """The call that compares two policies' samples of one block of problems.

    Args:
        label: Name of the task run.
        settings: How the judge is asked.
        first: Samples of the policy,
        other: and those of the policy that it is compared with.
        references: Digest of the block.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        judge: The model that is asked.
        engine: Its engine and dtype.
    """
    keyed = {"references": references, **judging(settings), **engine}
    inputs = {_FIRST: first, _OTHER: other, JUDGE: judge}
    hints = {**hints, "template": settings.prompt}
    return Call(compare_answers, label, keyed, inputs, hints, {"problems": problems})


@step(COMPARE_ANSWERS, "preferences")
def compare_answers(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a row for each pair of answers that the judge is asked about."""
    store, hints = runtime.store, call.hints
    prompt = load_judge_prompt(hints["template"], call.settings["prompt"])
    first, other = (
        read_rows(store.path(call.inputs[name]) / SAMPLES_FILE) for name in (_FIRST, _OTHER)
    )
    pairs = [
        Pair(problem, index, index, (one.text, one.other))
        for (problem, index), one in paired_answers(first, other).items()
        if one.settled is None
    ]
    asked = {pair.problem_id for pair in pairs}
    stored = read_rows(store.path(call.context["problems"]) / PROBLEMS_FILE)
    questions = {row["id"]: row["question"] for row in stored if row["id"] in asked}
    judge, judged = open_judge(call, runtime, prompt) if pairs else None, 0

    def rows() -> Iterator[Row]:
        nonlocal judged
        for begin in range(0, len(pairs), _AT_ONCE):
            assert judge is not None
            for row in judge.label(pairs[begin : begin + _AT_ONCE], questions):
                judged += row["status"] == JUDGED
                yield row
            runtime.progress(call.label, min(begin + _AT_ONCE, len(pairs)), len(pairs))

    draft.rows = write_rows(draft.path / PREFERENCES_FILE, PREFERENCE, rows())
    lost = draft.rows - judged
    note = f"{draft.rows:,} pairs" + (f", {lost:,} without a label" if lost else "")
    draft.stats = judge_stats(judge.costs if judge else Costs(), note)
