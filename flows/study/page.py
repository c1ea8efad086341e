"""The page of a study: claims beside the paper's, figures, numbers, design, cost and command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flows.report.page import Page, markdown_table, picture, plain, render_page
from flows.report.panel import Panel, Table, Tile, charts
from flows.report.values import counted
from flows.study.comparison import COMPARISON_NOTE, comparison_table
from flows.study.config import StudyConfig
from flows.study.design import Comparison
from flows.study.results import Account
from flows.study.summary import FinishedStudy, numbers_table

FOOTER = (
    "Intervals are 95% intervals of Student's t over seeds, all tested on the same problems: they "
    "say how far a number would move with other samples and another order of training. Agreement "
    "is judged by the rule in the study's design: an interval on the claimed side of zero agrees, "
    "one on the other side disagrees, any other is undecided."
)


def console_lines(one: FinishedStudy) -> list[str]:
    """A study for the console: what was reused, claims, warnings."""
    lines = [f"{one.study.name}: {reuse(one.account)}"]
    for found in one.claims:
        lines += [f"  {found.here}", f"    {found.sentence}"]
    return lines + [f"  warning: {text}" for text in one.warnings]


def reuse(account: Account) -> str:
    """How much of a study was made and how much was there."""
    samples, seconds = account.samples, account.seconds
    if not samples.asked:
        return "nothing was sampled"
    reused = 1 - samples.made / samples.asked
    return (
        f"{samples.made:,.0f} of {samples.asked:,.0f} samples drawn now, {100 * reused:.0f}% "
        f"reused ({samples.shared:,.0f} shared by its runs or studies before it, "
        f"{samples.found:,.0f} in the store); {seconds.made:,.0f} of {seconds.asked:,.0f} s of "
        f"work; {account.wall:,.0f} s"
    )


def render(one: FinishedStudy, config: StudyConfig) -> str:
    """The HTML page of a study."""
    drawn = [draw(one.results, False) for draw in one.study.figures]
    figures = [Panel(figure.title, charts=charts(figure.svg)) for figure in drawn if figure.svg]
    return render_page(
        Page(
            title=f"study {one.study.name}",
            facts=[f"study {one.study.name}", _seeds(len(one.results.seeds)), _command(one)],
            headline=one.study.title,
            lead=[one.study.question],
            tiles=_tiles(one),
            warnings=one.warnings,
            panels=[
                Panel("The paper's claims", table=_claims(one), kind="prose"),
                *([_comparison(one, found)] if (found := one.study.comparison) else []),
                *figures,
                _numbers(one),
                _design(one, config),
                Panel("Cost", note=reuse(one.account)),
            ],
            footer=FOOTER,
        )
    )


@dataclass(frozen=True)
class Overview:
    """All studies of an invocation on one page."""

    html: str
    markdown: str


def overview(done: Sequence[FinishedStudy], config: StudyConfig) -> Overview:
    """The page of an invocation: each study's claims and first figure."""
    if len(done) == 1:
        return Overview(render(done[0], config), markdown(done))
    parts = []
    for one in done:
        drawn = [draw(one.results, False).svg for draw in one.study.figures[:1]]
        note = f"{one.study.question} Details: {one.study.name}.html. {reuse(one.account)}."
        parts.append(Panel(one.study.title, note, charts(*drawn), _claims(one), kind="prose"))
    html = render_page(
        Page(
            title="studies",
            facts=[config.run_id, _seeds(config.seeds)],
            headline="The paper's experiments",
            panels=parts,
            footer=FOOTER,
        )
    )
    return Overview(html, markdown(done))


def markdown(done: Sequence[FinishedStudy]) -> str:
    """What Prefect's UI shows."""
    lines = []
    for one in done:
        lines += [f"## {plain(one.study.title)}", "", plain(one.study.question), ""]
        lines += markdown_table(_claims(one))
        drawn = [draw(one.results, True) for draw in one.study.figures[:1]]
        lines += ["", *(picture(f.svg, f.title) for f in drawn), "", plain(reuse(one.account)), ""]
    return "\n".join(lines)


def _claims(one: FinishedStudy) -> Table:
    rows = [[found.paper, found.here, found.sentence] for found in one.claims]
    return Table(["the paper", "here", "result"], rows)


def _comparison(one: FinishedStudy, comparison: Comparison) -> Panel:
    return Panel(
        f"Held against {comparison.against}",
        note=COMPARISON_NOTE,
        table=comparison_table(comparison, one.results),
    )


def _numbers(one: FinishedStudy) -> Panel:
    """Metrics of each arm."""
    return Panel(
        "Numbers",
        note="In %, with intervals over seeds; accuracy is that of each arm's last policy.",
        table=numbers_table(one),
    )


def _design(one: FinishedStudy, config: StudyConfig) -> Panel:
    rows = []
    for arm in one.arms:
        base = config.bases.of(arm.task)
        changes = ", ".join(f"{key} = {value}" for key, value in arm.changes.items())
        rows.append([arm.name, base.name, changes or "as it is"])
    return Panel(
        "Design",
        kind="prose",
        note="Each arm is a configuration and what is changed in it; the seed goes from 1 up.",
        table=Table(["arm", "configuration", "changes"], rows),
    )


def _tiles(one: FinishedStudy) -> list[Tile]:
    """How many claims came out which way."""
    verdicts = Counter(found.verdict for found in one.claims)
    return [
        Tile(str(verdicts["agrees"]), "of the paper's claims agree here", "up"),
        Tile(str(verdicts["disagrees"]), "disagree", "down"),
        Tile(str(verdicts["undecided"]), "are undecided at this scale"),
    ]


def _seeds(count: int) -> str:
    return counted(count, "seed")


def _command(one: FinishedStudy) -> str:
    return f"restem study {one.study.name} --seeds {len(one.results.seeds)}"
