"""The exact-match checker, the mark for grading by hand, and how a scoring step comes to either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.machines.local import LocalMachine
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, perform, step
from tasks.evaluate.metrics import measure
from tasks.problems.loading import load_split
from tasks.problems.step import cut_blocks, load_splits, problems_call
from tasks.rows import SAMPLE, VERDICTS_FILE, Status, read_rows, write_rows
from tasks.score.math.limits import MAX_SHOWN
from tasks.score.score import score_rows
from tasks.score.step import CHECKERS, score_call, score_shard
from tasks.score.text import ExactGrader, HandGrader
from tasks.settings import DataSettings, EvaluationSettings, Resources
from tasks.store.store import ArtifactRef, Draft, Store

CASES = json.loads((Path(__file__).parent / "exact_cases.json").read_text())["cases"]


@pytest.mark.parametrize(("reference", "text", "status", "answer"), CASES)
def test_the_table(reference: str, text: str, status: str, answer: str) -> None:
    ((grade, _),) = ExactGrader().grade([(reference, text)])
    assert (grade.status.value, grade.extracted) == (status, answer)
    assert grade.reward == float(status == "correct")


def test_grades_come_in_order_and_long_answers_are_cut() -> None:
    pairs = [("(A)", "(B)"), ("(A)", "(A)"), ("(A)", "x" * 5000)]
    grades = [grade for grade, _ in ExactGrader().grade(pairs)]
    assert [grade.reward for grade in grades] == [0.0, 1.0, 0.0]
    assert grades[2].extracted == "x" * MAX_SHOWN


def test_every_target_of_bbh_passes_in_both_forms(data: Path) -> None:
    targets = {row["reference"] for row in load_split("bbh", "test", source=str(data))}
    assert max(map(len, targets)) < MAX_SHOWN
    for form in ("{}", " {}\n", "Thinking.\nSo the answer is {}."):
        graded = list(ExactGrader().grade((one, form.format(one)) for one in targets))
        assert len(graded) == len(targets) > 500
        assert all(grade.status is Status.CORRECT for grade, _ in graded)


SAMPLES = [
    {"problem_id": "p/1", "index": 0, "text": "So the answer is (A)."},
    {"problem_id": "p/1", "index": 1, "text": "So the answer is (B)."},
    {"problem_id": "p/2", "index": 0, "text": "(B)"},
]


def test_samples_for_a_person_get_no_reward_and_are_in_no_metric() -> None:
    rows = [row for row, _ in score_rows(SAMPLES, {"p/1": "3", "p/2": ""}, HandGrader())]
    assert {(row["status"], row["reward"]) for row in rows} == {("ungraded", 0.0)}
    for row in rows:
        row.update(tokens=5, finish="stop")
    found = measure(rows, rows, [], [], EvaluationSettings(), 0)
    assert found.metrics == {}
    assert found.statuses == {"ungraded": 3}


@step("samples of a test", "samples")
def sampled(call: Call, draft: Draft, runtime: Runtime) -> None:
    rows = ({**row, "seed": 0, "tokens": 5, "finish": "stop"} for row in call.settings["rows"])
    draft.rows = write_rows(draft.path / "samples.parquet", SAMPLE, rows)


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        (
            "bbh",
            [
                {"task": "navigate", "input": "Take 1 step. Are you back?", "target": "No"},
                {"task": "snarks", "input": "Which?", "target": "(A)"},
            ],
            ["correct", "wrong_answer", "correct", "no_answer"],
        ),
        ("hungarian", [{"question": "Sum of 1 and 2?"}, {"question": "Why?"}], ["ungraded"] * 4),
    ],
)
def test_the_score_step_asks_for_the_checker_of_the_domain(
    name: str, rows: list, expected: list, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = DataSettings(train="synthetic_math", train_limit=1, test=name, test_source=str(file))  # type: ignore[arg-type]
    texts = ("So the answer is No.", "Yes", "(A)", " ")
    with LocalMachine(
        Store(str(tmp_path / "store"), cache=tmp_path),
        tmp_path,
        Resources(),
        lambda *_: None,
        isolate=False,
    ) as services:
        runtime = services.runtime
        problems = perform(problems_call(settings), runtime)
        test = load_splits(runtime.store.path(problems))["test"]
        by_id = sorted(test, key=lambda row: row["id"])
        drawn = [
            {"problem_id": by_id[number // 2]["id"], "index": number % 2, "text": text}
            for number, text in enumerate(texts)
        ]
        samples = perform(Call(sampled, "samples", {"rows": drawn}), runtime)
        (block,) = cut_blocks(test, "test", 10)
        call = score_call(
            "score",
            samples,
            block.digest,
            problems,
            block.to_json(),
            checker=CHECKERS[test[0]["domain"]],
        )
        verdicts = list(read_rows(runtime.store.path(perform(call, runtime)) / VERDICTS_FILE))
    assert [row["status"] for row in verdicts] == expected


def test_the_checker_is_in_the_key_and_math_and_code_keep_theirs() -> None:
    ref = ArtifactRef("samples", "k", "d", 1)

    def key(**more) -> str:
        return score_call("score", ref, "block", ref, {}, **more).key

    assert key() == Call(score_shard, "", {"references": "block"}, {"samples": ref}).key
    assert len({key(), key(checker="exact"), key(checker="hand")}) == 3
    assert "math" not in CHECKERS and "code" not in CHECKERS
