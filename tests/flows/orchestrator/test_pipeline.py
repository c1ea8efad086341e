"""The pipeline: order within a chain, widths, back-pressure, and the end after a failure."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from flows.orchestrator import pipeline as module
from flows.orchestrator.pipeline import Chain, Pipeline, StepRequest, found_first, in_turn
from flows.orchestrator.shards import Draw
from tasks.dag.step import Call
from tasks.dag.step_names import GENERATE, SCORE
from tasks.problems.step import prepare_problems
from tasks.store.store import ArtifactRef


def ask(stage: str, name: str) -> StepRequest:
    return StepRequest(stage, Call(prepare_problems, name, {}), 0, stage)


def chain(name: str, seen: list[str]) -> Chain:
    sample = yield ask(GENERATE, name)
    seen.append(sample.key)
    verdict = yield ask(SCORE, f"{name} scored")
    seen.append(verdict.key)


# A hang guard: what is waited for comes at once, on a busy machine later.
PATIENCE = 300.0


class Work:
    """Performs as long as it is told, and counts what is under way.

    Attributes:
        ended: Of each that waited for the end of all, whether that came.
    """

    def __init__(self, until: dict[str, Callable[[Work], bool]] | None = None) -> None:
        """Work is done at once, but for stages that go on until something is so."""
        self._until, self._changed = until or {}, threading.Condition()
        self.begun: set[str] = set()
        self.ended: list[bool] = []
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.both = False
        self.sampled = self.scored = 0
        self.unscored = 0
        self.stopped = threading.Event()

    def __call__(self, one: StepRequest) -> ArtifactRef:
        with self._changed:
            self.begun.add(one.call.label)
            self.now[one.stage] += 1
            self.most[one.stage] = max(self.most[one.stage], self.now[one.stage])
            self.both |= all(self.now[stage] for stage in (GENERATE, SCORE))
            self._changed.notify_all()
            if one.call.label == "bad":
                raise RuntimeError("bad")
            if one.stage in self._until:
                enough = self._until[one.stage]
                self.ended.append(self._changed.wait_for(lambda: enough(self), PATIENCE))
            self.now[one.stage] -= 1
            self.sampled += one.stage == GENERATE
            self.scored += one.stage == SCORE
            self.unscored = max(self.unscored, self.sampled - self.scored)
            self._changed.notify_all()
        return ArtifactRef(one.stage, one.call.label, "digest", 1)

    def stop(self) -> None:
        """As the machine's pools are stopped after a failure."""
        with self._changed:
            self.stopped.set()
            self._changed.notify_all()


def run(work: Work, names: list[str], ahead: int = 4, width: int = 2) -> list[str]:
    seen: list[str] = []
    pipeline = Pipeline(work, {GENERATE: width, SCORE: 1}, work.stop, ahead)
    pipeline.run([chain(name, seen) for name in names])
    return seen


NAMES = [f"shard {i}" for i in range(12)]


def test_both_lanes_are_at_work_at_once_and_none_is_wider_than_told() -> None:
    work = Work({GENERATE: lambda now: now.most[GENERATE] == 2, SCORE: lambda now: now.both})
    seen = run(work, NAMES)
    assert sorted(seen) == sorted([*NAMES, *(f"{name} scored" for name in NAMES)])
    for name in NAMES:
        assert seen.index(name) < seen.index(f"{name} scored")
    assert all(work.ended)
    assert work.most == {GENERATE: 2, SCORE: 1}


def test_sampling_waits_for_scoring_that_does_not_keep_up() -> None:
    # Nothing is scored until as many wait as may, and one more would be seen at the end.
    work = Work({SCORE: lambda now: now.sampled >= 4})
    run(work, NAMES, ahead=3)
    assert all(work.ended)
    # Those ahead, and those that were being sampled when the last of them was.
    assert work.unscored <= 3 + 2


def test_a_failure_ends_what_runs_and_nothing_new_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 2 * PATIENCE)
    work = Work({GENERATE: lambda now: now.stopped.is_set()})
    with pytest.raises(RuntimeError, match="bad"):
        run(work, ["shard", "bad", *NAMES])
    assert work.ended == [True]  # the other was told to end, and waited for
    assert work.begun == {"shard", "bad"} and work.scored == 0


def test_in_turn_gives_the_same() -> None:
    seen: list[str] = []
    in_turn([chain(name, seen) for name in NAMES], Work())
    assert seen == [label for name in NAMES for label in (name, f"{name} scored")]


def test_what_is_there_is_taken_without_a_lane() -> None:
    work, seen, taken = Work(), [], []

    def there(one: StepRequest) -> ArtifactRef | None:
        if one.call.label in ("shard 0", "shard 0 scored", "shard 1", "shard 2 scored"):
            taken.append(one.call.label)
            return ArtifactRef(one.stage, one.call.label, "digest", 1)
        return None

    chains = [found_first(chain(name, seen), there) for name in NAMES[:3]]
    Pipeline(work, {GENERATE: 1, SCORE: 1}, work.stop, 4).run(chains)
    assert sorted(seen) == sorted(label for n in NAMES[:3] for label in (n, f"{n} scored"))
    assert work.sampled == 1 and work.scored == 1  # shard 2 sampled, shard 1 scored
    assert taken[:2] == ["shard 0", "shard 0 scored"] and len(taken) == 4


@pytest.mark.parametrize(
    ("enough", "hard", "drawn", "correct", "goes_on"),
    [
        (0, 0, 8, 8, True),
        (0, 0, 32, 0, False),
        (4, 0, 8, 3, True),
        (4, 0, 8, 4, False),
        (4, 64, 32, 1, False),
        (0, 64, 32, 0, True),
        (0, 64, 64, 0, False),
    ],
)
def test_which_problems_go_on(
    enough: int, hard: int, drawn: int, correct: int, goes_on: bool
) -> None:
    draw = Draw({}, 1, 0, 32, enough, hard)
    assert draw.goes_on(drawn, correct) is goes_on
