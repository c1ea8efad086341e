"""Curves of fine-tunes: of a report, and of a run that is under way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flows.report.charts import Axes, Point, Series, line_chart, nice_ticks
from flows.report.palette import policy_colour
from flows.report.panel import Panel, Table, charts
from flows.report.validation import CHECKS_HEAD, checks_rows
from flows.report.values import percent, point, policy_title
from flows.rest_em.page.policies import shown_policies
from flows.rest_em.results import PolicyReport, RunReport
from tasks.finetune.results import Choose, HistoryEntry

# Loss curves of thousands of steps are averaged to so many points.
_CURVE = 160
# What is said of each rule by which a check is kept.
_RULES: dict[Choose, str] = {
    "best": "The policy of the best step is kept.",
    "one_se": "The earliest within one standard error of the best is kept.",
    "last": "The last is kept.",
}
_REWARDS = "Greedy accuracy on held-out problems."


@dataclass(frozen=True)
class FineTune:
    """A fine-tune in a chart: its name, its colour, and what is known of it so far."""

    name: str
    colour: int
    history: Sequence[HistoryEntry]


def loss_curve(report: RunReport) -> Panel:
    """Training loss of the fine-tunes over their steps."""
    return loss_panel([_fine_tune(now) for now in shown_policies(report.iterations)])


def reward_curve(report: RunReport) -> Panel:
    """Validation reward of the fine-tunes over their steps, and which check each kept."""
    shown = shown_policies(report.iterations)
    series, rows = [], []
    for now in shown:
        name = policy_title(now.iteration)
        best = now.finetune.best_step if now.finetune else 0
        # A report that was read from its file has no intervals of them.
        found = _rewards(_fine_tune(now))
        if now.checks:
            checks = now.checks.checks
            found = [point(one.step, one.reward, f"{name}, step {one.step}") for one in checks]
            rows += checks_rows(name, now.checks)
        kept = f" (kept step {best})" if best else ""
        series.append(Series(name + kept, policy_colour(now.iteration), found))
    rules: dict[Choose, None] = dict.fromkeys(now.finetune.choose for now in shown if now.finetune)
    panel = _reward_panel(series, f"{_REWARDS} {' '.join(_RULES[rule] for rule in rules)}")
    return replace(panel, table=Table(CHECKS_HEAD, rows)) if rows else panel


def loss_panel(fine_tunes: Sequence[FineTune]) -> Panel:
    """Training loss over optimiser steps."""
    note = "On the solution's tokens only."
    series = [_losses(one) for one in fine_tunes]
    return _curves("Fine-tuning: training loss", series, "loss (nats a token)", note, percent=False)


def reward_panel(fine_tunes: Sequence[FineTune]) -> Panel:
    """Validation reward over optimiser steps."""
    series = [Series(one.name, one.colour, _rewards(one)) for one in fine_tunes]
    return _reward_panel(series, _REWARDS)


def _fine_tune(now: PolicyReport) -> FineTune:
    history = now.finetune.history if now.finetune else []
    return FineTune(policy_title(now.iteration), policy_colour(now.iteration), history)


def _losses(one: FineTune) -> Series:
    values = [
        (float(entry.step), entry.loss)
        for entry in one.history
        if entry.loss is not None and math.isfinite(entry.loss)
    ]
    found = [Point(x, y, f"{one.name}, step {x:.0f}: {y:.3f}") for x, y in _thin(values)]
    return Series(one.name, one.colour, found, markers=len(found) <= 40)


def _rewards(one: FineTune) -> list[Point]:
    return [
        Point(entry.step, entry.reward, f"{one.name}, step {entry.step}: {percent(entry.reward)}")
        for entry in one.history
        if entry.reward is not None and math.isfinite(entry.reward)
    ]


def _reward_panel(series: list[Series], note: str) -> Panel:
    title = "Fine-tuning: validation reward"
    return _curves(title, series, "validation problems solved", note, percent=True)


def _curves(title: str, series: list[Series], y: str, note: str, *, percent: bool) -> Panel:
    last = max([1.0, *(p.x for one in series for p in one.points)])
    axes = Axes(
        title,
        f"{title} over optimiser steps, by iteration.",
        "optimiser step",
        y,
        [(t, f"{t:g}") for t in nice_ticks(0, last) if t == int(t)],
        percent=percent,
    )
    return Panel(title, note, charts(line_chart(series, axes))).or_nothing()


def _thin(values: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Average neighbouring points so that at most _CURVE are left."""
    size = -(-len(values) // _CURVE) or 1
    for start in range(0, len(values), size):
        block = values[start : start + size]
        yield block[-1][0], sum(y for _, y in block) / len(block)
