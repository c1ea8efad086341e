"""An audit's page and markdown, beside the run's report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flows.audit.tables import (
    DIRECTIONS,
    RATES,
    cut,
    disagreement_rows,
    group_rows,
    headline,
    lead,
    notes,
    rate_rows,
    second_name,
    strata_rows,
    table,
)
from flows.report.page import Page, plain, render_page
from flows.report.part import Part, tile
from flows.report.values import as_interval, between, percent, scrub
from tasks.rows import Json

# Kinds of disagreement on the page, and those shown with a whole text; the file of --out has all.
KINDS = 200
TEXTS = 25
# A cell of the page's tables is cut here; the texts below them are whole.
_WIDTH = 80

__all__ = ["markdown", "publish", "render", "table"]


def publish(facts: Json, folder: Path) -> Path:
    """Write audit.json, audit.md and audit.html into a run's folder; where the page is."""
    (folder / "audit.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    (folder / "audit.md").write_text(markdown(facts))
    page = folder / "audit.html"
    page.write_text(render(facts))
    return page


def render(facts: Json) -> str:
    """The HTML page."""
    shown: Json = scrub(facts)
    title = headline(shown)
    said = notes(shown)
    rows = [[_strata(shown)], [_rates(shown)]]
    if shown["agreement"]["groups"]:
        rows.append([_groups(shown)])
    rows += [[_direction(shown, side, words)] for side, words in DIRECTIONS.items()]
    return render_page(
        Page(
            title=f"{shown['run']}: audit of the checker",
            facts=[f"audit of run {shown['run']}", second_name(shown)],
            headline=title,
            lead=[lead(shown), said[0]],
            tiles=_tiles(shown),
            warnings=said[1:],
            rows=rows,
            footer=_method(shown),
        )
    )


def markdown(facts: Json) -> str:
    """A line, the tables, the notes."""
    shown: Json = scrub(facts)
    lines = [f"# Audit of `{plain(shown['run'])}`", "", f"{plain(headline(shown))}.", ""]
    lines += [plain(lead(shown)), ""]
    tables = [strata_rows(shown), rate_rows(shown), group_rows(shown)]
    lines += [line for one in tables if one[1] for line in _markdown_table(*one)]
    for side, words in DIRECTIONS.items():
        titles, rows = disagreement_rows(shown, side)
        if rows:
            lines += [f"## {plain(words[0].upper() + words[1:])}", ""]
            lines += _markdown_table(titles, rows[:TEXTS])
    lines += [f"- {plain(text)}" for text in notes(shown)]
    return "\n".join([*lines, "", plain(_method(shown)), ""])


def _markdown_table(titles: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [f"| {' | '.join(map(plain, titles))} |", f"|{'---|' * len(titles)}"]
    return [*lines, *(f"| {' | '.join(map(plain, row))} |" for row in rows), ""]


def _tiles(facts: Json) -> list[Json]:
    tiles = []
    if m := as_interval(facts["agreement"]["overall"]):
        tiles.append(tile(percent(m.value), f"agreement {between(m)}"))
    labelled = facts["estimates"] or {}
    for key in ("false_positive", "false_negative"):
        words = RATES[key].split(":")[0]
        if m := as_interval(labelled.get(key)):
            tiles.append(tile(percent(m.value), f"{words}, with labels {between(m)}"))
        elif m := as_interval(facts["bounds"][key]):
            tiles.append(tile(f"≤ {percent(m.value)}", f"{words}, a bound {between(m)}"))
    return tiles


def _strata(facts: Json) -> Part:
    titles, rows = strata_rows(facts)
    note = (
        "Drawn at random within each of our verdicts, and weighted by how many pairs each has. "
        "Equal and unequal: the second checker's opinions."
    )
    return Part("What was asked", note, table={"head": titles, "rows": rows}).or_nothing()


def _rates(facts: Json) -> Part:
    titles, rows = rate_rows(facts)
    note = f"In brackets: {100 * facts['confidence']:g}% intervals."
    return Part("Our checker's errors", note, table={"head": titles, "rows": rows}).or_nothing()


def _groups(facts: Json) -> Part:
    titles, rows = group_rows(facts)
    name = f"Agreement by {facts['grouped_by']}"
    return Part(name, table={"head": titles, "rows": rows}, kind="long").or_nothing()


def _direction(facts: Json, side: str, words: str) -> Part:
    titles, rows = disagreement_rows(facts, side)
    kinds = facts["disagreements"][side]
    title = words[0].upper() + words[1:]
    if not rows:
        return Part(title, "No such pair was seen.")
    group = {
        "title": f"One text of each kind ({min(TEXTS, len(kinds))} of {len(kinds)} shown)",
        "problems": [
            {
                "id": one["problem"],
                "question": one["question"],
                "reference": f"answer {one['reference']}",
                "before": "",
                "policy": f"We found {one['extracted'] or 'nothing'}, the second checker "
                f"{one['second_text'] or 'nothing'}",
                "after_mark": one["status"].replace("_", " "),
                "after": one["text"],
            }
            for one in kinds[:TEXTS]
        ],
    }
    rows = [[cut(value, _WIDTH) for value in row] for row in rows]
    note = "Pairs with equal readings together, the most common first."
    if len(rows) > KINDS:
        note += f" The first {KINDS} of {len(rows)} kinds."
    shown = {"head": titles, "rows": rows[:KINDS]}
    folded = f"{len(rows)} kinds" if len(rows) > TEXTS else ""
    return Part(title, note, table=shown, groups=[group], kind="long", folded=folded)


def _method(facts: Json) -> str:
    return (
        f"Intervals: {100 * facts['confidence']:g}%, {facts['resamples']:,} bootstrap resamples of "
        "the problems, each with all its pairs and their weights (cluster bootstrap, Davison & "
        "Hinkley 1997); where fewer than ten problems show an event, exact bounds over "
        "problems (Clopper & Pearson 1934)."
    )
