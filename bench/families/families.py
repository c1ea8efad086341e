"""`restem bench families [vllm] [NAME...]`: which architectures are sampled and trained rightly.

Makes a tiny model of each with random weights, checks it (_checks.py) and writes the table of
docs/models.md. With `vllm` the models are also loaded by vLLM's CPU build and asked for the same
greedy texts, which takes about half a minute each; otherwise that column stays as it is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.families import _checks as checks
from bench.families._table import (
    DOCUMENT,
    NOT_TRIED,
    Cells,
    cells_of,
    families,
    read_table,
    with_table,
)


def run(*options: str) -> float:
    """Check families and write the table.

    Args:
        options: `vllm`, and names of families; none: all.

    Returns:
        Share of the families whose texts and losses are right.

    Raises:
        UserError: there is no such family, or no vLLM.
    """
    import torch

    torch.set_num_threads(1)  # more only wait for each other
    chosen = families([one for one in options if one != "vllm"])
    document = DOCUMENT.read_text(encoding="utf-8")
    rows, right = read_table(document), 0
    with tempfile.TemporaryDirectory() as place:
        for number, family in enumerate(chosen):
            work = Path(place) / str(number)
            folder = checks.make(family.name, work / "model")
            before = rows.get(family.name)
            vllm = before.vllm if before else NOT_TRIED
            if "vllm" in options:
                from bench.families._vllm import compared

                vllm = compared(family.name, work)
            rows[family.name] = cells_of(family.name, folder, work / "rows", vllm)
            fault = _fault(folder, work)
            right += not fault
            print(f"{family.name}: {'; '.join(rows[family.name])} {fault}".rstrip(), flush=True)
            _write(rows)
    print(f"families ratio={right / len(chosen):.2f}")
    return right / len(chosen)


def _write(rows: dict[str, Cells]) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    order = {one.name: rows[one.name] for one in families([]) if one.name in rows}
    DOCUMENT.write_text(with_table(document, order), encoding="utf-8")


def _fault(folder: Path, work: Path) -> str:
    """What is wrong with a family, or ""."""
    model = checks.load(folder)
    if checks.sampled(model, checks.prompts()) != checks.generated(model, checks.prompts()):
        return "FAULT: sampling differs from generate"
    found = checks.losses(folder, work / "unpacked", packing=False)
    if abs(found.batch - found.rows) > checks.LOSS_LIMIT:
        return f"FAULT: loss {found.batch:.4f}, row by row {found.rows:.4f}"
    return ""
