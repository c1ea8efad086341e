"""Rewards of the user's own: what they are given, how they are combined, what a failure leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.machines.local import LocalMachine
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, perform, step
from tasks.errors import UserError
from tasks.processes.killable import Question
from tasks.rows import (
    PROBLEM,
    PROBLEMS_FILE,
    REWARDS_FILE,
    SAMPLE,
    SAMPLES_FILE,
    VERDICTS_FILE,
    read_rows,
    write_rows,
)
from tasks.score.reward_samples import MOST_TRACES
from tasks.score.rewards import Part, Rewards, rewards_of
from tasks.score.step import LOG, score_call, score_shard
from tasks.settings import FilterSettings, Resources
from tasks.store.store import ArtifactRef, Draft, Store
from tests.tasks.processes.patience import patient_but_with

PROBLEMS = [
    {"id": "a", "question": "1 + 2?", "reference": "3", "level": "1", "subject": "sums"},
    {"id": "b", "question": "2 + 2?", "reference": "4", "level": "", "subject": ""},
    {"id": "c", "question": "Why?", "reference": "", "level": "", "subject": ""},
]
TEXTS = {
    "a": ["The answer is 3.", "The answer is 5.", "The answer is 3."],
    "b": ["The answer is 4.", "", ""],
    "c": ["The answer is 1.", "", ""],
}
FINISH = {("b", 1): "error", ("b", 2): "length"}


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    store = Store(str(tmp_path / "store"), cache=tmp_path / "cache")
    with LocalMachine(store, tmp_path / "logs", Resources(score_workers=2), lambda *_: None) as one:
        one.runtime.said = []  # type: ignore[attr-defined]
        one.runtime.say = one.runtime.said.append  # type: ignore[attr-defined]
        yield one.runtime


@step("problems of a test", "problems")
def posed(call: Call, draft: Draft, runtime: Runtime) -> None:
    rest = {"domain": "math", "solution": "", "split": "train"}
    draft.rows = write_rows(draft.path / PROBLEMS_FILE, PROBLEM, ({**rest, **p} for p in PROBLEMS))


@step("samples of a test", "samples")
def sampled(call: Call, draft: Draft, runtime: Runtime) -> None:
    first, last = call.settings["indices"]
    rows = (
        {"problem_id": name, "index": index, "seed": 0, "text": texts[index], "tokens": 10 + index}
        | {"finish": FINISH.get((name, index), "stop"), "model": "m", "prompt": "p"}
        for name, texts in TEXTS.items()
        for index in range(first, last)
    )
    draft.rows = write_rows(draft.path / SAMPLES_FILE, SAMPLE, rows)


def score(
    runtime: Runtime, settings: FilterSettings, ranges: tuple[tuple[int, int], ...] = ((0, 3),)
) -> tuple[list[dict[str, Any]], ArtifactRef]:
    """The verdicts on the samples of the first range, and their artifact."""
    problems = perform(Call(posed, "problems", {}), runtime)
    shards = [perform(Call(sampled, "samples", {"indices": list(r)}), runtime) for r in ranges]
    hints = {"split": "train", "start": 0, "stop": 3}
    rewards = rewards_of(settings)
    call = score_call(
        "score", shards[0], "block", problems, hints, rewards=rewards, others=shards[1:]
    )
    ref = perform(call, runtime)
    return list(read_rows(runtime.store.path(ref) / VERDICTS_FILE)), ref


def own(folder: Path, source: str, **more: Any) -> FilterSettings:
    """Settings whose score is `reward` of a file with this text."""
    (folder / "reward.py").write_text(source)
    return FilterSettings(score=f"{folder}/reward.py:reward", **more)


def test_a_reward_is_given_what_it_asks_for(runtime: Runtime, tmp_path: Path) -> None:
    note = tmp_path / "asked"
    settings = own(
        tmp_path,
        "import json\n"
        "def reward(*, question, reference, completion, grade, samples, problem, tokens, finish):\n"
        "    asked = [question, reference, completion, grade.reward, str(grade.status),\n"
        "             grade.extracted, samples, problem.id, problem.level, problem.subject,\n"
        "             tokens, finish]\n"
        f"    open({str(note)!r}, 'a').write(json.dumps(asked) + '\\n')\n"
        "    return 0.5\n",
    )
    verdicts, _ = score(runtime, settings)
    asked = set(note.read_text().splitlines())
    assert (
        '["1 + 2?", "3", "The answer is 5.", 0.0, "wrong_answer", "5", '
        '["The answer is 3.", "The answer is 3."], "a", "1", "sums", 11, "stop"]'
    ) in asked
    # What the engine gave no sample for is neither asked about nor among the others.
    assert (
        '["2 + 2?", "4", "", 0.0, "no_answer", "", ["The answer is 4."], "b", "", "", 12, "length"]'
        in asked
    )
    assert len(verdicts) == 9 and len(asked) == 8
    errors = [row for row in verdicts if row["status"] == "engine_error"]
    assert [(row["problem_id"], row["index"], row["reward"]) for row in errors] == [("b", 1, 0.0)]
    assert all(row["reward"] == 0.5 for row in verdicts if row not in errors)


def test_the_frozen_grade_cannot_be_changed(runtime: Runtime, tmp_path: Path) -> None:
    source = "def reward(grade):\n    grade.reward = 1.0\n    return 1.0\n"
    verdicts, _ = score(runtime, own(tmp_path, source))
    asked = [row for row in verdicts if row["status"] != "engine_error"]
    assert {(row["status"], row["reward"]) for row in asked} == {("checker_error", 0.0)}


def test_the_samples_of_other_shards_are_among_the_others(runtime: Runtime, tmp_path: Path) -> None:
    settings = own(tmp_path, "def reward(samples): return len(samples) / 10\n")
    alone, _ = score(runtime, settings, ((0, 1),))
    both, _ = score(runtime, settings, ((0, 1), (1, 3)))
    assert [row["reward"] for row in alone] == [0.0] * 3
    assert [round(row["reward"], 3) for row in both] == [0.2, 0.1, 0.2]


def test_status_and_answer_stay_the_checkers(runtime: Runtime, tmp_path: Path) -> None:
    plain, _ = score(runtime, FilterSettings())
    verdicts, _ = score(runtime, own(tmp_path, "def reward(grade): return 1 - grade.reward\n"))
    for before, now in zip(plain, verdicts, strict=True):
        assert {**before, "reward": now["reward"]} == now
        if now["status"] != "engine_error":
            assert now["reward"] == 1 - before["reward"]
    assert {row["status"] for row in plain} >= {"correct", "wrong_answer", "engine_error"}


def test_a_failed_call_is_a_checker_error_that_is_counted_said_and_logged(
    runtime: Runtime, tmp_path: Path
) -> None:
    source = "def reward(completion):\n    return 1.0 if '5' in completion else 1 / 0\n"
    verdicts, ref = score(runtime, own(tmp_path, source))
    failed = [row for row in verdicts if row["status"] == "checker_error"]
    assert len(failed) == 7 and {row["reward"] for row in failed} == {0.0}
    assert [row["reward"] for row in verdicts if row["status"] == "wrong_answer"] == [1.0]
    stats = runtime.store.manifest(ref).stats
    assert stats.failed == 7
    assert stats.note == (
        "failed on 7 of 9 samples: reward.py:reward: ZeroDivisionError: division by zero"
    )
    (said,) = runtime.said  # type: ignore[attr-defined]
    assert said.startswith("reward.py:reward: a, sample 0: ZeroDivisionError") and "\n" not in said
    log = (runtime.logs / LOG).read_text()
    assert log.count("Traceback") == MOST_TRACES < 7
    assert "return 1.0 if '5' in completion else 1 / 0" in log


@pytest.mark.slow
def test_a_reward_that_hangs_on_one_sample_costs_that_one(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(question: Question) -> bool:
        given = question.get("given") if isinstance(question, dict) else None
        return isinstance(given, dict) and "5" in str(given["completion"])

    patient_but_with(monkeypatch, endless, 300.0)
    source = "def reward(completion):\n    while '5' in completion: pass\n    return 1.0\n"
    verdicts, _ = score(runtime, own(tmp_path, source, function_seconds=1.0))
    errors = [row["index"] for row in verdicts if row["status"] == "checker_error"]
    assert errors == [1]
    assert sum(row["reward"] for row in verdicts) == 7


def test_a_reward_that_cannot_be_loaded_scores_nothing(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it cannot be loaded: ModuleNotFoundError"):
        score(runtime, own(tmp_path, "import nowhere\ndef reward(completion): ...\n"))


def test_each_of_several_rewards_is_kept_beside_the_verdicts(
    runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "reward.py").write_text(
        "def half(tokens): return 0.5\ndef fails(completion): return 1 / (len(completion) - 16)\n"
    )
    parts = [
        {"reward": "correct", "weight": 3.0, "at_least": 1.0},
        {"reward": f"{tmp_path}/reward.py:half"},
    ]
    verdicts, ref = score(runtime, FilterSettings(rewards=parts))  # type: ignore[arg-type]
    kept = list(read_rows(runtime.store.path(ref) / REWARDS_FILE))
    assert [(row["problem_id"], row["index"]) for row in kept] == [
        (row["problem_id"], row["index"]) for row in verdicts
    ]
    assert [row["values"] for row in kept[:4]] == [[1.0, 0.5], [0.0, 0.5], [1.0, 0.5], [1.0, 0.5]]
    assert kept[4]["values"] == [None, None]  # the engine gave no sample
    assert [row["reward"] for row in verdicts[:4]] == [0.875, 0.0, 0.875, 0.875]
    files = {file.name for file in runtime.store.manifest(ref).files if not file.volatile}
    assert files == {VERDICTS_FILE, REWARDS_FILE}
    parts.append({"reward": f"{tmp_path}/reward.py:fails"})
    verdicts, ref = score(runtime, FilterSettings(rewards=parts))  # type: ignore[arg-type]
    kept = list(read_rows(runtime.store.path(ref) / REWARDS_FILE))
    assert kept[0]["values"] == [1.0, 0.5, None]
    assert (verdicts[0]["status"], verdicts[0]["reward"]) == ("checker_error", 0.0)


def test_one_reward_leaves_no_other_file(runtime: Runtime, tmp_path: Path) -> None:
    _, ref = score(runtime, own(tmp_path, "def reward(): return 1.0\n"))
    assert {one.name for one in runtime.store.manifest(ref).files if not one.volatile} == {
        VERDICTS_FILE
    }


_UNIT = st.floats(0.0, 1.0)


@given(st.lists(st.tuples(_UNIT, st.floats(0.001, 1e6), _UNIT), min_size=1, max_size=6))
def test_the_whole_is_the_weighted_mean_or_nothing(parts: list[tuple[float, float, float]]) -> None:
    rewards = Rewards(tuple(Part("r", None, w, gate) for _, w, gate in parts), True, 1.0)
    values = [value for value, _, _ in parts]
    found = rewards.combined(values)
    if any(value < gate for value, _, gate in parts):
        assert found == 0.0
    else:
        mean = sum(w * v for v, w, _ in parts) / sum(w for _, w, _ in parts)
        assert found == pytest.approx(mean) and 0.0 <= found <= 1.0


def test_keys(tmp_path: Path) -> None:
    ref = ArtifactRef("samples", "k", "d", 1)

    def key(settings: FilterSettings, others: tuple[ArtifactRef, ...] = ()) -> str:
        rewards = rewards_of(settings)
        return score_call("s", ref, "block", ref, {}, rewards=rewards, others=others).key

    source = "def reward(completion): return 1.0\n"
    plain = Call(score_shard, "", {"references": "block"}, {"samples": ref}).key
    assert key(FilterSettings()) == plain
    one = key(own(tmp_path, source))
    (tmp_path / "moved").mkdir()
    assert key(own(tmp_path / "moved", source)) == one != plain
    part = {"reward": f"{tmp_path}/reward.py:reward"}
    differ = {
        one,
        key(own(tmp_path, source.replace("1.0", "0.5"))),
        key(own(tmp_path, source, function_seconds=1.0)),
        key(own(tmp_path, source), (ref,)),
        *(
            key(FilterSettings(rewards=[{**part, **more}]))  # type: ignore[list-item]
            for more in ({}, {"weight": 2.0}, {"at_least": 0.5})
        ),
    }
    assert len(differ) == 7
