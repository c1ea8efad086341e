"""Sections about single samples: how they ended, those that were refused, problems won and lost."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup

from flows.report.paired import changed_groups
from flows.report.panel import Panel, ShownSolution, SolutionGroup, Table
from flows.report.values import percent, policy_tick, policy_title
from flows.rest_em.results import RunReport
from flows.runs.sample_filter import LOST, SOLVED, SampleFilter
from flows.runs.sample_link import samples_link
from tasks.dag.step_names import DRAW, TEST

# Where nothing else happens, the accuracy says it already.
_PLAIN = {"correct", "wrong_answer", "no_answer"}


def endings(report: RunReport) -> Panel:
    """Statuses of greedy solutions of test problems and of samples drawn to train on."""
    columns: list[tuple[str, SampleFilter, dict[str, int]]] = []
    for now in report.iterations:
        tick, drawn = policy_tick(now.iteration), now.drawn.statuses if now.drawn else {}
        columns.append((f"{tick}, greedy", SampleFilter(TEST, now.iteration), now.statuses))
        columns.append((f"{tick}, drawn", SampleFilter(DRAW, now.iteration), drawn))
    columns = [one for one in columns if one[-1]]
    found = {status for *_, counts in columns for status in counts}
    rows = []
    for status in sorted(found, key=lambda status: (status != "correct", status)):
        cells = (_ended(report, asked, counts, status) for _, asked, counts in columns)
        rows.append([status.replace("_", " "), *cells])
    table = Table(["", *(title for title, *_ in columns)], rows)
    note = (
        "Greedy solutions of test problems, and samples drawn for training, by policy. "
        "A checker or sandbox error says nothing about the solution; it counts as wrong and is "
        "never trained on."
    )
    wide = "long" if found - _PLAIN else ""
    return Panel("How solutions ended", note, table=table, kind=wide).or_nothing()


def _ended(report: RunReport, asked: SampleFilter, counts: dict[str, int], status: str) -> str:
    """How many ended so, and their share."""
    count = counts.get(status, 0)
    link = samples_link(report.run, replace(asked, status=status), f"{count:,}")
    share = percent(count / sum(counts.values()))
    return Markup("{} ({})").format(link if count else count, share)


def refused_samples(report: RunReport) -> Panel:
    """A sample of each way to fail, from the last policy that was sampled to train on."""
    drawn = [(now, now.drawn) for now in report.iterations if now.drawn and now.drawn.refused]
    groups = [
        SolutionGroup(
            f"Drawn from {policy_title(now.iteration)}",
            [
                ShownSolution(
                    one.id,
                    one.question,
                    one.reference,
                    policy=one.status.replace("_", " "),
                    after=one.text,
                    after_mark="drawn",
                )
                for one in of.refused
            ],
        )
        for now, of in drawn[-1:]
    ]
    note = "The first sample of each way to fail. Nothing of them is trained on."
    return Panel("Samples that were refused", note, groups=groups, kind="long").or_nothing()


def changes(report: RunReport) -> Panel:
    """Newly solved and newly lost problems of the best and the last policy, with their texts."""
    wanted = {one.iteration: one.against_base for one in (report.best, report.iterations[-1])}
    groups: list[SolutionGroup] = []
    for number, found in wanted.items():
        if found:
            name, totals = policy_title(number).capitalize(), (found.solved_total, found.lost_total)
            pair = changed_groups(totals, found.solved, found.lost, name, prefix=f"{name}: newly")
            for group, kind, count in zip(pair, (SOLVED, LOST), totals, strict=True):
                asked = SampleFilter(TEST, number, flipped=kind)
                link = samples_link(report.run, asked, f"read all {count:,}")
                title = Markup("{} {}").format(group.title, link if count else "")
                groups.append(replace(group, title=title))
    note = "Against the base policy, greedy, on test problems. Open one to read both solutions."
    return Panel("Newly solved and newly lost", note, groups=groups, kind="long").or_nothing()
