"""An audit's page and markdown, beside the run's report."""

from __future__ import annotations

from pathlib import Path

from flows.audit.results import AuditReport
from flows.audit.tables import (
    DIRECTIONS,
    RATES,
    agreement_line,
    disagreements_table,
    groups_table,
    lead,
    notes,
    rates_table,
    second_name,
    strata_table,
)
from flows.report.page import Page, markdown_table, plain, render_page
from flows.report.panel import Panel, ShownSolution, SolutionGroup, Table, Tile
from flows.report.values import between, percent, scrub

# Kinds of disagreement on the page, and those shown with a whole text; the file of --out has all.
MOST_KINDS = 200
MOST_TEXTS = 25
# A cell of the page's tables is cut here; the texts below them are whole.
_WIDTH = 80


def publish(facts: AuditReport, folder: Path) -> Path:
    """Write audit.json, audit.md and audit.html into a run's folder; where the page is."""
    facts.write(folder)
    (folder / "audit.md").write_text(markdown(facts), encoding="utf-8")
    page = folder / "audit.html"
    page.write_text(render(facts), encoding="utf-8")
    return page


def render(facts: AuditReport) -> str:
    """The HTML page."""
    shown = scrub(facts)
    said = notes(shown)
    panels = [_strata(shown), _rates(shown)]
    if shown.agreement.groups:
        title = f"Agreement by {shown.grouped_by}"
        panels.append(Panel(title, table=groups_table(shown), kind="long"))
    panels += [_direction(shown, side, words) for side, words in DIRECTIONS.items()]
    return render_page(
        Page(
            title=f"{shown.run}: audit of the checker",
            facts=[f"audit of run {shown.run}", second_name(shown)],
            headline=agreement_line(shown),
            lead=[lead(shown), said[0]],
            tiles=_tiles(shown),
            warnings=said[1:],
            panels=panels,
            footer=_method(shown),
        )
    )


def markdown(facts: AuditReport) -> str:
    """A line, the tables, the notes."""
    shown = scrub(facts)
    lines = [f"# Audit of `{plain(shown.run)}`", "", f"{plain(agreement_line(shown))}.", ""]
    lines += [plain(lead(shown)), ""]
    for table in (strata_table(shown), rates_table(shown), groups_table(shown)):
        lines += [*markdown_table(table), ""] if table.rows else []
    for side, words in DIRECTIONS.items():
        table = disagreements_table(shown, side)
        if table.rows:
            lines += [f"## {plain(words[0].upper() + words[1:])}", ""]
            lines += [*markdown_table(Table(table.head, table.rows[:MOST_TEXTS])), ""]
    lines += [f"- {plain(text)}" for text in notes(shown)]
    return "\n".join([*lines, "", plain(_method(shown)), ""])


def _tiles(facts: AuditReport) -> list[Tile]:
    tiles = []
    if m := facts.agreement.overall:
        tiles.append(Tile(percent(m.value), f"agreement {between(m)}"))
    for key in ("false_positive", "false_negative"):
        words = RATES[key].split(":")[0]
        if m := facts.estimates and vars(facts.estimates)[key]:
            tiles.append(Tile(percent(m.value), f"{words}, with labels {between(m)}"))
        elif m := vars(facts.bounds)[key]:
            # Of an error that was not seen, the bound is how often it may have gone unseen.
            seen, said = (m.value, f"a bound {between(m)}") if m.value else (m.high, "none seen")
            tiles.append(Tile(f"≤ {percent(seen)}", f"{words}, {said}"))
    return tiles


def _strata(facts: AuditReport) -> Panel:
    note = (
        "Drawn at random within each of our verdicts, and weighted by how many pairs each has. "
        "Equal and unequal: the second checker's opinions."
    )
    return Panel("What was asked", note, table=strata_table(facts)).or_nothing()


def _rates(facts: AuditReport) -> Panel:
    note = f"In brackets: {100 * facts.confidence:g}% intervals."
    return Panel("Our checker's errors", note, table=rates_table(facts)).or_nothing()


def _direction(facts: AuditReport, side: str, words: str) -> Panel:
    table, kinds = disagreements_table(facts, side, _WIDTH), facts.disagreements[side]
    title = words[0].upper() + words[1:]
    if not kinds:
        return Panel(title, "No such pair was seen.")
    group = SolutionGroup(
        f"One text of each kind ({min(MOST_TEXTS, len(kinds))} of {len(kinds)} shown)",
        [
            ShownSolution(
                id=one.problem,
                question=one.question,
                reference=f"answer {one.reference}",
                policy=f"We found {one.extracted or 'nothing'}, the second checker "
                f"{one.second_text or 'nothing'}",
                after=one.text,
                after_mark=one.status.replace("_", " "),
            )
            for one in kinds[:MOST_TEXTS]
        ],
    )
    note = "Pairs with equal readings together, the most common first."
    if len(kinds) > MOST_KINDS:
        note += f" The first {MOST_KINDS} of {len(kinds):,} kinds."
    shown = Table(table.head, table.rows[:MOST_KINDS])
    folded = f"{len(kinds):,} kinds" if len(kinds) > MOST_TEXTS else ""
    return Panel(title, note, table=shown, groups=[group], kind="long", folded=folded)


def _method(facts: AuditReport) -> str:
    return (
        f"Intervals: {100 * facts.confidence:g}%, {facts.resamples:,} bootstrap resamples of "
        "the problems, each with all its pairs and their weights (cluster bootstrap, Davison & "
        "Hinkley 1997); where fewer than ten problems show an event, exact bounds over "
        "problems (Clopper & Pearson 1934)."
    )
