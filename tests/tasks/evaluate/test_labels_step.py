"""The step `measure labels` on labels of judges whose worth is known, with the real store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.compare.draw import Pair
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.label import Judge, by_reward
from tasks.dag.runtime import Runtime
from tasks.dag.step import perform
from tasks.evaluate.labels import SHOWN, LabelMetrics
from tasks.evaluate.labels_step import labels_call
from tasks.rows import (
    PREFERENCE,
    PREFERENCES_FILE,
    PROBLEM,
    PROBLEMS_FILE,
    SAMPLE,
    SAMPLES_FILE,
    VERDICT,
    VERDICTS_FILE,
    Row,
    Status,
    text_digest,
    write_rows,
)
from tasks.settings import EvaluationSettings, Resources
from tasks.store.store import ArtifactRef, Store

PROBLEMS = 40
# Of the three samples of each problem.
REWARDS = (0.9, 0.1, 0.6)
PAIRS = [
    Pair(f"p{n}", i, j, (f"note {i}", f"note {j}"))
    for n in range(PROBLEMS)
    for i, j in ((0, 1), (0, 2), (1, 2))
]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    def unasked(*_: object) -> Any:
        raise AssertionError("measuring needs no engine and no grader")

    return Runtime(
        store=Store(str(tmp_path / "store"), cache=tmp_path / "cache"),
        logs=tmp_path,
        resources=Resources(),
        engine=unasked,
        grader=unasked,
        progress=lambda *_: None,
    )


class Says:
    """An engine that finds the first choice more likely by a function of the prompt."""

    def __init__(self, log_odds: Callable[[str], float]) -> None:
        self.log_odds = log_odds

    def choose(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        return [[self.log_odds(prompt), 0.0] for prompt in prompts]


def _judged(log_odds: Callable[[str], float], *, swap: bool) -> list[Row]:
    judge = Judge(
        Says(log_odds),  # type: ignore[arg-type]
        load_judge_prompt("notes"),
        lambda asked, said: asked + said,
        lambda sampling: sampling,
        swap,
    )
    return list(judge.label(PAIRS, {f"p{n}": f"post {n}" for n in range(PROBLEMS)}))


def _put(runtime: Runtime, kind: str, file: str, schema: Any, rows: list[Row]) -> ArtifactRef:
    key = text_digest(kind)
    with runtime.store.draft(kind, key) as draft:
        write_rows(draft.path / file, schema, rows)
    ref = runtime.store.lookup(kind, key)
    assert ref is not None
    return ref


def _measured(
    runtime: Runtime,
    rows: list[Row],
    *,
    labels: str = "judge",
    people: list[Row] | None = None,
    status: Status = Status.RATED,
) -> LabelMetrics:
    names = [f"p{n}" for n in range(PROBLEMS)]
    plain = {"domain": "notes", "reference": "", "solution": "", "level": "", "subject": ""}
    problems = [
        {"id": name, "question": f"post {name}", "split": "train", **plain} for name in names
    ]
    samples = [
        {"problem_id": name, "index": i, "seed": 0, "text": f"note {i}"}
        | {"tokens": 3, "finish": "stop", "model": "", "prompt": ""}
        for name in names
        for i in range(3)
    ]
    verdicts = [
        {"problem_id": name, "index": i, "reward": reward, "status": status}
        | {"extracted": "", "first_failure": -1}
        for name in names
        for i, reward in enumerate(REWARDS)
    ]
    said = [_put(runtime, "said", PREFERENCES_FILE, PREFERENCE, people)] if people else []
    call = labels_call(
        "measure labels",
        EvaluationSettings(bootstrap=300),
        labels=labels,
        seed=1,
        problems=_put(runtime, "problems", PROBLEMS_FILE, PROBLEM, problems),
        samples=[_put(runtime, "samples", SAMPLES_FILE, SAMPLE, samples)],
        verdicts=[_put(runtime, "verdicts", VERDICTS_FILE, VERDICT, verdicts)],
        preferences=[_put(runtime, "preferences", PREFERENCES_FILE, PREFERENCE, rows)],
        people=said,
    )
    return LabelMetrics.read(runtime.store.path(perform(call, runtime)))


def test_a_judge_that_says_first_is_half_right_and_all_position(runtime: Runtime) -> None:
    found = _measured(runtime, _judged(lambda prompt: 50.0, swap=True))
    assert found.alignment is not None and found.alignment.same_place is not None
    assert found.alignment.agreement.value == 0.5
    assert found.alignment.same_place.value == 1.0
    assert found.undecided == found.pairs == len(PAIRS)


def test_without_a_swap_it_is_as_right_as_the_first_is_better(runtime: Runtime) -> None:
    found = _measured(runtime, _judged(lambda prompt: 50.0, swap=False))
    assert found.alignment is not None
    # Of (0.9, 0.1), (0.9, 0.6) and (0.1, 0.6) the first is better twice.
    assert found.alignment.agreement.value == pytest.approx(2 / 3)
    assert found.alignment.same_place is None and found.alignment.first_place == 1.0


def test_pairs_to_read_are_some_of_each_kind_with_their_texts(runtime: Runtime) -> None:
    found = _measured(runtime, _judged(lambda prompt: 50.0, swap=False))
    assert [one.mark for one in found.shown] == ["right"] * SHOWN + ["wrong"] * SHOWN
    for one in found.shown:
        assert one.question == f"post {one.problem_id}"
        assert one.mark == ("right" if one.rewards[0] > one.rewards[1] else "wrong")
        place = [f"{REWARDS.index(round(reward, 6))}" for reward in one.rewards]
        assert one.texts == [f"note {index}" for index in place]


def test_people_take_the_checkers_place_and_have_a_ceiling(runtime: Runtime) -> None:
    rewards = {(pair.problem_id, i): REWARDS[i] for pair in PAIRS for i in range(3)}
    people = list(by_reward(PAIRS, rewards, by="people", seed=4))
    oracle = list(by_reward(PAIRS, rewards, by="oracle", seed=0))
    found = _measured(runtime, oracle, labels="oracle", people=people)
    assert found.reference == "people" and found.alignment is not None
    # The oracle's labels agree with these people as often as the checker does.
    assert found.ceiling == found.alignment.agreement
    assert 0.5 < found.ceiling.value < 1.0


def test_labels_of_the_oracle_are_not_measured_against_themselves(runtime: Runtime) -> None:
    rewards = {(pair.problem_id, i): REWARDS[i] for pair in PAIRS for i in range(3)}
    rows = list(by_reward(PAIRS, rewards, by="oracle", seed=0))
    found = _measured(runtime, rows, labels="oracle")
    assert found.alignment is None and {one.mark for one in found.shown} == {"not known"}


def test_what_nobody_graded_is_no_reference(runtime: Runtime) -> None:
    rows = _judged(lambda prompt: 50.0, swap=False)
    found = _measured(runtime, rows, status=Status.UNGRADED)
    assert found.alignment is None and found.pairs == len(PAIRS)
    assert found.shown and all(one.rewards == [] for one in found.shown)
