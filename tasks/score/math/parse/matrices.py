r"""Matrices, and their sums, differences, products and multiples, worked out entry by entry.

`2\begin{pmatrix}...\end{pmatrix}` and `A + B` written with their entries become one matrix whose
entries are expressions; these are then compared like any others.

Policy: a matrix is compared entry by entry, whatever its brackets; a column is not a row.

Not covered: inverses, transposes, determinants, more than four matrices in one answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.score.math.limits import MAX_CELLS, MAX_FACTORS, MAX_LENGTH

MATRIX = re.compile(
    r"\\begin\s*\{([pbB]?matrix|array)\}(?:\{[^{}]*\})?((?:(?!\\begin).)*?)\\end\s*\{\1\}",
    re.DOTALL,
)
_VERTICAL = re.compile(
    r"\\begin\s*\{(vmatrix|Vmatrix)\}((?:(?!\\begin).)*?)\\end\s*\{\1\}", re.DOTALL
)
# What may stand between two matrices: a sign, or nothing; and a number or letter before one.
_SCALAR = re.compile(
    r"^\s*([-+]?)\s*\*?\s*((?:\\frac\{[^{}]*\}\{[^{}]*\}|[\w./\\]|\([^()]*\))*)\s*\*?\s*$"
)

Rows = tuple[tuple[str, ...], ...]


def matrix(text: str) -> Rows | None:
    """The rows of a matrix, or of a sum or product of matrices; None for anything else."""
    found = list(MATRIX.finditer(text))
    if not found:
        return _determinant_rows(text)
    if len(found) > MAX_FACTORS or text[found[-1].end() :].strip(" )]"):
        return None
    total: Rows | None = None
    term: Rows | None = None
    at = 0
    for match in found:
        between = text[at : match.start()].lstrip(" )]").rstrip(" ([")
        at = match.end()
        joint = _SCALAR.match(between)
        if joint is None:
            return None
        sign, scalar = joint.groups()
        rows = _rows(match.group(2))
        if scalar or sign == "-":
            rows = tuple(
                tuple(f"{'-' if sign == '-' else ''}({scalar or 1})*({x})" for x in row)
                for row in rows
            )
        if term is None:
            term = rows
        elif sign:
            total = _sum(total, term)
            term = rows
        else:
            term = _product(term, rows)
        if term is None:
            return None
    assert term is not None
    return _sum(total, term)


def _determinant_rows(text: str) -> Rows | None:
    match = _VERTICAL.fullmatch(text.strip())
    return _rows(match.group(2)) if match else None


def _rows(body: str) -> Rows:
    return tuple(
        tuple(cell.strip() for cell in row.split("&")) for row in body.split(r"\\") if row.strip()
    )


def _sum(a: Rows | None, b: Rows | None) -> Rows | None:
    if a is None or b is None:
        return b
    if [len(row) for row in a] != [len(row) for row in b]:
        return None
    return _short(
        tuple(
            tuple(f"({x})+({y})" for x, y in zip(one, other, strict=True))
            for one, other in zip(a, b, strict=True)
        )
    )


def _product(a: Rows, b: Rows) -> Rows | None:
    if any(len(row) != len(b) for row in a) or len({len(row) for row in b}) != 1:
        return None
    columns: Sequence[tuple[str, ...]] = list(zip(*b, strict=True))
    if len(a) * len(columns) > MAX_CELLS:
        return None
    return _short(
        tuple(
            tuple(
                "+".join(f"({x})*({y})" for x, y in zip(row, column, strict=True))
                for column in columns
            )
            for row in a
        )
    )


def _short(rows: Rows) -> Rows | None:
    return rows if all(len(cell) <= MAX_LENGTH for row in rows for cell in row) else None
