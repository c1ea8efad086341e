"""A person between two iterations (`review = true`): go on, stop, or sample otherwise.

A run that belongs to a deployment is suspended: its process ends, which frees all memory, and
Prefect's UI shows the form below on Resume. A run of the command line ends and says how to go on
with `restem review`. Either way the decision is kept with the run, in `reviews.json`, so whatever
resumes the run finds it and does not ask again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from prefect import suspend_flow_run
from prefect.context import FlowRunContext
from prefect.input import RunInput
from pydantic import Field

from tasks.facts import Facts, of_json
from tasks.settings import SamplingSettings

REVIEWS_FILE = "reviews.json"
# A person may be away for a weekend and a week; then Prefect ends the run, and Retry asks again.
WAIT_SECONDS = 14 * 24 * 3600
CHANGEABLE = ("samples", "temperature", "top_k", "top_p")


def deployed() -> bool:
    """Whether the current flow run was started through a deployment, as those of the API are."""
    context = FlowRunContext.get()
    run = context.flow_run if context is not None else None
    return run is not None and run.deployment_id is not None


class AwaitsReview(Exception):
    """The run ended to wait for a person; the message says how to go on."""


class Review(RunInput):
    """The form of a review."""

    decision: Literal["continue", "stop"] = Field(
        default="continue", description="Go on with the next iteration, or end the loop here."
    )
    samples: int = Field(
        default=32, ge=1, le=4096, description="Samples for each problem from here on."
    )
    temperature: float = Field(default=0.7, gt=0.0, le=5.0, description="Temperature.")
    top_k: int = Field(default=40, ge=0, le=100_000, description="Top-K; 0: off.")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="Nucleus mass; 1: off.")
    note: str = Field(
        default="", max_length=1000, description="Why; it is kept with the run and in its report."
    )


@dataclass(frozen=True)
class Decision(Facts):
    """What a person decided after an iteration."""

    decision: Literal["continue", "stop"]
    samples: int
    temperature: float
    top_k: int
    top_p: float
    note: str = ""

    @property
    def changes(self) -> dict[str, float]:
        """Fields of the sampling settings from here on."""
        return {name: getattr(self, name) for name in CHANGEABLE}

    def words(self, number: int, before: SamplingSettings) -> str:
        """What it changes, for the report; nothing if it only lets the run go on."""
        changed = [
            f"{name} {getattr(before, name)} -> {value}"
            for name, value in self.changes.items()
            if value != getattr(before, name)
        ]
        if self.decision == "stop":
            changed = ["the loop ends here"]
        if not changed and not self.note:
            return ""
        why = f" ({self.note})" if self.note else ""
        return f"review after iteration {number}: {', '.join(changed) or 'continue'}{why}"


class Reviews:
    """The reviews of one run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / REVIEWS_FILE
        self._run_id = folder.name

    def decided(self, number: int) -> Decision | None:
        """The decision after an iteration, if there is one."""
        return self._read().get(str(number))

    def ask(self, number: int, sampling: SamplingSettings, facts: str) -> Decision:
        """The decision after an iteration; without one the run ends here until there is.

        Args:
            sampling: As it is now; what the form starts from.
            facts: The metrics, in markdown.

        Raises:
            AwaitsReview: it is to be given on the command line.
        """
        if (known := self.decided(number)) is not None:
            return known
        if not deployed():
            raise AwaitsReview(
                f"iteration {number} awaits its review: `restem review {self._run_id}` takes it"
            )
        now = {name: getattr(sampling, name) for name in CHANGEABLE}
        text = f"Iteration {number} of {self._run_id} is done.\n\n{facts}"
        form: Any = Review.with_initial_data(description=text, **now)
        # A later attempt of the same flow run finds what was answered under the key.
        given: Any = suspend_flow_run(
            wait_for_input=form, key=f"review-{number}", timeout=WAIT_SECONDS
        )
        return self.decide(number, Review.model_validate(given.model_dump()))

    def decide(self, number: int, review: Review) -> Decision:
        """Keep a decision."""
        names = [one.name for one in fields(Decision)]
        made = Decision(**review.model_dump(include=set(names)))
        known = {**self._read(), str(number): made}
        draft = self._path.with_suffix(".draft")
        draft.write_text(
            json.dumps({at: one.to_json() for at, one in known.items()}, indent=1), encoding="utf-8"
        )
        draft.replace(self._path)
        return made

    def _read(self) -> dict[str, Decision]:
        try:
            return of_json(
                dict[str, Decision],
                json.loads(self._path.read_text(encoding="utf-8")),
                str(self._path),
            )
        except FileNotFoundError:
            return {}
