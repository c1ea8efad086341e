"""Groups of equal answers through the real checker, the step that makes them, and the vote."""

from __future__ import annotations

import json
import random
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

import tasks.score.group as group_module
from tasks.dag.contracts import Grade
from tasks.dag.runtime import Runtime
from tasks.dag.step import perform
from tasks.errors import StepError
from tasks.evaluate.metrics import majority_correct
from tasks.evaluate.step import measure_call
from tasks.rows import PROBLEM, SAMPLE, VERDICT, Status, read_rows, write_rows
from tasks.score.group import group_answers, group_texts
from tasks.score.group_step import GROUPS_FILE, group_call
from tasks.score.math.pool import GradePool
from tasks.settings import EvaluationSettings, Resources
from tasks.store.store import ArtifactRef, Store

CASES = json.loads((Path(__file__).parent / "group_cases.json").read_text())
# Within the checker's limits on text, but sympy expands it to millions of terms.
ENDLESS = (
    r"(a+b+c+d+x+y)^{60}",
    r"(a+b+c+d+x+y)^{59}(y+a+b+c+d+x)+\sqrt{z^2}-z",
)


@pytest.fixture(scope="module")
def pool() -> Iterator[GradePool]:
    with GradePool(workers=1, time_limit=3.0) as started:
        yield started


class Counted:
    """The real pool, with a note of what it was asked and how far it was ahead."""

    def __init__(self, pool: GradePool) -> None:
        self.pool = pool
        self.pairs: list[tuple[str, str]] = []

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[Grade, float]]:
        asked = list(pairs)
        self.pairs += asked
        return self.pool.grade(asked)


def one_by_one(answers: Sequence[str], pool: GradePool) -> list[int]:
    """The definition: each answer against the first of every group, earliest group first."""
    groups: list[int] = []
    for place, answer in enumerate(answers):
        firsts = [first for first in sorted(set(groups)) if first >= 0]
        equal = (
            first
            for first in firsts
            if answers[first] == answer
            or next(pool.grade([(answers[first], rf"\boxed{{{answer}}}")]))[0].reward == 1.0
        )
        groups.append(next(equal, place) if answer else -1)
    return groups


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_groups_of(case: dict, pool: GradePool) -> None:
    assert list(group_answers([case["answers"]], pool)) == [case["groups"]]


def test_groups_are_those_of_comparing_one_by_one(
    pool: GradePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "WINDOW", 3)  # several windows of a few problems
    texts = ["1/2", "0.5", r"\frac12", "", "x^2-1", "(x-1)(x+1)", "2", r"\frac{\sqrt2}{2}"]
    texts += [r"\frac1{\sqrt2}", r"\sqrt{\frac12}", "(1,2)", r"\sin x", r"\cos(x-\frac{\pi}{2})"]
    rng = random.Random(4)
    problems = [rng.choices(texts, k=rng.randrange(12)) for _ in range(25)]
    assert list(group_answers(problems, pool)) == [one_by_one(p, pool) for p in problems]


def test_only_the_first_of_a_group_and_only_undecided_pairs_are_asked(pool: GradePool) -> None:
    counted = Counted(pool)
    answers = [r"\frac{1}{\sqrt{2}}", "4", r"\frac{\sqrt{2}}{2}"] * 8 + ["4.0", "0.5", "1/2"]
    groups = next(group_answers([answers], counted))
    assert groups == [0, 1, 0] * 8 + [1, 25, 25]
    assert counted.pairs == [(r"\frac{1}{\sqrt{2}}", r"\boxed{\frac{\sqrt{2}}{2}}")]


def test_problems_are_read_no_further_ahead_than_the_window(
    pool: GradePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "WINDOW", 4)
    read = 0

    def problems() -> Iterator[list[str]]:
        nonlocal read
        for number in range(40):
            read += 1
            yield [r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"] if number % 2 else ["1", "2"]

    for done, groups in enumerate(group_answers(problems(), pool)):
        assert groups == ([0, 0] if done % 2 else [0, 1])
        assert read - done <= 5


@pytest.mark.slow
def test_what_the_checker_cannot_decide_is_not_equal(pool: GradePool) -> None:
    answers = [*ENDLESS, "1", ENDLESS[0]]
    assert next(pool.grade([ENDLESS]))[0].status is Status.CHECKER_ERROR
    assert next(group_answers([answers], pool)) == [0, 1, 2, 0]


def test_texts_are_compared_to_the_letter() -> None:
    assert list(group_texts([["(A)", "(A)", "(a)", "", "1/2", "0.5"], []])) == [
        [0, 0, 2, -1, 4, 5],
        [],
    ]


def test_the_vote_joins_spellings_of_a_half(pool: GradePool) -> None:
    answers = ["2", "1/2", "2", "0.5", r"\frac12"]
    groups = next(group_answers([answers], pool))
    correct = [answer != "2" for answer in answers]
    assert majority_correct(groups, correct, 5) is True
    assert majority_correct(groups, correct, 3) is False  # 2 has two votes of three
    as_texts = [answers.index(answer) for answer in answers]
    assert majority_correct(as_texts, correct, 5) is False


def runtime(tmp_path: Path, pool: GradePool) -> Runtime:
    def none(*_: object) -> object:
        raise AssertionError("grouping answers needs no engine")

    return Runtime(
        store=Store(str(tmp_path / "store"), cache=tmp_path / "cache"),
        logs=tmp_path,
        resources=Resources(),
        engine=none,
        grader=lambda sandbox, *_: pool if sandbox is None else none(),
        progress=lambda *_: None,
    )


def shard(
    run: Runtime,
    name: str,
    answers: dict[tuple[str, int], str | None],
    right: Container[str | None] = (),
) -> ArtifactRef:
    with run.store.draft("verdicts", name) as draft:
        rows = (
            {
                "problem_id": problem,
                "index": index,
                "reward": float(answer in right),
                "status": "correct" if answer in right else "wrong_answer",
                "extracted": answer,
                "first_failure": -1,
            }
            for (problem, index), answer in answers.items()
        )
        draft.rows = write_rows(draft.path / "verdicts.parquet", VERDICT, rows)
    ref = run.store.lookup("verdicts", name)
    assert ref is not None
    return ref


def test_the_step_joins_a_problems_shards(tmp_path: Path, pool: GradePool) -> None:
    run = runtime(tmp_path, pool)
    shards = [
        shard(run, "a", {("p2", 0): "1/2", ("p2", 1): "", ("p1", 0): "3", ("p1", 1): "4"}),
        shard(run, "b", {("p2", 3): r"\frac12", ("p2", 2): "7", ("p1", 3): "4.0", ("p1", 2): "5"}),
        shard(run, "c", {("p3", 1): "9", ("p3", 4): None, ("p3", 2): "8", ("p3", 3): "9"}),
    ]
    call = group_call("group p0", shards)
    ref = perform(call, run)
    rows = list(read_rows(run.store.path(ref) / GROUPS_FILE))
    assert [(r["problem_id"], r["index"], r["group"]) for r in rows] == [
        *(("p2", 0, 0), ("p2", 1, -1), ("p2", 2, 2), ("p2", 3, 0)),
        *(("p1", 0, 0), ("p1", 1, 1), ("p1", 2, 2), ("p1", 3, 1)),
        *(("p3", 1, 1), ("p3", 2, 2), ("p3", 3, 1), ("p3", 4, -1)),
    ]
    assert (ref.kind, ref.rows) == ("groups", 12)
    assert perform(call, run) == ref  # found, not made again
    note = run.store.manifest(ref).stats.note
    assert note == "7 different answers to 3 problems"


def samples_of(run: Runtime, verdicts: ArtifactRef) -> ArtifactRef:
    """The samples that verdicts belong to."""
    rows = read_rows(run.store.path(verdicts) / "verdicts.parquet")
    with run.store.draft("samples", verdicts.key) as draft:
        more = {"seed": 1, "text": "t", "tokens": 1, "finish": "stop", "model": "m", "prompt": "p"}
        made = ({"problem_id": r["problem_id"], "index": r["index"], **more} for r in rows)
        draft.rows = write_rows(draft.path / "samples.parquet", SAMPLE, made)
    ref = run.store.lookup("samples", verdicts.key)
    assert ref is not None
    return ref


def test_metrics_have_a_vote_only_with_groups(tmp_path: Path, pool: GradePool) -> None:
    run = runtime(tmp_path, pool)
    with run.store.draft("problems", "all") as draft:
        write_rows(draft.path / "problems.parquet", PROBLEM, [])
    problems = run.store.lookup("problems", "all")
    assert problems is not None
    answers = {("p", i): answer for i, answer in enumerate(["2", "1/2", "2", "0.5", r"\frac12"])}
    sampled = shard(run, "sampled", dict(answers), right={"1/2", "0.5", r"\frac12"})
    greedy = shard(run, "greedy", {("p", 0): "2"})
    sets = {
        name: ([samples_of(run, verdicts)], [verdicts])
        for name, verdicts in (("sampled", sampled), ("greedy", greedy))
    }
    settings = EvaluationSettings(samples=5, pass_k=[1], majority=[3, 5])

    def metrics(groups: ArtifactRef | None) -> dict:
        ref = perform(measure_call("measure", settings, sets, problems, groups), run)
        return json.loads((run.store.path(ref) / "metrics.json").read_text())["metrics"]

    assert set(metrics(None)) == {"greedy", "pass@1"}
    found = metrics(perform(group_call("group", [sampled]), run))
    assert (found["maj@3"]["value"], found["maj@5"]["value"]) == (0.0, 1.0)


def test_the_step_refuses_a_sample_that_comes_twice(tmp_path: Path, pool: GradePool) -> None:
    run = runtime(tmp_path, pool)
    shards = [shard(run, "a", {("p", 0): "1"}), shard(run, "b", {("p", 0): "2"})]
    with pytest.raises(StepError, match="sample 0 of p comes twice"):
        perform(group_call("group", shards), run)
