"""What a run prints at its end, and what its flow returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.report.tables import metrics_text
from flows.report.win_rates import win_rates_text
from flows.rest_em.iterations import LoopResult
from flows.rest_em.results import RunReport
from flows.rest_em.warning_lines import alarm_lines
from flows.runs.next_steps import NextSteps, next_steps
from tasks.store.store import ArtifactRef, Store

FLOW = "rest-em"
TITLE = "accuracy in %, with intervals:"


@dataclass(frozen=True)
class Ending:
    """A run that came to its end.

    Attributes:
        run: Its id.
        policies: Artifacts of p0, p1 …
        table: Its results, for a terminal.
    """

    run: str
    report: RunReport
    policies: list[str]
    table: str
    then: NextSteps

    @classmethod
    def of(
        cls, config: RestEmConfig, outcome: LoopResult, store: Store, report: ArtifactRef
    ) -> Ending:
        """Read it from the run's last artifact."""
        found = RunReport.read(store.path(report))
        table = metrics_text({one.iteration: one.metrics for one in found.iterations})
        table = "\n".join([table, *alarm_lines(found.iterations)])
        won = win_rates_text({f"p{n}": one for n, one in found.win_rates.items()}, "the base")
        table = "\n\n".join(filter(None, [table, won]))
        policies = [iteration.policy.location for iteration in outcome.iterations]
        then = next_steps(config, policies, store)
        return cls(config.run_id, found, policies, table, then)

    def to_json(self, page: Path) -> dict[str, object]:
        """What the flow returns."""
        made: dict[str, object] = {"run": self.run, "report": str(page), "policies": self.policies}
        made |= {"model": self.then.model, "next": self.then.commands}
        if rates := self.report.win_rates:
            made["win_rates"] = {str(number): one.to_json() for number, one in rates.items()}
        return made
