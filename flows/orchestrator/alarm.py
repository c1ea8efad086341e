"""An alarm when test accuracy falls while training accuracy rises (the paper's figure 4).

It is a warning in the run, and an event that an automation of the station passes on. A fall counts
when the accuracy before lies above the interval of the one now: smaller ones come by chance in
every other iteration, and an alarm that rings then is soon switched off.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefect.events import emit_event

from tasks.evaluate.results import Metrics
from tasks.facts import Facts

EVENT = "restem.accuracy.fell"


@dataclass(frozen=True)
class AccuracyFall(Facts):
    """Accuracy in [0, 1] of the policy before and of the one now."""

    test_before: float
    train_before: float
    test_now: float
    train_now: float

    def words(self, number: int) -> str:
        """The warning about an iteration."""
        return (
            f"iteration {number}: test accuracy fell from {self.test_before:.3f} to "
            f"{self.test_now:.3f} while training accuracy rose from {self.train_before:.3f} "
            f"to {self.train_now:.3f}"
        )


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


def emit(run_id: str, number: int, fall: AccuracyFall) -> None:
    """Send the event."""
    emit_event(
        event=EVENT,
        resource={"prefect.resource.id": f"restem.run.{run_id}", "prefect.resource.name": run_id},
        payload={"iteration": number, "message": fall.words(number), **fall.to_json()},
    )
