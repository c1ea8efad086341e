"""`restem bench`: measure the product against a baseline in the same run."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Annotated

import typer

from tasks.errors import UserError
from tasks.paths import ROOT


def bench(
    name: Annotated[
        str,
        typer.Argument(help="What to measure; a wrong name lists them all."),
    ],
    options: Annotated[list[str] | None, typer.Argument(help="Options of that bench.")] = None,
) -> None:
    """Measure something against its baseline in the same run; the last line is the ratio."""
    bench_module(name).run(*(options or []))


def bench_module(name: str) -> ModuleType:
    """The module of a bench, which lies in the checkout and in no installed package.

    Raises:
        UserError: there is no such bench, or no checkout.
    """
    folder = ROOT / "bench"
    if not folder.is_dir():
        raise UserError("bench: not part of an installed restem; run it in a checkout of restem")
    found = {path.stem: path.parent.name for path in folder.glob("*/[!_]*.py")}
    if name not in found:
        raise UserError(f"NAME {name}: expected one of: {', '.join(sorted(found))}")
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module(f"bench.{found[name]}.{name}")
