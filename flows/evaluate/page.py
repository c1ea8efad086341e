"""The report of an evaluation: one self-contained page, and a short markdown artifact."""

from __future__ import annotations

import math

from flows.evaluate.results import BenchmarkResult, EvaluationResults
from flows.evaluate.tables import results_table, shown_metrics
from flows.report.charts import Axes, Point, Series, bar_chart, line_chart
from flows.report.page import Page, picture, plain, render_page
from flows.report.paired import BIN_TITLES, TEST_TITLES, bin_rows, changed_groups, mcnemar_cells
from flows.report.section import GREY, Section, Table, Tile, charts, tone_of
from flows.report.values import (
    between,
    change_cell,
    flat,
    pass_sizes,
    percent,
    point,
    scrub,
    share_cell,
)


def render(results: EvaluationResults) -> str:
    """The HTML page of an evaluation."""
    shown = scrub(results)
    several = [one for one in shown.benchmarks if len(_sizes(one)) > 1]
    rows = [[_accuracy(shown)], [_all_results(shown)]]
    rows += [
        [_pass_at_k(shown, one) for one in several[i : i + 2]] for i in range(0, len(several), 2)
    ]
    if shown.against:
        rows += [[_comparison(shown)], [_bins(shown)]]
    rows += [[_subjects(shown)], [_endings(shown)]]
    rows += [_changes(shown, one) for one in shown.benchmarks if one.comparison]
    rows.append([_configuration(shown)])
    title, lead = _headline(shown)
    return render_page(
        Page(
            title=f"{shown.name}: {title}",
            facts=[f"run {shown.run}", *(f"policy {one.label}" for one in shown.policies)],
            headline=title,
            lead=lead,
            tiles=_tiles(shown),
            warnings=shown.warnings,
            rows=rows,
            footer=f"Intervals are {100 * shown.confidence:g}% bootstrap intervals over problems: "
            "they say how far the numbers would move with other problems of the same kind, not "
            "with another seed.",
        )
    )


def markdown(results: EvaluationResults) -> str:
    """A line, a table, a picture, warnings."""
    shown = scrub(results)
    title, lead = _headline(shown)
    table = results_table(shown)
    lines = [f"# {plain(title)}", "", f"Run `{plain(shown.run)}`.", *map(plain, lead), ""]
    lines += [f"| {' | '.join(table.head)} |", f"|{'---|' * len(table.head)}"]
    lines += [f"| {' | '.join(plain(value) for value in row)} |" for row in table.rows]
    if chart := picture(_accuracy_chart(shown, standalone=True), "Accuracy by benchmark"):
        lines += ["", chart]
    if shown.warnings:
        lines += ["", "**Warnings**", "", *(f"- {plain(text)}" for text in shown.warnings)]
    return "\n".join(lines) + "\n"


def _headline(results: EvaluationResults) -> tuple[str, list[str]]:
    names = [one.name for one in results.benchmarks]
    where = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    if not results.against:
        return f"{results.model} on {where}", []
    said: dict[str, list[str]] = {"up": [], "down": [], "": []}
    for one in results.benchmarks:
        if one.comparison and (m := one.comparison.greedy):
            said[tone_of(m)].append(f"{one.name} ({change_cell(m)})")
    words = {"up": "Better", "down": "Worse", "": "Not told apart"}
    lines = [f"{words[tone]}, greedy: {'; '.join(items)}." for tone, items in said.items() if items]
    return f"{results.model} against {results.against}", lines


def _tiles(results: EvaluationResults) -> list[Tile]:
    tiles = []
    for one in results.benchmarks:
        if m := one.policies[-1].metrics.get("greedy"):
            tone = tone_of(one.comparison.greedy) if one.comparison else ""
            tiles.append(Tile(percent(m.value), f"{one.name}, greedy {between(m)}", tone))
    return tiles


def _colour(results: EvaluationResults, policy: int) -> int:
    """Grey is what is compared with."""
    return GREY if results.against and policy == 0 else 0


def _accuracy_chart(results: EvaluationResults, *, standalone: bool = False) -> str:
    names = [one.name for one in results.benchmarks]
    series = []
    for policy in results.policies:
        found = []
        for place, one in enumerate(results.benchmarks):
            of = next(p for p in one.policies if p.number == policy.number)
            if m := of.metrics.get("greedy"):
                tip = f"{policy.label}, {one.name}: {share_cell(m)}"
                found.append(Point(place, m.value, tip, m.low, m.high))
        series.append(Series(policy.label, _colour(results, policy.number), found))
    axes = Axes(
        "Greedy accuracy by benchmark",
        "Share of problems solved by greedy decoding, by benchmark and policy.",
        "benchmark",
        "problems solved",
        [(float(place), name) for place, name in enumerate(names)],
    )
    return bar_chart(series, axes, standalone=standalone)


def _accuracy(results: EvaluationResults) -> Section:
    chart = charts(_accuracy_chart(results))
    return Section("Greedy accuracy by benchmark", "", chart).or_nothing()


def _all_results(results: EvaluationResults) -> Section:
    keys = shown_metrics(results)
    everything = {key for one in results.benchmarks for p in one.policies for key in p.metrics}
    rest = sorted(everything - set(keys), key=_rank)
    table = results_table(results)
    head = [*table.head, *rest, "mean tokens", "cut at the limit"]
    rows = [[*row, *["–"] * (len(head) - len(row))] for row in table.rows]
    place = 0
    for one in results.benchmarks:
        for policy in one.policies:
            tokens, cut = policy.mean_tokens, policy.truncated
            cells = [share_cell(policy.metrics.get(key)) for key in rest]
            cells += [f"{tokens:.1f}" if tokens else "–", "–" if cut is None else percent(cut)]
            rows[place][-len(cells) :] = cells
            place += 1
        place += (len(one.hand.points) if one.hand else 0) + bool(one.comparison)
    note = "A difference is between the two policies on the same problems, in percentage points."
    return Section("All results", note, table=Table(head, rows), kind="long")


def _rank(key: str) -> tuple[str, int]:
    kind, _, size = key.partition("@")
    return kind, int(size) if size.isdecimal() else 0


def _sizes(benchmark: BenchmarkResult) -> list[int]:
    return pass_sizes({key for policy in benchmark.policies for key in policy.metrics})


def _pass_at_k(results: EvaluationResults, benchmark: BenchmarkResult) -> Section:
    series = []
    for policy in benchmark.policies:
        label = results.label(policy.number)
        found = [
            point(math.log2(k), m, f"{label}, pass@{k}")
            for k in _sizes(benchmark)
            if (m := policy.metrics.get(f"pass@{k}"))
        ]
        colour = _colour(results, policy.number)
        series.append(Series(label, colour, found, dashed=colour == GREY))
    axes = Axes(
        f"pass at k on {benchmark.name}",
        "Chance that at least one of k samples is right, by policy.",
        "k, samples a problem (log scale)",
        "pass@k",
        [(math.log2(k), str(k)) for k in _sizes(benchmark)],
    )
    note = "Chance that one of k samples is right (unbiased estimate)."
    return Section(
        f"pass@k on {benchmark.name}", note, charts(line_chart(series, axes))
    ).or_nothing()


def _comparison(results: EvaluationResults) -> Section:
    rows = [
        [one.name, *mcnemar_cells(one.comparison)] for one in results.benchmarks if one.comparison
    ]
    note = (
        "Paired bootstrap over the same problems; p of McNemar's exact test of newly solved "
        "against newly lost, and with Holm's correction for the number of benchmarks."
    )
    table = Table(["", *TEST_TITLES], rows)
    return Section("Against the other policy", note, table=table, kind="long").or_nothing()


def _bins(results: EvaluationResults) -> Section:
    rows = [
        [one.name, *cells]
        for one in results.benchmarks
        if one.comparison
        for cells in bin_rows(one.comparison)
    ]
    note = (
        "Problems by how many of its samples the policy compared with gets right (figure 8 of the "
        "paper); before and after are greedy, which the bins were not made from."
    )
    table = Table(["", *BIN_TITLES], rows)
    return Section("By difficulty for the base", note, table=table, kind="long").or_nothing()


def _subjects(results: EvaluationResults) -> Section:
    rows = []
    for one in results.benchmarks:
        kinds = sorted({subject for policy in one.policies for subject in policy.subjects})
        for kind in kinds if len(kinds) > 1 else ():
            cells = [share_cell(policy.subjects.get(kind)) for policy in one.policies]
            rows.append([f"{one.name}: {kind.replace('_', ' ')}", *cells])
    table = Table(["", *(policy.label for policy in results.policies)], rows)
    return Section(
        "By subject or task", "Greedy.", table=table, kind="long", folded="Show the table"
    ).or_nothing()


def _endings(results: EvaluationResults) -> Section:
    columns = [
        (f"{one.name}, {results.label(policy.number)}", policy.statuses)
        for one in results.benchmarks
        for policy in one.policies
        if policy.statuses
    ]
    found = sorted({s for _, counts in columns for s in counts}, key=lambda s: (s != "correct", s))
    rows = [
        [title, *(f"{counts.get(status, 0):,}" for status in found)] for title, counts in columns
    ]
    note = "Greedy solutions. A checker or sandbox error says nothing about the solution."
    table = Table(["", *(status.replace("_", " ") for status in found)], rows)
    return Section("How solutions ended", note, table=table, kind="long").or_nothing()


def _changes(results: EvaluationResults, benchmark: BenchmarkResult) -> list[Section]:
    if benchmark.comparison is None:
        return []
    names = [results.label(policy.number) for policy in benchmark.policies]
    groups = changed_groups(benchmark.comparison, names[0], names[-1])
    note = "Against the other policy, greedy. Open one to read both solutions."
    title = f"Newly solved and newly lost on {benchmark.name}"
    return [Section(title, note, groups=groups, kind="long")]


def _configuration(results: EvaluationResults) -> Section:
    table = Table(["field", "value"], list(flat(results.config)))
    return Section("Configuration", table=table, kind="long", folded="Show all fields")
