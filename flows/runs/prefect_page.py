"""What a run puts on its page in Prefect's UI, beside states and logs.

A table of metrics that grows with every policy, the report in markdown with its pictures, and where
a station serves pages (`restem up`) links to them: from the start to the run's own, which follows
it and leads to its samples, at the end to the whole report. All of it is a view: a server that
is being restarted delays it for a while, and one that stays away loses it, never the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.report.tables import metric_cell, metric_order
from flows.server.address import pages_address
from sandbox.awake import awake
from tasks.evaluate.results import Metrics

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 2.0


class RunPage:
    """The artifacts of one run; keys hold a history, so attempts and re-runs line up."""

    def __init__(self, run_id: str, warn: Callable[[str], None]) -> None:
        """Nothing is shown yet.

        Args:
            warn: Told what could not be shown.
        """
        self._run_id, self._warn = run_id, warn
        self._rows: list[tuple[str, Metrics]] = []

    def begin(self) -> None:
        """Link to the page that follows the run, where there is one."""
        self._link(
            "run",
            "",
            "Progress, training curves, samples",
            "The run as it goes, and all its samples with their verdicts.",
        )

    def measured(self, policy: str, metrics: Metrics) -> None:
        """Add a policy's metrics to the table; `policy` is what to call it, such as `p1`."""
        self._rows.append((policy, metrics))
        names = metric_order({name for _, found in self._rows for name in found.metrics})
        table = [
            {"policy": policy, **{name: metric_cell(found.metrics.get(name)) for name in names}}
            for policy, found in self._rows
        ]
        self._show(
            create_table_artifact,
            key=f"metrics-{self._run_id}",
            table=table,
            description="Accuracy in %, with intervals, by policy.",
        )

    def report(self, markdown: str) -> None:
        """Show the report, and where its whole page is."""
        self._show(
            create_markdown_artifact,
            key=f"report-{self._run_id}",
            markdown=markdown,
            description=f"Report of {self._run_id}",
        )
        self._link(
            "page",
            "/report.html",
            "The whole report",
            "The report page with all tables and pictures.",
        )

    def model(self, lines: Sequence[str]) -> None:
        """Say where the model of a run of the loop is and what can be done; link to its samples."""
        self._show(
            create_markdown_artifact,
            key=f"model-{self._run_id}",
            markdown="\n".join(["```", *lines, "```"]),
            description=f"Where the model of {self._run_id} is, and what can be done with it.",
        )
        self._link("samples", "/samples", "Samples", "All samples of the run with their verdicts.")

    def _link(self, kind: str, path: str, text: str, description: str) -> None:
        if pages := pages_address():
            self._show(
                create_link_artifact,
                key=f"{kind}-{self._run_id}",
                link=f"{pages}/runs/{self._run_id}{path}",
                link_text=text,
                description=description,
            )

    def _show(self, create: Callable[..., object], **content: object) -> None:
        deadline = awake() + _PATIENCE_SECONDS
        while True:
            try:
                made = create(**content)
                assert isinstance(made, UUID)
                return
            except httpx.HTTPError as error:
                if awake() > deadline:
                    self._warn(f"{content['key']} is not in the UI: {error}")
                    return
                time.sleep(_PAUSE_SECONDS)
