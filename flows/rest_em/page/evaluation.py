"""The report's sections on what the policies can do: curves, gap, pass@k, difficulty, transfer."""

from __future__ import annotations

from markupsafe import Markup

from flows.report.charts import Axes, Series, line_chart
from flows.report.curves import CHANCE, PolicyCurve, pass_at_k_panel
from flows.report.palette import AMBER, BROWN, INK, PINK, policy_colour
from flows.report.panel import Panel, Table, charts
from flows.report.values import (
    between,
    change_cell,
    percent,
    point,
    points,
    policy_title,
    share_cell,
    unchecked,
)
from flows.rest_em.page.policies import (
    Shares,
    iteration_ticks,
    level_bars,
    shown_policies,
)
from flows.rest_em.results import PolicyReport, RunReport, Transfer
from flows.runs.sample_filter import CUT, NOT_CHECKED, SampleFilter
from flows.runs.sample_link import samples_link
from tasks.dag.step_names import TEST
from tasks.evaluate.intervals import Interval


def metric_names(report: RunReport) -> list[str]:
    """Every metric of any policy: the greedy ones, then pass@k and votes by size."""
    return sorted({name for now in report.iterations for name in now.metrics}, key=_rank)


def accuracy_chart(report: RunReport, *, standalone: bool = False) -> str:
    """Accuracy over iterations: test, train, and the largest vote."""
    votes = [name for name in metric_names(report) if "maj@" in name]
    lines = [("greedy", "test, greedy", INK), ("train", "train, greedy", AMBER)]
    lines += [(name, f"test, {name}", PINK) for name in votes[-1:]]
    series = [
        Series(
            label,
            shade,
            [
                point(now.iteration, m, f"{policy_title(now.iteration)}, {label}")
                for now in report.iterations
                if (m := now.metrics.get(name))
            ],
            dashed=name == "train",
        )
        for name, label, shade in lines
    ]
    axes = Axes(
        "Accuracy over iterations",
        f"Share of problems solved by each policy with {100 * report.confidence:g}% intervals.",
        "iteration",
        "problems solved",
        iteration_ticks(report.iterations),
    )
    return line_chart(series, axes, standalone=standalone)


def accuracy(report: RunReport) -> Panel:
    """Curves with intervals."""
    level = f"{100 * report.confidence:g}%"
    note = f"Greedy decoding. Bands: {level} bootstrap intervals over problems."
    return Panel("Accuracy over iterations", note, charts(accuracy_chart(report))).or_nothing()


def gap(report: RunReport) -> Panel:
    """Training-set accuracy minus test-set accuracy (figure 4 of the paper)."""
    found = [
        point(now.iteration, m, policy_title(now.iteration), signed=True)
        for now in report.iterations
        if (m := now.metrics.get("gap"))
    ]
    axes = Axes(
        "Train-test gap",
        "Training accuracy minus test accuracy of each policy.",
        "iteration",
        "train − test",
        iteration_ticks(report.iterations),
    )
    chart = line_chart([Series("train − test", BROWN, found)], axes)
    note = "Training accuracy minus test accuracy, greedy. A gap that grows is over-fitting."
    return Panel("Train–test gap", note, charts(chart)).or_nothing()


def pass_at_k_curves(report: RunReport) -> Panel:
    """pass@k of each policy against the base (figure 5)."""
    curves = [
        PolicyCurve(policy_title(n), policy_colour(n), now.metrics, dashed=not n)
        for now in shown_policies(report.iterations)
        for n in [now.iteration]
    ]
    note = f"{CHANCE} A curve that crosses below the base has lost variety."
    return pass_at_k_panel("pass@k against the base policy", curves, note=note)


def by_level(report: RunReport) -> Panel:
    """Greedy accuracy by difficulty."""

    def values(now: PolicyReport) -> Shares:
        return {
            level: (m.value, f"{share_cell(m)}, {m.problems} problems")
            for level, m in now.levels.items()
        }

    title = "Greedy accuracy by difficulty"
    chart = level_bars(report.iterations, values, title, "problems solved")
    return Panel("Test accuracy by difficulty", "Greedy decoding.", charts(chart)).or_nothing()


def all_metrics(report: RunReport) -> Panel:
    """Every metric of every policy with its interval."""
    policies = report.iterations
    rows: list[list[str]] = [
        [name, *(_cell(now.metrics.get(name), name) for now in policies)]
        for name in metric_names(report)
    ]
    tokens = [now.mean_tokens for now in policies]
    if any(tokens):
        rows.append(["mean tokens", *(f"{mean:.1f}" if mean else "–" for mean in tokens)])
    if any(now.truncated is not None for now in policies):
        rows.append(["cut at the limit", *(_cut(report, now) for now in policies)])
    if any(now.statuses for now in policies):
        rows.append(["not checked (error)", *(_unchecked(report, now) for now in policies)])
    digests = (Markup("<code>{}</code>").format(now.model[:12]) for now in policies)
    rows.append(["model digest", *digests])
    note = f"{100 * report.confidence:g}% intervals in brackets; the gap is in percentage points."
    head = ["", *(policy_title(now.iteration) for now in policies)]
    return Panel("All results", note, table=Table(head, rows), kind="long")


def _unchecked(report: RunReport, now: PolicyReport) -> str:
    asked = SampleFilter(TEST, now.iteration, NOT_CHECKED)
    count = unchecked(now.statuses)
    return samples_link(report.run, asked, f"{count:,}") if count else "0"


def _cut(report: RunReport, now: PolicyReport) -> str:
    asked = SampleFilter(TEST, now.iteration, finish=CUT)
    shown = percent(now.truncated or 0.0)
    return samples_link(report.run, asked, shown) if now.truncated else shown


def _rank(key: str) -> tuple[int, str, int]:
    kind, _, size = key.partition("@")
    order = ["greedy", "train", "gap", "validation", "pass", "maj"]
    place = order.index(kind) if kind in order else len(order)
    return place, kind, int(size) if size.isdecimal() else 0


def _cell(m: Interval | None, name: str) -> Markup | str:
    if m is None:
        return "–"
    value = points(m.value, "") if name == "gap" else percent(m.value)
    return Markup("{} <small>{}</small>").format(value, between(m, name != "gap"))


def by_base_success(report: RunReport) -> Panel:
    """Gains by how often the base policy solves a problem (figure 8)."""
    found = {
        now.iteration: {one.bin: one for one in now.against_base.bins}
        for now in report.iterations
        if now.against_base and now.against_base.bins
    }
    first = {name: one for bins in reversed(found.values()) for name, one in bins.items()}
    rows = []
    for name in dict.fromkeys(name for bins in found.values() for name in bins):
        of = (bins.get(name) for bins in found.values())
        cells = (change_cell(one.difference) if one else "–" for one in of)
        rows.append([name, str(first[name].problems), percent(first[name].before), *cells])
    head = ["base solves, of its samples", "problems", "base", *map(policy_title, found)]
    note = (
        "Difference in greedy accuracy, in points, by the share of the base policy's samples that "
        "are right. The bins come from samples and the differences from greedy solutions, so "
        "selection makes no gain of its own."
    )
    table = Table(head, rows)
    return Panel("Gain by difficulty for the base policy", note, table=table).or_nothing()


def transfer(report: RunReport) -> Panel:
    """Greedy accuracy on other benchmarks (figure 9), with regressions marked."""
    names = sorted({name for now in report.iterations for name in now.transfer})
    rows = [
        [name, *(_transfer_cell(now.transfer.get(name)) for now in report.iterations)]
        for name in names
    ]
    head = ["", *(policy_title(now.iteration) for now in report.iterations)]
    note = (
        "Greedy accuracy on benchmarks that the policy is not trained for, and the difference to "
        "the base policy on the same problems, in points. A regression is a difference whose whole "
        "interval lies below zero."
    )
    return Panel("Transfer", note, table=Table(head, rows), kind="long").or_nothing()


def _transfer_cell(found: Transfer | None) -> Markup | str:
    if found is None:
        return "–"
    change = change_cell(found.difference) if found.difference else ""
    mark = " regression" if found.regression else ""
    return Markup("{}<br><small>{}{}</small>").format(share_cell(found.greedy), change, mark)
