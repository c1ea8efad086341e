"""The report of an evaluation: one self-contained page, and a short markdown artifact."""

from __future__ import annotations

from dataclasses import replace

from flows.evaluate.results import (
    BenchmarkResult,
    EvaluationResults,
    PolicyMetrics,
    greedy_of,
)
from flows.evaluate.tables import results_table, shown_metrics
from flows.report.charts import Axes, Point, Series, bar_chart
from flows.report.curves import PolicyCurve, pass_at_k_panel
from flows.report.page import (
    Page,
    bootstrap_footer,
    markdown_table,
    markdown_warnings,
    picture,
    plain,
    render_page,
)
from flows.report.paired import BIN_TITLES, TEST_TITLES, Comparison, bin_rows, mcnemar_cells
from flows.report.palette import BLUE, GREY
from flows.report.panel import Panel, Table, Tile, charts, tone_of
from flows.report.values import (
    between,
    change_cell,
    flat,
    pass_sizes,
    percent,
    scrub,
    share_cell,
)
from flows.report.win_rates import win_rates_panel, win_rates_table
from flows.runs.sample_filter import CUT, LOST, SOLVED, SampleFilter
from flows.runs.sample_link import samples_link


def render(results: EvaluationResults) -> str:
    """The HTML page of an evaluation."""
    shown = scrub(results)
    several = [one for one in shown.benchmarks if len(_sizes(one)) > 1]
    panels = [_accuracy(shown), *(_pass_at_k(shown, one) for one in several), _all_results(shown)]
    if shown.against:
        panels += [_comparison(shown), win_rates_panel(shown.win_rates, shown.against)]
        panels.append(_bins(shown))
    panels += [_subjects(shown), _endings(shown)]
    panels += [found for one in shown.benchmarks for found in _changes(shown, one)]
    panels.append(_configuration(shown))
    title, lead = _headline(shown)
    return render_page(
        Page(
            title=f"{shown.name}: {title}",
            facts=[f"run {shown.run}", *(f"policy {one.label}" for one in shown.policies)],
            headline=title,
            lead=lead,
            tiles=_tiles(shown),
            warnings=shown.warnings,
            panels=panels,
            footer=bootstrap_footer(shown.confidence),
        )
    )


def markdown(results: EvaluationResults) -> str:
    """A line, a table, a picture, warnings."""
    shown = scrub(results)
    title, lead = _headline(shown)
    lines = [f"# {plain(title)}", "", f"Run `{plain(shown.run)}`.", *map(plain, lead), ""]
    lines += markdown_table(results_table(shown))
    if chart := picture(_accuracy_chart(shown, standalone=True), "Accuracy by benchmark"):
        lines += ["", chart]
    if won := shown.win_rates:
        lines += ["", f"Win rate over {plain(shown.against)}, in %.", ""]
        lines += markdown_table(win_rates_table(won))
    return "\n".join([*lines, *markdown_warnings(shown.warnings)]) + "\n"


def _headline(results: EvaluationResults) -> tuple[str, list[str]]:
    names = [one.name for one in results.benchmarks]
    where = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    if not results.against:
        return f"{results.model} on {where}", []
    said: dict[str, list[str]] = {"up": [], "down": [], "": []}
    for one in results.benchmarks:
        if one.comparison and (m := one.comparison.greedy):
            said[tone_of(m)].append(f"{one.name} ({change_cell(m)})")
    words = {"up": "Better", "down": "Worse", "": "No clear difference"}
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
    return GREY if results.against and policy == 0 else BLUE


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


def _accuracy(results: EvaluationResults) -> Panel:
    chart = charts(_accuracy_chart(results))
    return Panel("Greedy accuracy by benchmark", "", chart).or_nothing()


def _all_results(results: EvaluationResults) -> Panel:
    keys = shown_metrics(results)
    everything = {key for one in results.benchmarks for p in one.policies for key in p.metrics}
    rest = sorted(everything - set(keys), key=_rank)
    table = results_table(results)
    head = [*table.head, *rest, "mean tokens", "cut at the limit"]
    rows = [[*row, *["–"] * (len(head) - len(row))] for row in table.rows]
    place = 0
    for one in results.benchmarks:
        for policy in one.policies:
            tokens = policy.mean_tokens
            cells = [share_cell(policy.metrics.get(key)) for key in rest]
            cells += [f"{tokens:.1f}" if tokens else "–", _cut(results, one, policy)]
            rows[place][-len(cells) :] = cells
            place += 1
        place += (len(one.hand.points) if one.hand else 0) + bool(one.comparison)
    note = "A difference is between the two policies on the same problems, in percentage points."
    return Panel("All results", note, table=Table(head, rows), kind="long")


def _cut(results: EvaluationResults, benchmark: BenchmarkResult, policy: PolicyMetrics) -> str:
    if not policy.truncated:
        return "–" if policy.truncated is None else percent(0.0)
    asked = SampleFilter(greedy_of(benchmark.name), policy.number, finish=CUT)
    return samples_link(results.run, asked, percent(policy.truncated))


def _rank(key: str) -> tuple[str, int]:
    kind, _, size = key.partition("@")
    return kind, int(size) if size.isdecimal() else 0


def _sizes(benchmark: BenchmarkResult) -> list[int]:
    return pass_sizes({key for policy in benchmark.policies for key in policy.metrics})


def _pass_at_k(results: EvaluationResults, benchmark: BenchmarkResult) -> Panel:
    curves = []
    for one in benchmark.policies:
        colour = _colour(results, one.number)
        curves.append(
            PolicyCurve(results.label(one.number), colour, one.metrics, dashed=colour == GREY)
        )
    where = f" on {benchmark.name}"
    return pass_at_k_panel(f"pass@k{where}", curves, where)


def _comparison(results: EvaluationResults) -> Panel:
    rows = [
        [one.name, *_tested(results, one.name, one.comparison)]
        for one in results.benchmarks
        if one.comparison
    ]
    note = (
        "Paired bootstrap over the same problems; p of McNemar's exact test of newly solved "
        "against newly lost, and with Holm's correction for the number of benchmarks."
    )
    table = Table(["", *TEST_TITLES], rows)
    return Panel("Against the other policy", note, table=table, kind="long").or_nothing()


def _tested(results: EvaluationResults, name: str, found: Comparison) -> list[str]:
    """Cells of a comparison; its counts lead to the samples."""
    cells = mcnemar_cells(found)
    for place, kind in ((1, SOLVED), (2, LOST)):
        asked = SampleFilter(greedy_of(name), results.policies[-1].number, flipped=kind)
        if cells[place] != "0":
            cells[place] = samples_link(results.run, asked, cells[place])
    return cells


def _bins(results: EvaluationResults) -> Panel:
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
    return Panel("By difficulty for the base", note, table=table, kind="long").or_nothing()


def _subjects(results: EvaluationResults) -> Panel:
    rows = []
    for one in results.benchmarks:
        kinds = sorted({subject for policy in one.policies for subject in policy.subjects})
        for kind in kinds if len(kinds) > 1 else ():
            cells = [share_cell(policy.subjects.get(kind)) for policy in one.policies]
            rows.append([f"{one.name}: {kind.replace('_', ' ')}", *cells])
    table = Table(["", *(policy.label for policy in results.policies)], rows)
    return Panel(
        "By subject or task", "Greedy.", table=table, kind="long", folded="Show the table"
    ).or_nothing()


def _endings(results: EvaluationResults) -> Panel:
    columns = [
        (
            f"{one.name}, {results.label(policy.number)}",
            SampleFilter(greedy_of(one.name), policy.number),
            policy.statuses,
        )
        for one in results.benchmarks
        for policy in one.policies
        if policy.statuses
    ]
    found = sorted({s for *_, counts in columns for s in counts}, key=lambda s: (s != "correct", s))
    rows = [
        [title, *(_ended(results, asked, status, counts.get(status, 0)) for status in found)]
        for title, asked, counts in columns
    ]
    note = "Greedy solutions. A checker or sandbox error says nothing about the solution."
    table = Table(["", *(status.replace("_", " ") for status in found)], rows)
    return Panel("How solutions ended", note, table=table, kind="long").or_nothing()


def _ended(results: EvaluationResults, asked: SampleFilter, status: str, count: int) -> str:
    """How many ended so."""
    if not count:
        return "0"
    return samples_link(results.run, replace(asked, status=status), f"{count:,}")


def _changes(results: EvaluationResults, benchmark: BenchmarkResult) -> list[Panel]:
    if benchmark.comparison is None:
        return []
    names = [results.label(policy.number) for policy in benchmark.policies]
    groups = benchmark.comparison.groups(names[0], names[-1])
    note = "Against the other policy, greedy. Open one to read both solutions."
    title = f"Newly solved and newly lost on {benchmark.name}"
    return [Panel(title, note, groups=groups, kind="long")]


def _configuration(results: EvaluationResults) -> Panel:
    table = Table(["field", "value"], list(flat(results.config)))
    return Panel("Configuration", table=table, kind="long", folded="Show all fields")
