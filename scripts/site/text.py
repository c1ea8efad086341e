"""Markdown of the generated pages."""

from __future__ import annotations

from collections.abc import Sequence


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code(value: object) -> str:
    """A value as code; a bar in it ends no cell of a table here."""
    return f"`{value}`"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
