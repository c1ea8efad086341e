"""The table of docs/models.md: a row for each family, written by `restem bench families`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from bench.families import _checks as checks
from bench.families._tiny import FAMILIES, Family
from tasks.errors import UserError
from tasks.paths import ROOT

DOCUMENT = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"
HEAD = ("family", "models of it", "transformers engine", "packed rows", "vLLM engine")
NOT_TRIED = "not tried"


class Cells(NamedTuple):
    """What the table says of a family, beside its name.

    Attributes:
        examples: Public models of it.
        sampling: How our transformers engine batches it.
        packing: Whether rows may share a sequence in training.
        vllm: Whether vLLM's CPU build gives the same greedy texts.
    """

    examples: str
    sampling: str
    packing: str
    vllm: str


def cells_of(name: str, folder: Path, work: Path, vllm: str = NOT_TRIED) -> Cells:
    """What is so of a family whose small model lies in a folder."""
    from tasks.decoding.kv_cache import is_plain, longrope_switch

    family = next(one for one in FAMILIES if one.name == name)
    model = checks.load(folder)
    config = model.config
    sampling = "any lengths together"
    if not is_plain(config):
        sampling = "equal lengths together"
    elif longrope_switch(config) is not None:
        sampling = "long ones by equal lengths"
    try:
        packing = "yes" if checks.losses(folder, work, packing=True).flat else "yes, with a mask"
    except UserError:
        packing = "no: `finetune.packing = false`"
    return Cells(family.examples, sampling, packing, vllm)


def written(rows: dict[str, Cells]) -> str:
    """The table as markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *((name, *cells) for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_table(document: str) -> dict[str, Cells]:
    """The rows of the table in a document, by family.

    Raises:
        ValueError: it has no such table.
    """
    inside = _place().search(document)
    if inside is None:
        raise ValueError(f"{DOCUMENT.name} has no table between {BEGIN} and {END}")
    lines = [line for line in inside[1].strip().splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {name: Cells(*others) for name, *others in cells}


def with_table(document: str, rows: dict[str, Cells]) -> str:
    """A document with these rows in the place of its table."""
    return _place().sub(lambda _: f"{BEGIN}\n{written(rows)}\n{END}", document)


def _place() -> re.Pattern[str]:
    return re.compile(re.escape(BEGIN) + r"\n(.*?)\n?" + re.escape(END), re.DOTALL)


def families(names: list[str]) -> list[Family]:
    """Those of these names, in the order of the table.

    Raises:
        UserError: there is none of a name.
    """
    known = [one.name for one in FAMILIES]
    for name in names:
        if name not in known:
            raise UserError(f"FAMILY {name}: expected one of: {', '.join(known)}")
    return [one for one in FAMILIES if not names or one.name in names]
