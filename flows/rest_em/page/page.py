"""A run's summary as one self-contained HTML page and as a short markdown artifact.

Page and layout: report_page.py, report_assets/; words and numbers: report_view.py; sections:
report_results.py, report_training.py, report_samples.py; drawing: charts.py.

The summary (all parts may be missing):
    run, name, base, state: texts; config: the resolved configuration; warnings: [text];
    iterations: [{iteration, model, metrics: {name: {value, low, high, problems}},
        levels: {level: interval}, mean_tokens, selection (counts.json of the samples drawn
        from this policy, in it levels: {level: {samples, correct}}),
        drawn: {statuses: {status: samples}, refused: [{id, question, reference, status, text}]},
        finetune (that made this policy): {rows, steps, best_step, tokens, history}, solved, lost,
        and optionally, against the base: gain (paired interval), p (McNemar's exact test), bins
        (tasks/evaluate/paired.py), solved_total, lost_total; transfer: {benchmark: {greedy,
        difference, regression}}}];
    steps: [{iteration, step, shards, seconds, cpu_seconds, engine_seconds, sandbox_seconds,
        tokens}]; cost: what flows/report/cost.py makes of them.
"""

from __future__ import annotations

from typing import Any

from flows.report.page import Page, picture, plain, render_page
from flows.report.part import Part
from flows.report.values import (
    between,
    metric,
    name,
    percent,
    points,
)
from flows.rest_em.page.results import (
    accuracy,
    accuracy_chart,
    by_base_success,
    by_level,
    gap,
    pass_at_k,
    results,
    transfer,
)
from flows.rest_em.page.samples import changes, endings, refused
from flows.rest_em.page.training import (
    acceptance_by_level,
    configuration,
    cost,
    curve,
    fates,
    filter_table,
    time,
)
from flows.rest_em.page.view import View

# Metrics in the short table, where they were measured.
_BRIEF = ("greedy", "train", "gap", "validation")


def render(report: dict[str, Any]) -> str:
    """The HTML page of a run."""
    view = View(report)
    headline = view.headline()
    return render_page(
        Page(
            title=f"{view.report.get('name') or 'restem'}: {headline.title}",
            facts=[
                f"run {view.report.get('run') or ''}",
                f"base policy {view.report.get('base') or ''}",
                view.report.get("state") or "",
            ],
            headline=headline.title,
            lead=headline.lines,
            tiles=headline.tiles,
            warnings=view.report.get("warnings") or [],
            rows=parts(view),
            footer=f"Intervals are {view.level} bootstrap intervals over problems: they say how "
            "far the numbers would move with other problems of the same kind, not with another "
            "seed.",
        )
    )


def markdown(report: dict[str, Any]) -> str:
    """A short summary for a Prefect artifact: a line, a table, a picture, warnings."""
    view = View(report)
    headline = view.headline()
    lines = [
        f"# {plain(headline.title)}",
        "",
        f"Run `{plain(view.report.get('run'))}`, {plain(view.report.get('state'))}.",
    ]
    lines += [plain(text) for text in headline.lines]
    keys = [key for key in _keys(view) if any(metric(now, key) for now in view.iterations)]
    if keys:
        lines += ["", f"| policy | {' | '.join(keys)} |", f"|---|{'---:|' * len(keys)}"]
        for now in view.iterations:
            lines.append(f"| {name(now)} | {' | '.join(_cell(now, key) for key in keys)} |")
    if chart := picture(accuracy_chart(view, standalone=True), "Accuracy over iterations"):
        lines += ["", chart]
    warnings = view.report.get("warnings") or []
    if warnings:
        lines += ["", "**Warnings**", "", *(f"- {plain(text)}" for text in warnings)]
    return "\n".join(lines) + "\n"


def parts(view: View) -> list[list[Part]]:
    """The page's sections in rows of one or two."""
    return [
        [accuracy(view), gap(view)],
        [pass_at_k(view), by_level(view)],
        [results(view)],
        [by_base_success(view)],
        *([[transfer(view)]] if any(now.get("transfer") for now in view.iterations) else []),
        [acceptance_by_level(view), fates(view)],
        [filter_table(view)],
        [endings(view)],
        [curve(view, "loss"), curve(view, "reward")],
        [changes(view)],
        [refused(view)],
        [time(view)],
        [cost(view)],
        [configuration(view)],
    ]


def _keys(view: View) -> list[str]:
    """The brief metrics, then pass@1, the largest k and the largest vote."""
    found = {key for now in view.iterations for key in now.get("metrics") or {}}
    keys = [key for key in _BRIEF if key in found]
    for kind in ("pass@", "maj@"):
        sizes = sorted(int(key[len(kind) :]) for key in found if key.startswith(kind))
        keys += [f"{kind}{size}" for size in dict.fromkeys(sizes[:1] + sizes[-1:])]
    return keys


def _cell(now: dict[str, Any], key: str) -> str:
    m = metric(now, key)
    if m is None:
        return "–"
    if key == "gap":
        return f"{points(m.value, '')} {between(m, False)}"
    return f"{percent(m.value)} {between(m)}"
