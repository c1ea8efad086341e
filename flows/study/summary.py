"""The last step of a study: what all its runs found, by arm and seed, as one artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flows.report.page import markdown_table
from flows.report.panel import Table
from flows.report.values import between, hundredths, points
from flows.rest_em.results import RunReport
from flows.study.claims import judge_claim
from flows.study.comparison import COMPARISON_NOTE, comparison_table
from flows.study.design import Arm, Study
from flows.study.quantities import gain, of
from flows.study.results import (
    Account,
    ArmRun,
    ClaimResult,
    Results,
    StudyPolicy,
    StudyReport,
    StudyRuns,
)
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.evaluate.intervals import Interval
from tasks.store.store import ArtifactRef, Draft

# Sizes at which pass@k is held against the base's.
CROSSING = (1, 2, 4, 8, 16, 32, 64)


def study_call(study: str, runs: Mapping[tuple[str, int], ArtifactRef]) -> Call:
    """The call that gathers a study's runs: (arm, seed) → the run's report."""
    inputs = {_input(arm, seed): ref for (arm, seed), ref in runs.items()}
    settings = {"study": study, "runs": [[arm, seed] for arm, seed in runs]}
    return Call(gather, f"study {study}", settings, inputs)


@step("study", "study")
def gather(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write what the study looks at of the reports of its runs."""
    runs = []
    for arm, seed in call.settings["runs"]:
        report = RunReport.read(runtime.store.path(call.inputs[_input(arm, seed)]))
        runs.append(ArmRun(arm, seed, report.run, [StudyPolicy.of(p) for p in report.iterations]))
    StudyRuns(call.settings["study"], runs).write(draft.path)
    draft.rows = len(runs)


def _input(arm: str, seed: int) -> str:
    return f"{arm} | {seed}"


@dataclass(frozen=True)
class FinishedStudy:
    """A study that was run: its design, and what came of it."""

    study: Study
    arms: Sequence[Arm]
    results: Results
    account: Account

    @cached_property
    def claims(self) -> list[ClaimResult]:
        """What came of its claims, of those whose arms were run."""
        found = [judge_claim(claim, self.results) for claim in self.study.claims]
        return [one for one in found if one.mean is not None]

    @cached_property
    def warnings(self) -> list[str]:
        """Where a pass@k of an arm's last policy lies below its base's, beyond chance."""
        found = []
        for arm in (arm.name for arm in self.arms):
            for k in CROSSING:
                change = self.results.mean(gain(arm, f"pass@{k}"))
                if change is not None and change.problems > 1 and change.high < 0:
                    found.append(
                        f"{arm}: pass@{k} of the last policy is below the base's: "
                        f"{points(change.value)} {between(change, False)}"
                    )
        return found


def summarise(one: FinishedStudy) -> StudyReport:
    """All that there is to tell of a study."""
    figures = [draw(one.results, True) for draw in one.study.figures]
    return StudyReport(
        study=one.study.name,
        title=one.study.title,
        question=one.study.question,
        seeds=len(one.results.seeds),
        arms={arm.name: dict(arm.changes) for arm in one.arms},
        claims=one.claims,
        warnings=one.warnings,
        figures=[figure for figure in figures if figure.svg],
        account=one.account,
        numbers=markdown_table(numbers_table(one)),
        comparison=_compared(one),
    )


def numbers_table(one: FinishedStudy) -> Table:
    """A row an arm: how often it iterated, and the metrics that the study shows."""
    rows = []
    for arm in one.arms:
        asked = one.study.numbers.values()
        cells = [_mean_cell(one.results.mean(of(arm.name, *metric))) for metric in asked]
        rows.append([arm.name, str(one.results.policies(arm.name) - 1), *cells])
    return Table(["arm", "iterations", *one.study.numbers], rows)


def _mean_cell(mean: Interval | None) -> str:
    if mean is None:
        return ""
    return f"{hundredths(mean.value)} {between(mean)}"


def _compared(one: FinishedStudy) -> list[str]:
    asked = one.study.comparison
    if asked is None:
        return []
    table = markdown_table(comparison_table(asked, one.results))
    return [f"Held against {asked.against}. {COMPARISON_NOTE}", "", *table]
