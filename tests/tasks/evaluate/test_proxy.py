"""When the reward that a policy is trained for parts from the one that is meant."""

from __future__ import annotations

import random

import pytest

from flows.orchestrator.alarm import parted
from tasks.evaluate.proxy import ProxyMetrics, Rewards, compare_rewards

NAMES = [f"p{n}" for n in range(200)]


def _rewards(policy: int, proxy: float, oracle: float | None, seed: int = 0) -> Rewards:
    """Rewards that lie around two means, the same noise for all policies."""
    draw = random.Random(seed)
    noise = {name: draw.uniform(-0.1, 0.1) for name in NAMES}
    return Rewards(
        policy,
        {name: proxy + noise[name] for name in NAMES},
        {} if oracle is None else {name: oracle + noise[name] for name in NAMES},
    )


def _metrics(*policies: Rewards) -> ProxyMetrics:
    return compare_rewards("digest", policies, 300, 0.95, 0)


@pytest.mark.parametrize(
    ("proxy", "oracle", "parts"),
    [(0.1, -0.1, True), (0.1, 0.1, False), (-0.1, -0.1, False), (0.1, 0.0, False)],
)
def test_the_alarm_rings_where_one_rises_and_the_other_falls(
    proxy: float, oracle: float, parts: bool
) -> None:
    found = _metrics(_rewards(0, 0.5, 0.5), _rewards(1, 0.5 + proxy, 0.5 + oracle))
    assert (found.parted is not None) is parts
    assert found.changes[0].proxy.value == pytest.approx(proxy)


def test_a_fall_within_its_interval_does_not_ring() -> None:
    found = _metrics(_rewards(0, 0.5, 0.5), _rewards(1, 0.6, 0.499, seed=1))
    (change,) = found.changes
    assert change.oracle is not None and change.oracle.low < change.oracle.value < 0
    assert found.parted is None


def test_small_falls_add_up_since_the_base() -> None:
    before, base = _rewards(1, 0.6, 0.499, seed=1), _rewards(0, 0.5, 0.6)
    found = _metrics(base, before, _rewards(2, 0.7, 0.499, seed=2))
    assert found.parted is not None and found.parted.since == 0
    alarm = parted(found)
    assert alarm is not None
    assert alarm.words(2).startswith(
        "iteration 2: over-optimised: since the base policy the reward"
    )
    assert "rose by 0.195" in alarm.words(2) and "fell by 0.106" in alarm.words(2)


def test_without_an_oracle_nothing_parts() -> None:
    found = _metrics(_rewards(0, 0.5, None), _rewards(1, 0.9, None))
    assert found.now.oracle is None and found.parted is None and parted(found) is None


def test_what_is_written_is_what_is_read(tmp_path) -> None:
    found = _metrics(_rewards(0, 0.5, None), _rewards(1, 0.9, 0.5))
    found.write(tmp_path)
    assert ProxyMetrics.read(tmp_path) == found
