"""The report's sections on how the policies were made: acceptance, filter, fine-tunes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from flows.report.charts import Axes, Point, Series, line_chart, nice_ticks, stacked_bars
from flows.report.palette import AMBER, BROWN, INK, OLIVE, PINK, RIGHT, WRONG, policy_colour
from flows.report.panel import Panel, Table, charts
from flows.report.validation import CHECKS_HEAD, checks_rows
from flows.report.values import percent, point, policy_tick, policy_title
from flows.rest_em.page.policies import Shares, level_bars, shown_policies
from flows.rest_em.results import PolicyReport, RunReport
from tasks.finetune.results import Choose
from tasks.select.results import SelectionCounts

# Loss curves of thousands of steps are averaged to so many points.
_CURVE = 160
# What becomes of a sample: field of SelectionCounts -> words.
FATES = {
    "kept": "kept",
    "dropped_reward": "wrong",
    "dropped_unfinished": "cut at the limit",
    "dropped_duplicate": "duplicate",
    "dropped_cap": "over the cap",
    "dropped_contaminated": "overlaps the test set",
    "dropped_band": "solved too rarely or too often",
}
_FATE_COLOURS = dict(zip(FATES, (RIGHT, WRONG, BROWN, PINK, AMBER, INK, OLIVE), strict=True))
# What is said of each rule by which a check is kept.
_RULES: dict[Choose, str] = {
    "best": "The policy of the best step is kept.",
    "one_se": "The earliest within one standard error of the best is kept.",
    "last": "The last is kept.",
}


def acceptance_by_level(report: RunReport) -> Panel:
    """Share of correct samples by difficulty, of the samples drawn for training."""
    word = report.accepted

    def values(now: PolicyReport) -> Shares:
        return {
            level: (one.correct / one.samples, f"{one.correct:,} of {one.samples:,} {word}")
            for level, one in (now.selection.levels if now.selection else {}).items()
            if one.samples
        }

    chart = level_bars(report.iterations, values, "Acceptance by difficulty", f"samples {word}")
    note = "Samples drawn from each policy on training problems, before the filter's other rules."
    return Panel("Acceptance by difficulty", note, charts(chart)).or_nothing()


def fates(report: RunReport) -> Panel:
    """What became of the samples drawn from each policy."""
    rows, words, found = [], _fates(report), set()
    for number, counts in _selections(report).items():
        amounts = {name: getattr(counts, name) for name in words if getattr(counts, name)}
        marks = [
            (
                _FATE_COLOURS[name],
                count,
                f"from {policy_title(number)}: {count:,} {words[name]} "
                f"({percent(count / sum(amounts.values()))})",
            )
            for name, count in amounts.items()
        ]
        found |= amounts.keys()
        if marks:
            rows.append((f"from {policy_tick(number)}", marks))
    axes = Axes("Fate of samples", "Samples kept and dropped by each rule.", "samples", "", [])
    names = [(_FATE_COLOURS[name], text) for name, text in words.items() if name in found]
    chart = stacked_bars(rows, axes, names)
    note = "Every sample falls to the first rule that drops it, or is kept for training."
    return Panel("What became of the samples", note, charts(chart)).or_nothing()


def _selections(report: RunReport) -> dict[int, SelectionCounts]:
    """The counts of each policy that samples were drawn from to train on."""
    return {now.iteration: now.selection for now in report.iterations if now.selection}


def _fates(report: RunReport) -> dict[str, str]:
    """The words for each fate; a sample that passes some tests is not just wrong."""
    scored = report.accepted != "correct"
    words = FATES | ({"dropped_reward": "too little reward"} if scored else {})
    if not any(counts.dropped_band for counts in _selections(report).values()):
        del words["dropped_band"]
    return words


def filter_table(report: RunReport) -> Panel:
    """The counts of every rule."""
    accepted, drawn = report.accepted, _selections(report)
    article = "an" if accepted == "accepted" else "a"
    dropped = {name: f"dropped: {text}" for name, text in _fates(report).items() if name != "kept"}
    paired = any(counts.pairs is not None for counts in drawn.values())
    overlap = any(counts.problems_contaminated for counts in drawn.values())
    columns = {
        "samples": "samples drawn",
        "correct": accepted,
        **dropped,
        "kept": "kept for training",
        **({"pairs": "pairs with a wrong sample"} if paired else {}),
        "problems": "problems",
        **({"problems_contaminated": "problems that overlap the test set"} if overlap else {}),
        "problems_solved": f"problems with {article} {accepted} sample",
    }
    rows = [
        [text, *(f"{getattr(counts, name) or 0:,}" for counts in drawn.values())]
        for name, text in columns.items()
    ]
    rates = [now.acceptance for now in report.iterations if now.selection]
    rows.insert(2, [f"share {accepted}", *("–" if r is None else percent(r) for r in rates)])
    firsts = [counts.first for counts in drawn.values()]
    if any(firsts):  # further samples hang on verdicts, so their share is no accuracy
        shares = ("–" if not f else percent(f.correct / f.samples) for f in firsts)
        rows.insert(3, [f"share {accepted} of the samples that every problem has", *shares])
    table = Table(["", *(f"from {policy_title(number)}" for number in drawn)], rows)
    note = "Samples drawn from each policy, and how many each rule dropped."
    return Panel("What the filter dropped", note, table=table if drawn else None).or_nothing()


def loss_curve(report: RunReport) -> Panel:
    """Training loss of the fine-tunes over their steps."""
    series = [_losses(now) for now in shown_policies(report.iterations)]
    note = "On the solution's tokens only."
    return _curves("Fine-tuning: training loss", series, "loss (nats a token)", note, percent=False)


def reward_curve(report: RunReport) -> Panel:
    """Validation reward of the fine-tunes over their steps, and which check each kept."""
    shown = shown_policies(report.iterations)
    series, rows = [], []
    for now in shown:
        name = policy_title(now.iteration)
        best = now.finetune.best_step if now.finetune else 0
        found = _plain_rewards(now)
        if now.checks:
            checks = now.checks.checks
            found = [point(one.step, one.reward, f"{name}, step {one.step}") for one in checks]
            rows += checks_rows(name, now.checks)
        kept = f" (kept step {best})" if best else ""
        series.append(Series(name + kept, policy_colour(now.iteration), found))
    rules: dict[Choose, None] = dict.fromkeys(now.finetune.choose for now in shown if now.finetune)
    note = f"Greedy accuracy on held-out problems. {' '.join(_RULES[rule] for rule in rules)}"
    title = "Fine-tuning: validation reward"
    panel = _curves(title, series, "validation problems solved", note, percent=True)
    return replace(panel, table=Table(CHECKS_HEAD, rows)) if rows else panel


def _plain_rewards(now: PolicyReport) -> list[Point]:
    """The rewards of a report that was read from its file, which has no intervals of them."""
    name = policy_title(now.iteration)
    return [
        Point(one.step, one.reward, f"{name}, step {one.step}: {percent(one.reward)}")
        for one in (now.finetune.history if now.finetune else [])
        if one.reward is not None
    ]


def _losses(now: PolicyReport) -> Series:
    """The loss of a fine-tune."""
    name = policy_title(now.iteration)
    values = [
        (float(entry.step), entry.loss)
        for entry in (now.finetune.history if now.finetune else [])
        if entry.loss is not None and math.isfinite(entry.loss)
    ]
    found = [Point(x, y, f"{name}, step {x:.0f}: {y:.3f}") for x, y in _thin(values)]
    return Series(name, policy_colour(now.iteration), found, markers=len(found) <= 40)


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
