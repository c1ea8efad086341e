"""The report's sections on fine-tunes that drew samples of their own (`finetune.improve = rl`)."""

from __future__ import annotations

from collections.abc import Callable

from flows.report.charts import Axes, Point, Series, line_chart, nice_ticks
from flows.report.palette import policy_colour
from flows.report.panel import Panel, charts
from flows.report.values import policy_title
from flows.rest_em.page.policies import shown_policies
from flows.rest_em.results import RunReport
from tasks.finetune.results import HistoryEntry

_POINTS = 40  # from which on a curve has no markers


def reinforce_sections(report: RunReport) -> list[Panel]:
    """Reward of the samples, and distance to the start, over the steps; nothing of other runs."""
    reward = _curves(
        report,
        "Fine-tuning: reward of its samples",
        "mean reward",
        "What the samples got that the policy drew while it was trained, the KL not taken off.",
        lambda entry: entry.sampled_reward,
    )
    distance = _curves(
        report,
        "Fine-tuning: distance to its start",
        "KL (nats a token)",
        "Of the policy to the one that it started from, by the tokens that it drew.",
        lambda entry: entry.kl,
    )
    return [reward, distance] if reward.charts else []


def _curves(
    report: RunReport,
    title: str,
    words: str,
    note: str,
    value: Callable[[HistoryEntry], float | None],
) -> Panel:
    series: list[Series] = []
    for now in shown_policies(report.iterations):
        name = policy_title(now.iteration)
        found = [
            Point(float(entry.step), y, f"{name}, step {entry.step}: {y:.3f}")
            for entry in (now.finetune.history if now.finetune else [])
            if (y := value(entry)) is not None
        ]
        if found:
            colour = policy_colour(now.iteration)
            series.append(Series(name, colour, found, markers=len(found) <= _POINTS))
    if not series:
        return Panel(title)
    last = max([1.0, *(point.x for one in series for point in one.points)])
    axes = Axes(
        title,
        f"{title} over optimiser steps, by iteration.",
        "optimiser step",
        words,
        [(tick, f"{tick:g}") for tick in nice_ticks(0, last) if tick == int(tick)],
        percent=False,
    )
    return Panel(title, note, charts(line_chart(series, axes)))
