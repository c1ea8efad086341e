"""The report's sections on how the policies were made: acceptance, filter, fine-tunes, time."""

from __future__ import annotations

from collections.abc import Iterable

from flows.report.charts import Labels, Point, Series, line_chart, nice_ticks, stacked_bars
from flows.report.cost import each_rows
from flows.report.part import Part, charts
from flows.report.values import acceptance, duration, flat, name, number, percent, short
from flows.rest_em.page.policies import Shares, colour, level_bars
from flows.rest_em.page.view import View
from tasks.rows import Json

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
# Green is kept, red is wrong; the places are those of the palette in charts.py.
_FATE_COLOURS = (2, 1, 6, 3, 4, 0)


def acceptance_by_level(view: View) -> Part:
    """Share of correct samples by difficulty, of the samples drawn for training."""
    word = view.accepted

    def values(now: Json) -> Shares:
        levels = (now.get("selection") or {}).get("levels") or {}
        return {
            key: (
                number(raw.get("correct")) / number(raw.get("samples")),
                f"{number(raw.get('correct')):,.0f} of {number(raw.get('samples')):,.0f} {word}",
            )
            for key, raw in levels.items()
            if number(raw.get("samples"))
        }

    chart = level_bars(view, values, "Acceptance by difficulty", f"samples {word}")
    note = "Samples drawn from each policy on training problems, before the filter's other rules."
    return Part("Acceptance by difficulty", note, charts(chart)).or_nothing()


def fates(view: View) -> Part:
    """What became of the samples drawn from each policy."""
    rows, fate = [], _fates(view)
    for now in view.iterations:
        selection = now.get("selection") or {}
        amounts = [
            (shade, number(selection.get(key)), text)
            for shade, (key, text) in zip(_FATE_COLOURS, fate.items(), strict=True)
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
    chart = stacked_bars(rows, labels, list(zip(_FATE_COLOURS, fate.values(), strict=True)))
    note = "Every sample falls to the first rule that drops it, or is kept for training."
    return Part("What became of the samples", note, charts(chart)).or_nothing()


def _fates(view: View) -> dict[str, str]:
    """The words for each fate; a sample that passes some tests is not just wrong."""
    scored = view.accepted != "correct"
    return FATES | ({"dropped_reward": "too little reward"} if scored else {})


def filter_table(view: View) -> Part:
    """The counts of every rule."""
    drawn = [now for now in view.iterations if now.get("selection")]
    article = "an" if view.accepted[0] == "a" else "a"
    paired = any("pairs" in now["selection"] for now in drawn)
    columns = {
        "samples": "samples drawn",
        "correct": view.accepted,
        **{key: f"dropped: {text}" for key, text in _fates(view).items() if key != "kept"},
        "kept": "kept for training",
        **({"pairs": "pairs with a wrong sample"} if paired else {}),
        "problems": "problems",
        "problems_solved": f"problems with {article} {view.accepted} sample",
    }
    rows = [
        [text, *(f"{number(now['selection'].get(key)):,.0f}" for now in drawn)]
        for key, text in columns.items()
    ]
    rates = [acceptance(now) for now in drawn]
    rows.insert(2, [f"share {view.accepted}", *("–" if r is None else percent(r) for r in rates)])
    firsts = [now["selection"].get("first") for now in drawn]
    if any(firsts):  # further samples hang on verdicts, so their share is no accuracy
        shares = ["–" if not f else percent(f["correct"] / f["samples"]) for f in firsts]
        rows.insert(3, [f"share {view.accepted} of the samples that every problem has", *shares])
    table = {"head": ["", *(f"from {name(now)}" for now in drawn)], "rows": rows}
    note = "Samples drawn from each policy, and how many each rule dropped."
    return Part("What the filter dropped", note, table=table if drawn else None).or_nothing()


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
        series.append(Series(name(now) + best, colour(now), found, markers=len(found) <= 40))
    title = "Fine-tuning: training loss" if loss else "Fine-tuning: validation reward"
    labels = Labels(
        title,
        f"{title} over optimiser steps, by iteration.",
        "optimiser step",
        "loss (nats a token)" if loss else "validation problems solved",
        [(t, f"{t:g}") for t in nice_ticks(0, last) if t == int(t)],
        percent=not loss,
    )
    note = (
        "On the solution's tokens only."
        if loss
        else "Greedy accuracy on held-out problems; the policy of the best step is kept."
    )
    return Part(title, note, charts(line_chart(series, labels))).or_nothing()


def time(view: View) -> Part:
    """Seconds and tokens by step, as measured when the work was first done."""
    steps = view.report.get("steps") or []
    kinds = list(dict.fromkeys(_kind(s) for s in steps))
    sums: dict[int, dict[str, float]] = {}
    totals: dict[str, list[float]] = {}
    names = ("shards", "seconds", "cpu_seconds", "engine_seconds", "sandbox_seconds", "tokens")
    for s in steps:
        values = [number(s.get(key)) for key in names]
        of_iteration = sums.setdefault(int(number(s.get("iteration"))), {})
        of_iteration[_kind(s)] = of_iteration.get(_kind(s), 0.0) + values[1]
        old = totals.setdefault(str(s.get("step")), [0.0] * len(names))
        totals[str(s.get("step"))] = [a + b for a, b in zip(old, values, strict=True)]
    label = [f"iteration {i}" if i else "base" for i in sums]
    bars = [
        (text, [(kinds.index(k), v, f"{text}, {k}: {duration(v)}") for k, v in of.items()])
        for text, of in zip(label, sums.values(), strict=True)
    ]
    labels = Labels("Time by step", "Seconds of each step by iteration.", "seconds", "", [])
    chart = stacked_bars(bars, labels, list(enumerate(kinds)))
    rows = [
        [
            step,
            f"{shards:,.0f}",
            *[duration(value) if value else "–" for value in (seconds, *parts)],
            f"{tokens:,.0f}" if tokens else "–",
            f"{tokens / seconds:,.0f}" if tokens and seconds else "–",
        ]
        for step, (shards, seconds, *parts, tokens) in sorted(
            totals.items(), key=lambda kv: -kv[1][1]
        )
    ]
    head = ["step, all iterations", "shards", "time", "processor", "engine", "sandbox"]
    head += ["tokens", "tokens a second"]
    note = (
        "Times are those of the work when it was first done; what the cache gave cost nothing. "
        "Processor: of the steps and of the processes that work for them, all cores together. "
        "Engine: in which it sampled. Sandbox: in which containers ran programs, together."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Time and tokens by step", note, charts(chart), table).or_nothing()


def cost(view: View) -> Part:
    """What each accepted sample and each point of accuracy cost."""
    head, rows = each_rows(view.report["cost"]) if view.report.get("cost") else ([], [])
    return Part(
        "Cost of a sample and of a point",
        "Of samples: drawing, scoring and selecting them. Of a point: the whole run, its measuring "
        "included. A dash: nothing of it was used, or nothing gained.",
        table={"head": head, "rows": rows} if rows else None,
    ).or_nothing()


def configuration(view: View) -> Part:
    """The whole recipe."""
    rows = [[key, value] for key, value in flat(view.config)]
    return Part(
        "Configuration",
        table={"head": ["setting", "value"], "rows": rows} if rows else None,
        folded=f"Show {len(rows)} settings",
    ).or_nothing()


def _kind(step: Json) -> str:
    """`generate` of `generate draw`."""
    return (str(step.get("step") or "").split() or ["other"])[0]


def _thin(values: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Average neighbouring points so that at most _CURVE are left."""
    size = -(-len(values) // _CURVE) or 1
    for start in range(0, len(values), size):
        block = values[start : start + size]
        yield block[-1][0], sum(y for _, y in block) / len(block)
