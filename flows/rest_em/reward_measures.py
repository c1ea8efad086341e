"""How much the labels, the reward model and the proxy reward of a run are worth.

The labels of an iteration are measured when they are there, the model that was fit on them with
them. The proxy is measured when the next policy is: what rated the samples that made it rates its
greedy answers to test problems, and those of the policy before and of the base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.alarm import parted
from flows.orchestrator.caller import Caller
from flows.orchestrator.shards import Shards
from flows.rest_em.rated import Rated, Rewarder
from flows.rest_em.warning_lines import label_lines
from tasks.dag.step_names import MEASURE_LABELS, MEASURE_PROXY
from tasks.evaluate.labels import LabelMetrics
from tasks.evaluate.labels_step import labels_call, proxy_call
from tasks.evaluate.proxy import ProxyMetrics
from tasks.store.store import ArtifactRef

if TYPE_CHECKING:
    from flows.rest_em.loop import Iteration


@dataclass(frozen=True)
class RewardMeasures:
    """Measures what rewards a run."""

    config: RestEmConfig
    caller: Caller
    rewarder: Rewarder
    problems: ArtifactRef
    warn: Callable[[str], None]

    def labels(self, number: int, drawn: Shards, rated: Rated) -> None:
        """Measure the labels of the samples of p_number, and warn where they are worth little.

        Args:
            number: Of the policy that drew them.
            drawn: The samples, with the checker's verdicts.
            rated: Their labels and the model; `measured` is filled, where there are labels.
        """
        if not rated.preferences:
            return
        rated.measured = self.caller.call(
            labels_call(
                f"{MEASURE_LABELS} p{number}",
                self.config.evaluation,
                labels=self.config.judge.labels,
                seed=self.config.seed,
                problems=self.problems,
                samples=drawn.samples,
                verdicts=drawn.verdicts,
                preferences=rated.preferences,
                people=rated.people,
                model=rated.model,
                nulls=rated.nulls,
            ),
            number,
            MEASURE_LABELS,
        )
        if not self.caller.pending(rated.measured):
            for text in label_lines(number + 1, LabelMetrics.read(self._path(rated.measured))):
                self.warn(text)

    def proxy(self, iterations: Sequence[Iteration]) -> None:
        """Measure the proxy of the newest policy, once; raise the alarm where it parts."""
        if len(iterations) < 2 or iterations[-1].proxy is not None:
            return
        before, now = iterations[-2:]
        if before.rated is None or self.config.reward.by == "checker":
            return
        rater = before.rated.model or before.rated.judge
        assert rater is not None
        several = {one.number: one for one in (iterations[0], before, now)}
        policies = {
            number: (
                one.greedy.samples,
                self.rewarder.rate_test(now.number, number, one.greedy, before.rated).verdicts,
                one.greedy.verdicts,
            )
            for number, one in several.items()
        }
        now.proxy = self.caller.call(
            proxy_call(
                f"{MEASURE_PROXY} p{now.number}",
                self.config.evaluation,
                rater=rater,
                policies=policies,
            ),
            now.number,
            MEASURE_PROXY,
        )
        if self.caller.pending(now.proxy):
            return
        if found := parted(ProxyMetrics.read(self._path(now.proxy))):
            self.warn(found.words(now.number))
            self.caller.alarm(now.number, found)

    def _path(self, ref: ArtifactRef) -> Path:
        return self.caller.store.path(ref)
