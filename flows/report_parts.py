"""The sections of the report page, each from a run's summary to charts, a table or texts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from flows.charts import Labels, Point, Series, bar_chart, line_chart, nice_ticks, stacked_bars
from flows.report_view import (
    Json,
    View,
    acceptance,
    as_interval,
    between,
    by_size,
    clean,
    duration,
    metric,
    name,
    number,
    pass_sizes,
    percent,
    point,
    points,
    short,
)

NOT_MEASURED = "Nothing of this was measured in this run."
GREY = 6
# Loss curves of thousands of steps are averaged to so many points.
_CURVE = 160
FATES = {
    "kept": "kept",
    "dropped_reward": "wrong",
    "dropped_unfinished": "cut at the limit",
    "dropped_duplicate": "duplicate",
    "dropped_cap": "over the cap",
    "dropped_contaminated": "overlaps the test set",
}


@dataclass
class Part:
    """One section: a title, a note, and what it shows."""

    title: str
    note: str = ""
    charts: list[Markup] = field(default_factory=list)
    table: Json | None = None
    groups: list[Json] = field(default_factory=list)
    kind: str = ""
    folded: str = ""

    def or_nothing(self) -> Part:
        """Say so where there is nothing to show."""
        if not self.charts and not self.table and not self.groups:
            self.note = NOT_MEASURED
        return self


def parts(view: View) -> list[list[Part]]:
    """The page's sections in rows of one or two."""
    return [
        [accuracy(view), gap(view)],
        [pass_at_k(view), by_level(view)],
        [acceptance_by_level(view), fates(view)],
        [results(view)],
        [filter_table(view)],
        [curve(view, "loss"), curve(view, "reward")],
        [changes(view)],
        [time(view)],
        [configuration(view)],
    ]


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
        _ticks(view),
    )
    return line_chart(series, labels, standalone=standalone)


def accuracy(view: View) -> Part:
    """Curves with intervals."""
    note = f"Greedy decoding, one solution a problem. Bands: {view.level} bootstrap intervals over problems."
    return Part("Accuracy over iterations", note, _charts(accuracy_chart(view))).or_nothing()


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
        "train − test (points of %)",
        _ticks(view),
    )
    note = "Training accuracy minus test accuracy, greedy. A gap that grows is over-fitting."
    return Part("Train–test gap", note, _charts(line_chart([series], labels))).or_nothing()


def pass_at_k(view: View) -> Part:
    """pass@k of each policy against the base (figure 5)."""
    sizes = sorted({k for now in view.iterations for k in pass_sizes(now)})
    series = [
        Series(
            name(now),
            _colour(now),
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
    note = "Chance that one of k samples is right (unbiased estimate). A curve that crosses below the base has lost variety."
    return Part(
        "pass@k against the base policy", note, _charts(line_chart(series, labels))
    ).or_nothing()


def by_level(view: View) -> Part:
    """Greedy accuracy by difficulty."""

    def values(now: Json) -> dict[str, tuple[float, str]]:
        found = {key: as_interval(raw) for key, raw in (now.get("levels") or {}).items()}
        return {
            key: (m.value, f"{percent(m.value)} {between(m)}, {m.problems} problems")
            for key, m in found.items()
            if m
        }

    chart = _bars(view, values, "Greedy accuracy by difficulty", "problems solved")
    return Part("Test accuracy by difficulty", "Greedy decoding.", _charts(chart)).or_nothing()


def acceptance_by_level(view: View) -> Part:
    """Share of correct samples by difficulty, of the samples drawn for training."""

    def values(now: Json) -> dict[str, tuple[float, str]]:
        levels = (now.get("selection") or {}).get("levels") or {}
        return {
            key: (
                number(raw.get("correct")) / number(raw.get("samples")),
                f"{number(raw.get('correct')):,.0f} of {number(raw.get('samples')):,.0f} samples correct",
            )
            for key, raw in levels.items()
            if number(raw.get("samples"))
        }

    chart = _bars(view, values, "Acceptance by difficulty", "samples correct")
    note = "Samples drawn from each policy on training problems, before the filter's other rules."
    return Part("Acceptance by difficulty", note, _charts(chart)).or_nothing()


def fates(view: View) -> Part:
    """What became of the samples drawn from each policy."""
    rows = []
    for now in view.iterations:
        selection = now.get("selection") or {}
        amounts = [
            (i, number(selection.get(key)), text) for i, (key, text) in enumerate(FATES.items())
        ]
        total = sum(a for _, a, _ in amounts)
        if total:
            rows.append(
                (
                    f"from {short(now)}",
                    [
                        (i, a, f"from {name(now)}: {a:,.0f} {text} ({percent(a / total)})")
                        for i, a, text in amounts
                        if a
                    ],
                )
            )
    labels = Labels("Fate of samples", "Samples kept and dropped by each rule.", "samples", "", [])
    chart = stacked_bars(rows, labels, list(FATES.values()))
    note = "Every sample falls to the first rule that drops it, or is kept for training."
    return Part("What became of the samples", note, _charts(chart)).or_nothing()


def results(view: View) -> Part:
    """Every metric of every policy with its interval."""
    keys = list(dict.fromkeys(key for now in view.iterations for key in now.get("metrics") or {}))
    rows = []
    for now in view.iterations:
        cells: list[Any] = [name(now)]
        for key in keys:
            m = metric(now, key)
            if m is None:
                cells.append("–")
            else:
                signed = key == "gap"
                value = points(m.value).removesuffix(" points") if signed else percent(m.value)
                cells.append(Markup("{} <small>{}</small>").format(value, between(m, not signed)))
        tokens = now.get("mean_tokens")
        rows.append(
            [*cells, f"{tokens:.1f}" if number(tokens) else "–", str(now.get("model") or "")[:12]]
        )
    note = f"Values with {view.level} intervals, in percent (the gap in points)."
    table = {"head": ["policy", *keys, "mean tokens", "model"], "rows": rows}
    return Part("All results", note, table=table if rows else None, kind="long").or_nothing()


def filter_table(view: View) -> Part:
    """The counts of every rule."""
    columns = {
        "samples": "drawn",
        "correct": "correct",
        **FATES,
        "problems": "problems",
        "problems_solved": "with a correct sample",
    }
    rows = []
    for now in view.iterations:
        selection = now.get("selection") or {}
        if selection:
            rate = acceptance(now)
            counts = [f"{number(selection.get(key)):,.0f}" for key in columns]
            rows.append([name(now), *counts, "–" if rate is None else percent(rate)])
    head = ["drawn from", *columns.values(), "accepted"]
    note = "Samples drawn from each policy, and how many each rule dropped."
    return Part(
        "What the filter dropped", note, table={"head": head, "rows": rows} if rows else None
    ).or_nothing()


def curve(view: View, key: str) -> Part:
    """A fine-tune's loss or validation reward over its steps."""
    loss = key == "loss"
    series, last = [], 1.0
    for now in [n for n in view.shown() if n["iteration"]]:
        tuned = now.get("finetune") or {}
        values = [
            (number(h.get("step")), number(h[key]))
            for h in tuned.get("history") or []
            if h.get(key) is not None
        ]
        form = "{:.3f}".format if loss else percent
        found = [Point(x, y, f"{name(now)}, step {x:.0f}: {form(y)}") for x, y in _thin(values)]
        last = max([last, *(p.x for p in found)])
        best = f" (kept step {tuned['best_step']})" if tuned.get("best_step") and not loss else ""
        series.append(Series(name(now) + best, _colour(now), found, markers=len(found) <= 40))
    title = "Fine-tuning: training loss" if loss else "Fine-tuning: validation reward"
    labels = Labels(
        title,
        f"{title} over optimiser steps, by iteration.",
        "optimiser step",
        "loss (nats a token)" if loss else "validation problems solved",
        [(t, f"{t:g}") for t in nice_ticks(0, last)],
        percent=not loss,
    )
    note = (
        "On the solution's tokens only."
        if loss
        else "Greedy accuracy on held-out problems; the policy of the best step is kept."
    )
    return Part(title, note, _charts(line_chart(series, labels))).or_nothing()


def changes(view: View) -> Part:
    """Newly solved and newly lost problems of the best and the last policy, with their texts."""
    wanted = {
        id(now): now for now in (view.best, *view.iterations[-1:]) if now and now["iteration"]
    }
    groups = []
    for now in wanted.values():
        for key, before, after in (("solved", "wrong", "right"), ("lost", "right", "wrong")):
            items = now.get(key) or []
            total = now.get(f"{key}_total")
            count = (
                f"{total} in all, {len(items)} shown"
                if total is not None
                else f"{len(items)} shown"
            )
            groups.append(
                {
                    "title": f"{name(now).capitalize()}: newly {key} ({count})",
                    "problems": [
                        {
                            field: clean(item.get(field))
                            for field in ("id", "question", "reference", "before", "after")
                        }
                        | {
                            "policy": name(now).capitalize(),
                            "before_mark": before,
                            "after_mark": after,
                        }
                        for item in items
                    ],
                }
            )
    note = "Against the base policy, greedy decoding on test problems. Open one to read both solutions."
    return Part("Newly solved and newly lost", note, groups=groups, kind="long").or_nothing()


def time(view: View) -> Part:
    """Seconds and tokens by step, as measured when the work was done (a cached step did none now)."""
    steps = view.report.get("steps") or []
    kinds = list(dict.fromkeys(str(s.get("step")).split()[0] for s in steps))
    sums: dict[int, dict[str, float]] = {}
    totals: dict[str, list[float]] = {}
    for s in steps:
        values = [number(s.get(key)) for key in ("shards", "cached", "seconds", "tokens")]
        of_iteration = sums.setdefault(int(number(s.get("iteration"))), {})
        kind = str(s.get("step")).split()[0]
        of_iteration[kind] = of_iteration.get(kind, 0.0) + values[2]
        old = totals.setdefault(str(s.get("step")), [0.0] * 4)
        totals[str(s.get("step"))] = [a + b for a, b in zip(old, values, strict=True)]
    bars = [
        (
            f"iteration {i}" if i else "base",
            [(kinds.index(k), v, f"{k}: {duration(v)}") for k, v in sums[i].items()],
        )
        for i in sorted(sums)
    ]
    labels = Labels("Time by step", "Seconds of each step by iteration.", "seconds", "", [])
    rows = [
        [
            step,
            f"{n:,.0f}",
            f"{cached:,.0f}",
            duration(seconds),
            f"{tokens:,.0f}" if tokens else "–",
            f"{tokens / seconds:,.0f}" if tokens and seconds else "–",
        ]
        for step, (n, cached, seconds, tokens) in sorted(totals.items(), key=lambda kv: -kv[1][2])
    ]
    head = ["step, all iterations", "shards", "from cache", "time", "tokens", "tokens a second"]
    note = "Seconds are those of the work when it was first done; what came from the cache cost nothing now."
    table = {"head": head, "rows": rows} if rows else None
    return Part(
        "Time and tokens by step", note, _charts(stacked_bars(bars, labels, kinds)), table
    ).or_nothing()


def configuration(view: View) -> Part:
    """The whole recipe."""
    rows = [[key, clean(value)] for key, value in _flat(view.config)]
    return Part(
        "Configuration",
        table={"head": ["setting", "value"], "rows": rows} if rows else None,
        folded=f"Show {len(rows)} settings",
    ).or_nothing()


def _bars(
    view: View, values: Callable[[Json], dict[str, tuple[float, str]]], title: str, unit: str
) -> str:
    found = [(now, values(now)) for now in view.shown()]
    levels = by_size(list({key for _, of in found for key in of}))
    series = [
        Series(
            name(now),
            _colour(now),
            [
                Point(levels.index(key), value, f"{name(now)}, level {key or 'none'}: {tip}")
                for key, (value, tip) in of.items()
            ],
        )
        for now, of in found
    ]
    ticks = [(float(i), level or "none") for i, level in enumerate(levels)]
    return bar_chart(
        series, Labels(title, f"{title}, by policy.", "level of difficulty", unit, ticks)
    )


def _thin(values: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Average neighbouring points so that at most _CURVE are left."""
    size = -(-len(values) // _CURVE) or 1
    for start in range(0, len(values), size):
        block = values[start : start + size]
        yield block[-1][0], sum(y for _, y in block) / len(block)


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, default=str)


def _colour(now: Json) -> int:
    return (now["iteration"] - 1) % GREY if now["iteration"] else GREY


def _ticks(view: View) -> list[tuple[float, str]]:
    return [(float(now["iteration"]), short(now)) for now in view.iterations]


def _charts(*charts: str) -> list[Markup]:
    # The chart functions escape every text they are given.
    return [Markup(chart) for chart in charts if chart]
