"""The report's sections on what the policies can do: curves, gap, pass@k, difficulty, problems."""

from __future__ import annotations

import math

from markupsafe import Markup

from flows.report.charts import Labels, Series, line_chart
from flows.report.paired import _change
from flows.report.part import Part, charts
from flows.report.values import (
    as_interval,
    between,
    metric,
    name,
    number,
    pass_sizes,
    percent,
    point,
    points,
)
from flows.rest_em.page.policies import Shares, colour, iteration_ticks, level_bars
from flows.rest_em.page.view import View
from tasks.rows import Json


def accuracy_chart(view: View, *, standalone: bool = False) -> str:
    """Accuracy over iterations: test, train, and the largest vote."""
    votes = {key for now in view.iterations for key in now.get("metrics") or {} if "maj@" in key}
    lines = [("greedy", "test, greedy", 0), ("train", "train, greedy", 1)]
    lines += [(key, f"test, {key}", 2) for key in sorted(votes, key=lambda k: int(k[4:]))[-1:]]
    series = [
        Series(
            label,
            colour,
            [
                point(now["iteration"], m, f"{name(now)}, {label}")
                for now in view.iterations
                if (m := metric(now, key))
            ],
            dashed=colour == 1,
        )
        for key, label, colour in lines
    ]
    labels = Labels(
        "Accuracy over iterations",
        f"Share of problems solved by each policy with {view.level} intervals.",
        "iteration",
        "problems solved",
        iteration_ticks(view),
    )
    return line_chart(series, labels, standalone=standalone)


def accuracy(view: View) -> Part:
    """Curves with intervals."""
    note = f"Greedy decoding. Bands: {view.level} bootstrap intervals over problems."
    return Part("Accuracy over iterations", note, charts(accuracy_chart(view))).or_nothing()


def gap(view: View) -> Part:
    """Training-set accuracy minus test-set accuracy (figure 4 of the paper)."""
    series = Series(
        "train − test",
        1,
        [
            point(now["iteration"], m, name(now), signed=True)
            for now in view.iterations
            if (m := metric(now, "gap"))
        ],
    )
    labels = Labels(
        "Train-test gap",
        "Training accuracy minus test accuracy of each policy.",
        "iteration",
        "train − test",
        iteration_ticks(view),
    )
    note = "Training accuracy minus test accuracy, greedy. A gap that grows is over-fitting."
    return Part("Train–test gap", note, charts(line_chart([series], labels))).or_nothing()


def pass_at_k(view: View) -> Part:
    """pass@k of each policy against the base (figure 5)."""
    sizes = sorted({k for now in view.iterations for k in pass_sizes(now)})
    series = [
        Series(
            name(now),
            colour(now),
            [
                point(math.log2(k), m, f"{name(now)}, pass@{k}")
                for k in pass_sizes(now)
                if (m := metric(now, f"pass@{k}"))
            ],
            dashed=not now["iteration"],
        )
        for now in view.shown()
    ]
    labels = Labels(
        "pass at k",
        "Chance that at least one of k samples is right, by policy.",
        "k, samples a problem (log scale)",
        "pass@k",
        [(math.log2(k), str(k)) for k in sizes],
    )
    note = (
        "Chance that one of k samples is right (unbiased estimate). A curve that crosses below the "
        "base has lost variety."
    )
    return Part(
        "pass@k against the base policy", note, charts(line_chart(series, labels))
    ).or_nothing()


def by_level(view: View) -> Part:
    """Greedy accuracy by difficulty."""

    def values(now: Json) -> Shares:
        found = {key: as_interval(raw) for key, raw in (now.get("levels") or {}).items()}
        return {
            key: (m.value, f"{percent(m.value)} {between(m)}, {m.problems} problems")
            for key, m in found.items()
            if m
        }

    chart = level_bars(view, values, "Greedy accuracy by difficulty", "problems solved")
    return Part("Test accuracy by difficulty", "Greedy decoding.", charts(chart)).or_nothing()


def results(view: View) -> Part:
    """Every metric of every policy with its interval."""
    keys = sorted({key for now in view.iterations for key in now.get("metrics") or {}}, key=_rank)
    rows = [[key, *(_cell(now, key) for now in view.iterations)] for key in keys]
    lengths = [number(now.get("mean_tokens")) for now in view.iterations]
    if any(lengths):
        rows.append(["mean tokens", *(f"{tokens:.1f}" if tokens else "–" for tokens in lengths)])
    if any(now.get("truncated") is not None for now in view.iterations):
        cut = [percent(number(now.get("truncated"))) for now in view.iterations]
        rows.append(["cut at the limit", *cut])
    if any(now.get("statuses") for now in view.iterations):
        rows.append(["not checked (error)", *(_unchecked(now) for now in view.iterations)])
    models = [str(now.get("model") or "")[:12] for now in view.iterations]
    if rows:
        rows.append(["model digest", *(Markup("<code>{}</code>").format(m) for m in models)])
    note = f"{view.level} intervals in brackets; the gap is in percentage points."
    table = {"head": ["", *(name(now) for now in view.iterations)], "rows": rows} if rows else None
    return Part("All results", note, table=table, kind="long").or_nothing()


def _rank(key: str) -> tuple[int, str, int]:
    """The order of metrics: the greedy ones, then pass@k and votes by size."""
    kind, _, size = key.partition("@")
    order = ["greedy", "train", "gap", "validation", "pass", "maj"]
    place = order.index(kind) if kind in order else len(order)
    return place, kind, int(size) if size.isdecimal() else 0


_NOBODY_KNOWS = ("checker_error", "sandbox_error", "engine_error")


def _unchecked(now: Json) -> str:
    """Greedy solutions of which nobody knows whether they are right, counted as wrong."""
    statuses = now.get("statuses") or {}
    return f"{sum(number(statuses.get(s)) for s in _NOBODY_KNOWS):.0f}"


def _cell(now: Json, key: str) -> Markup | str:
    m = metric(now, key)
    if m is None:
        return "–"
    gap = key == "gap"
    value = points(m.value, "") if gap else percent(m.value)
    return Markup("{} <small>{}</small>").format(value, between(m, not gap))


def by_base_success(view: View) -> Part:
    """Gains by how often the base policy solves a problem (figure 8)."""
    wanted = [now for now in view.iterations[1:] if now.get("bins")]
    kinds = [str(one.get("bin")) for one in wanted[0]["bins"]] if wanted else []
    for now in wanted[1:]:
        kinds += [str(o.get("bin")) for o in now["bins"] if str(o.get("bin")) not in kinds]
    rows = []
    for kind in kinds:
        found = [_of(now, kind) for now in wanted]
        first = next(one for one in found if one)
        cells = [_change(one.get("difference")) if one else "–" for one in found]
        rows.append(
            [kind, f"{number(first.get('problems')):.0f}", percent(number(first["before"])), *cells]
        )
    head = ["base solves, of its samples", "problems", "base", *(name(now) for now in wanted)]
    note = (
        "Difference in greedy accuracy, in points, by the share of the base policy's samples that "
        "are right. The bins come from samples and the differences from greedy solutions, so "
        "selection makes no gain of its own."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Gain by difficulty for the base policy", note, table=table).or_nothing()


def transfer(view: View) -> Part:
    """Greedy accuracy on other benchmarks (figure 9), with regressions marked."""
    names = sorted({key for now in view.iterations for key in now.get("transfer") or {}})
    rows = []
    for benchmark in names:
        cells = []
        for now in view.iterations:
            found = (now.get("transfer") or {}).get(benchmark) or {}
            m = as_interval(found.get("greedy"))
            text = f"{percent(m.value)} {between(m)}" if m else "–"
            change = _change(found.get("difference")) if found.get("difference") else ""
            mark = " regression" if found.get("regression") else ""
            cells.append(Markup("{}<br><small>{}{}</small>").format(text, change, mark))
        rows.append([benchmark, *cells])
    head = ["", *(name(now) for now in view.iterations)]
    note = (
        "Greedy accuracy on benchmarks that the policy is not trained for, and the difference to "
        "the base policy on the same problems, in points. A regression is a difference whose whole "
        "interval lies below zero."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Transfer", note, table=table, kind="long").or_nothing()


def _of(now: Json, kind: str) -> Json | None:
    return next((one for one in now["bins"] if str(one.get("bin")) == kind), None)
