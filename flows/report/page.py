"""One self-contained HTML page from its parts; what the report of any flow ends in.

The page asks nothing of the network: its style, script and charts are in it, and a content policy
forbids everything else, so text that a model wrote can neither load nor run anything even if an
escape were forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markupsafe import Markup

from flows.report.panel import Panel, Table, Tile, layout
from flows.report.values import clean

ASSETS = Path(__file__).resolve().parent / "assets"


@dataclass
class Page:
    """What a page shows, from top to bottom.

    Attributes:
        title: Of the browser's tab.
        facts: Short texts in the first line: run, policy, state.
        headline: What happened.
        lead: Sentences under it.
        panels: In their order; narrow ones come to stand beside each other.
    """

    title: str
    facts: list[str]
    headline: str
    lead: list[str] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    footer: str = ""


def render_page(page: Page) -> str:
    """The HTML of a page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    script = "\n" + _asset("tips.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        rows=layout(page.panels),
        absent=[panel.title for panel in page.panels if panel.absent],
        style=Markup(_asset("style.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def with_commands(page: str, title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A rendered page with a section of commands after its headline.

    Args:
        rows: What a command does, and the command.
    """
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        '<td style="text-align:left;width:100%">'
        f"<code>{html.escape(clean(command))}</code></td></tr>\n"
        for name, command in rows
    )
    section = (
        f'\n<section class="next"><h2>{html.escape(title)}</h2>'
        f'<div class="scroll"><table><tbody>{body}</tbody></table></div></section>'
    )
    head, end, rest = page.partition("</header>")
    return f"{head}{end}{section}{rest}" if end else page


def bootstrap_footer(confidence: float, besides: str = "") -> str:
    """What the intervals of a page mean; `besides` is what else they do not cover."""
    return (
        f"Intervals are {100 * confidence:g}% bootstrap intervals over problems: they say how far "
        "the numbers would move with other problems of the same kind, not with another "
        f"seed{besides}."
    )


def markdown_table(table: Table) -> list[str]:
    """A table in lines of markdown."""
    lines = [f"| {' | '.join(map(plain, table.head))} |", f"|{'---|' * len(table.head)}"]
    return lines + [f"| {' | '.join(map(plain, row))} |" for row in table.rows]


def markdown_warnings(warnings: Sequence[str]) -> list[str]:
    """Warnings under a title, in lines of markdown; none without any."""
    lines = ["", "**Warnings**", "", *(f"- {plain(text)}" for text in warnings)]
    return lines if warnings else []


def plain(text: str | int | float) -> str:
    """Text that markdown neither formats nor takes for HTML; of HTML of ours its words."""
    words = text.striptags() if isinstance(text, Markup) else str(text)
    one_line = " ".join(clean(words).split())
    for sign in "\\`*_[]|#":
        one_line = one_line.replace(sign, f"\\{sign}")
    return html.escape(one_line, quote=False)


def picture(chart: str, title: str) -> str:
    """A chart as a picture in markdown, empty where there is none."""
    if not chart:
        return ""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(chart.encode()).decode()})"


@cache
def _asset(file: str) -> str:
    return (ASSETS / file).read_text(encoding="utf-8")
