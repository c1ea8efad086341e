"""The report's sections on how the policies were made: acceptance, filter, fine-tunes, time."""

from __future__ import annotations

from flows.report.charts import Axes, stacked_bars
from flows.report.cost import each_table
from flows.report.panel import Panel, Table, charts
from flows.report.values import duration, flat, percent, policy_tick, policy_title
from flows.rest_em.page.links import samples_link
from flows.rest_em.page.policies import Shares, level_bars
from flows.rest_em.results import PolicyReport, RunReport
from flows.runs.sample_filter import NOT_CORRECT, SampleFilter
from tasks.dag.step_names import DRAW
from tasks.metering import COST_NAMES
from tasks.rows import Status
from tasks.select.results import SelectionCounts

# What becomes of a sample: field of SelectionCounts -> words. Green is kept, red is wrong; the
# places are those of the palette in charts.py.
FATES = {
    "kept": "kept",
    "dropped_reward": "wrong",
    "dropped_unfinished": "cut at the limit",
    "dropped_duplicate": "duplicate",
    "dropped_cap": "over the cap",
    "dropped_contaminated": "overlaps the test set",
    "dropped_band": "solved too rarely or too often",
}
_FATE_COLOURS = (2, 1, 6, 3, 4, 0, 5)


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
    rows, words = [], _fates(report)
    for number, counts in _selections(report).items():
        amounts = [getattr(counts, name) for name in words]
        marks = [
            (
                shade,
                count,
                f"from {policy_title(number)}: {count:,} {text} ({percent(count / sum(amounts))})",
            )
            for shade, count, text in zip(_FATE_COLOURS, amounts, words.values(), strict=False)
            if count
        ]
        if marks:
            rows.append((f"from {policy_tick(number)}", marks))
    axes = Axes("Fate of samples", "Samples kept and dropped by each rule.", "samples", "", [])
    chart = stacked_bars(rows, axes, list(zip(_FATE_COLOURS, words.values(), strict=False)))
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
        [text, *(_count(report, now, name) for now in report.iterations if now.selection)]
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


def _count(report: RunReport, now: PolicyReport, name: str) -> str:
    """A count of a policy's selection; one that verdicts alone decide leads to the samples."""
    count = getattr(now.selection, name) or 0
    statuses = now.drawn.statuses if now.drawn else {}
    right = statuses.get(Status.CORRECT, 0)
    asked, found = {
        "samples": ("", sum(statuses.values())),
        "correct": (Status.CORRECT.value, right),
        "dropped_reward": (NOT_CORRECT, sum(statuses.values()) - right),
    }.get(name, ("", 0))
    # Rules of the selection may count in another way.
    if not count or count != found:
        return f"{count:,}"
    return samples_link(report.run, SampleFilter(DRAW, now.iteration, asked), f"{count:,}")


def time(report: RunReport) -> Panel:
    """Seconds and tokens by step, as measured when the work was first done."""
    steps = report.cost.steps if report.cost else []
    kinds = list(dict.fromkeys(row.step.split()[0] for row in steps))
    seconds: dict[int, dict[str, float]] = {}
    totals: dict[str, list[float]] = {}
    for row in steps:
        kind, spent = row.step.split()[0], [row.tasks, *(row.made[name] for name in COST_NAMES)]
        of_iteration = seconds.setdefault(row.iteration, {})
        of_iteration[kind] = of_iteration.get(kind, 0.0) + row.made["seconds"]
        before = totals.setdefault(row.step, [0.0] * len(spent))
        totals[row.step] = [a + b for a, b in zip(before, spent, strict=True)]
    bars = []
    for number, of in seconds.items():
        text = f"iteration {number}" if number else "base"
        marks = [(kinds.index(k), v, f"{text}, {k}: {duration(v)}") for k, v in of.items()]
        bars.append((text, marks))
    axes = Axes("Time by step", "Seconds of each step by iteration.", "seconds", "", [])
    chart = stacked_bars(bars, axes, list(enumerate(kinds)))
    rows = [
        [
            step,
            f"{shards:,.0f}",
            *[duration(value) if value else "–" for value in (took, *parts)],
            f"{tokens:,.0f}" if tokens else "–",
            f"{tokens / took:,.0f}" if tokens and took else "–",
        ]
        for step, (shards, took, *parts, tokens) in sorted(
            totals.items(), key=lambda item: -item[1][1]
        )
    ]
    head = ["step, all iterations", "shards", "time", "processor", "engine", "sandbox"]
    head += ["tokens", "tokens a second"]
    note = (
        "Times are those of the work when it was first done; what the cache gave cost nothing. "
        "Processor: of the steps and of the processes that work for them, all cores together. "
        "Engine: in which it sampled. Sandbox: in which containers ran programs, together."
    )
    table = Table(head, rows)
    return Panel("Time and tokens by step", note, charts(chart), table).or_nothing()


def cost(report: RunReport) -> Panel:
    """What each accepted sample and each point of accuracy cost."""
    rewarded = any(now.proxy for now in report.iterations)
    parts = "drawing, scoring, rewarding" if rewarded else "drawing, scoring"
    return Panel(
        "Cost of a sample and of a point",
        f"Of samples: {parts} and selecting them. Of a point: the whole run, its measuring "
        "included. A dash: nothing of it was used, or nothing gained.",
        table=each_table(report.cost) if report.cost else None,
    ).or_nothing()


def configuration(report: RunReport) -> Panel:
    """The whole recipe."""
    rows = list(flat(report.config))
    table = Table(["setting", "value"], rows)
    return Panel("Configuration", table=table, folded=f"Show {len(rows)} settings").or_nothing()
