"""The reference of all commands, made from the parsers that read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from flows.cli.main import app
from scripts.site.text import cell, code, table


def verbs() -> Iterator[tuple[str, Any]]:
    """Every command by its whole name, such as `store list`, and what typer knows of it."""
    yield from _verbs(typer.main.get_command(app), "")


def _verbs(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for inner, verb in command.commands.items():
            yield from _verbs(verb, f"{name} {inner}".strip())
    else:
        yield name, command


def options(command: Any) -> list[list[str]]:
    """A row for each argument and option: its names, and its meaning with its default."""
    context = typer.Context(command)
    records = (one.get_help_record(context) for one in command.params)
    return [[code(record[0].strip()), cell(record[1])] for record in records if record]


def usage(name: str, command: Any) -> str:
    """The first line of its help."""
    return " ".join(["restem", name, *command.collect_usage_pieces(typer.Context(command))])


def page() -> str:
    """The page of all commands."""
    lines = [
        "# Commands",
        "",
        "Every verb of `restem`, made from its parser. `restem VERB --help` prints the same. Exit "
        "codes: 0 done, 2 a mistake of yours (one line says the field or file and what was "
        "expected), 1 a failure (the line says where the log is).",
        "",
    ]
    for name, command in verbs():
        if getattr(command, "hidden", False):
            continue
        lines += [f"## restem {name}", "", cell(command.help or ""), ""]
        lines += ["```text", usage(name, command), "```", ""]
        if rows := options(command):
            lines += [table(["argument or option", "meaning"], rows), ""]
    return "\n".join(lines)
