"""A person between two iterations (`review = true`): go on, stop, or sample otherwise.

A run that belongs to a deployment is suspended: its process ends, which frees all memory, and
Prefect's UI shows the form below on Resume. A run of the command line ends and says how to go on
with `restem review`. Either way the decision is kept with the run, in `reviews.json`, so whatever
resumes the run finds it and does not ask again.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Literal

from prefect import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from flows.orchestrator.decision import CHANGEABLE, Decision
from flows.orchestrator.deployed import deployed
from tasks.durable import write_durably
from tasks.facts import of_json, read_json
from tasks.settings import SamplingSettings

REVIEWS_FILE = "reviews.json"
# A person may be away for a weekend and a week; then Prefect ends the run, and Retry asks again.
WAIT_SECONDS = 14 * 24 * 3600


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
        form = Review.with_initial_data(description=text, **now)
        # A later attempt of the same flow run finds what was answered under the key.
        given = suspend_flow_run(wait_for_input=form, key=f"review-{number}", timeout=WAIT_SECONDS)
        return self.decide(number, Review.model_validate(given.model_dump()))

    def decide(self, number: int, review: Review) -> Decision:
        """Keep a decision."""
        names = [one.name for one in fields(Decision)]
        made = Decision(**review.model_dump(include=set(names)))
        known = {**self._read(), str(number): made}
        said = {at: one.to_json() for at, one in known.items()}
        write_durably(self._path, json.dumps(said, indent=1))
        return made

    def _read(self) -> dict[str, Decision]:
        try:
            return of_json(dict[str, Decision], read_json(self._path), str(self._path))
        except FileNotFoundError:
            return {}
