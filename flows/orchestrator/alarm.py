"""An alarm when test accuracy falls while training accuracy rises (the paper's figure 4).

It is a warning in the run, and an event that an automation of the station passes on. A fall counts
when the accuracy before lies above the interval of the one now: smaller ones come by chance in
every other iteration, and an alarm that rings then is soon switched off.
"""

from __future__ import annotations

from prefect.events import emit_event

from tasks.evaluate.results import Metrics
from tasks.rows import Json

EVENT = "restem.accuracy.fell"


def overfitted(before: Metrics, now: Metrics) -> Json | None:
    """The four accuracies if the test's fell and the training's rose, else None.

    Args:
        before: Of the policy before; `train` may be missing.
        now: Of this one.
    """
    if not all({"train", "greedy"} <= each.metrics.keys() for each in (before, now)):
        return None
    facts = {
        f"{name}_{when}": found.metrics[key].value
        for when, found in (("before", before), ("now", now))
        for name, key in (("test", "greedy"), ("train", "train"))
    }
    fell = now.greedy.high < facts["test_before"]
    return facts if fell and facts["train_now"] > facts["train_before"] else None


def words(number: int, facts: Json) -> str:
    """The warning."""
    return (
        f"iteration {number}: test accuracy fell from {facts['test_before']:.3f} to "
        f"{facts['test_now']:.3f} while training accuracy rose from {facts['train_before']:.3f} "
        f"to {facts['train_now']:.3f}"
    )


def emit(run_id: str, number: int, facts: Json) -> None:
    """Send the event."""
    emit_event(
        event=EVENT,
        resource={"prefect.resource.id": f"restem.run.{run_id}", "prefect.resource.name": run_id},
        payload={"iteration": number, "message": words(number, facts), **facts},
    )
