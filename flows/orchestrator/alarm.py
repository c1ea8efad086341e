"""Alarms: what a run warns of, and sends as an event that an automation of the station passes on.

- Test accuracy falls while training accuracy rises (the paper's figure 4). A fall counts when the
  accuracy before lies above the interval of the one now: smaller ones come by chance in every other
  iteration, and an alarm that rings then is soon switched off.
- The reward that a policy is trained for rises while the one that is meant falls
  (over-optimisation, tasks/evaluate/proxy.py), by the whole interval of the fall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tasks.evaluate.proxy import ProxyMetrics
from tasks.evaluate.results import Metrics
from tasks.facts import Facts

EVENT = "restem.accuracy.fell"
PARTED = "restem.reward.parted"


class Alarm(Protocol):
    """Something that went wrong with a policy."""

    @property
    def event(self) -> str:
        """Name of the event."""
        ...

    def words(self, number: int) -> str:
        """The warning about an iteration."""
        ...

    def to_json(self) -> dict[str, object]:
        """The figures."""
        ...


@dataclass(frozen=True)
class AccuracyFall(Facts):
    """Accuracy in [0, 1] of the policy before and of the one now."""

    test_before: float
    train_before: float
    test_now: float
    train_now: float

    @property
    def event(self) -> str:
        """Name of the event."""
        return EVENT

    def words(self, number: int) -> str:
        """The warning about an iteration."""
        return (
            f"iteration {number}: test accuracy fell from {self.test_before:.3f} to "
            f"{self.test_now:.3f} while training accuracy rose from {self.train_before:.3f} "
            f"to {self.train_now:.3f}"
        )


@dataclass(frozen=True)
class ProxyParted(Facts):
    """Gains of a policy since policy `since`: of its own reward and, with its bounds, of ours."""

    since: int
    proxy: float
    oracle: float
    oracle_low: float
    oracle_high: float

    @property
    def event(self) -> str:
        """Name of the event."""
        return PARTED

    def words(self, number: int) -> str:
        """The warning about an iteration."""
        since = f"iteration {self.since}" if self.since else "the base policy"
        return (
            f"iteration {number}: over-optimised: since {since} the reward that it is trained for "
            f"rose by {self.proxy:.3f} while the checker's fell by {-self.oracle:.3f} "
            f"[{-self.oracle_high:.3f}, {-self.oracle_low:.3f}]"
        )


def parted(found: ProxyMetrics) -> ProxyParted | None:
    """How the proxy parts from what is meant, if it does."""
    change = found.parted
    if change is None or change.oracle is None:
        return None
    oracle = change.oracle
    return ProxyParted(change.since, change.proxy.value, oracle.value, oracle.low, oracle.high)


def overfitted(before: Metrics, now: Metrics) -> AccuracyFall | None:
    """The fall, if the test accuracy's is one and the training accuracy rose.

    Args:
        before: Of the policy before; `train` may be missing.
        now: Of this one.
    """
    if not all({"train", "greedy"} <= each.metrics.keys() for each in (before, now)):
        return None
    values = [each.metrics[key].value for each in (before, now) for key in ("greedy", "train")]
    fall = AccuracyFall(*values)
    fell = now.greedy.high < fall.test_before
    return fall if fell and fall.train_now > fall.train_before else None


def emit(run_id: str, number: int, alarm: Alarm) -> None:
    """Send the event."""
    from prefect.events import emit_event

    emit_event(
        event=alarm.event,
        resource={"prefect.resource.id": f"restem.run.{run_id}", "prefect.resource.name": run_id},
        payload={"iteration": number, "message": alarm.words(number), **alarm.to_json()},
    )
