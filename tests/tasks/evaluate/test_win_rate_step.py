"""The step `win rates` on samples, verdicts and preferences that are made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.dag.runtime import Runtime
from tasks.dag.step import perform
from tasks.evaluate.win_rate import WinRates
from tasks.evaluate.win_rate_step import preferences_of, win_rates_call
from tasks.rows import PREFERENCE, SAMPLE, VERDICT, Row
from tasks.settings import MeasureSettings, Resources
from tasks.store.manifest import ArtifactRef
from tasks.store.store import Store
from tests.flows.audit.audit_parts import commit

SETTINGS = MeasureSettings(bootstrap=200)
# Of each problem: both answers, both rewards, and p in both orders where a judge was asked.
PROBLEMS: list[tuple[str, str, float, float, list[float | None]]] = [
    ("good", "bad", 1.0, 0.0, [0.9, 0.8]),
    ("better", "good", 1.0, 1.0, [0.9, 0.2]),  # the taste for a place is taken out
    ("bad", "good", 0.0, 1.0, [0.4, 0.6]),  # undecided
    ("same", " same ", 0.0, 0.0, []),
    ("", "any", 0.0, 1.0, []),
    ("lost", "error", 0.0, 0.0, [None, 0.3]),
]


def _samples(store: Store, side: int) -> tuple[list[ArtifactRef], list[ArtifactRef]]:
    samples: list[Row] = []
    verdicts: list[Row] = []
    for n, problem in enumerate(PROBLEMS):
        key = {"problem_id": f"p{n}", "index": 0}
        plain = {"seed": 0, "tokens": 1, "finish": "stop", "model": "", "prompt": ""}
        samples.append({**key, **plain, "text": problem[side]})
        known = {"status": "correct", "extracted": "", "first_failure": -1}
        verdicts.append({**key, **known, "reward": problem[side + 2]})
    return (
        [commit(store, "samples", f"s{side}", SAMPLE, samples)],
        [commit(store, "verdicts", f"v{side}", VERDICT, verdicts)],
    )


@pytest.fixture
def rates(tmp_path: Path) -> dict[bool, WinRates]:
    """With a judge, and without one."""
    store = Store(str(tmp_path / "store"), cache=tmp_path / "cache")

    def nothing(*_: object):
        raise AssertionError("no service is needed")

    runtime = Runtime(
        store=store,
        logs=tmp_path,
        resources=Resources(),
        engine=nothing,
        grader=nothing,
        progress=lambda *_: None,
    )
    said = [
        preference_row(Pair(f"p{n}", 0, 0, ("", "")), p, ["", ""])
        for n, (*_, p) in enumerate(PROBLEMS)
        if p
    ]
    asked = commit(store, "preferences", "c", PREFERENCE, said)
    first, other = _samples(store, 0), _samples(store, 1)
    found: dict[bool, WinRates] = {}
    for judged in (False, True):
        call = win_rates_call("win rates", SETTINGS, first, other, [asked] if judged else [])
        assert preferences_of(call.inputs) == ([asked] if judged else [])
        found[judged] = WinRates.read(store.path(perform(call, runtime)))
    return found


def test_the_checker_prefers_by_reward(rates: dict[bool, WinRates]) -> None:
    found = rates[False].by
    assert set(found) == {"oracle"}
    one = found["oracle"]
    assert one.raw.value == pytest.approx((1 + 0.5 + 0 + 0.5 + 0 + 0.5) / 6)
    assert (one.raw.problems, one.ties, one.unjudged) == (6, 3, 0)


def test_a_judge_prefers_by_the_mean_of_both_orders(rates: dict[bool, WinRates]) -> None:
    found = rates[True].by
    assert found["oracle"] == rates[False].by["oracle"]
    one = found["judge"]
    # The problem on which it gave no answer is left out, and counted.
    assert one.raw.value == pytest.approx((1 + 1 + 0.5 + 0.5 + 0) / 5)
    assert (one.raw.problems, one.ties, one.unjudged) == (5, 2, 1)


def test_lengths_are_those_of_the_compared_answers(rates: dict[bool, WinRates]) -> None:
    texts = [(len(one[0].strip()), len(one[1].strip())) for one in PROBLEMS]
    first, other = (sum(side) for side in zip(*texts, strict=True))
    assert rates[False].by["oracle"].length_ratio == pytest.approx(first / other)
