"""Labels that people gave to pairs of a run's samples: a file of JSON lines.

    {"problem": "svamp/train/12", "first": 0, "second": 3, "p": 1.0, "who": "ann"}

Several people may label a pair; the mean of their p counts. Pairs that are not in the file have no
label.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.errors import UserError
from tasks.rows import Row

_FIELDS = {"problem": str, "first": int, "second": int, "p": (int, float)}


def read_people(path: Path, digest: str, pairs: Sequence[Pair]) -> Iterator[Row]:
    """Rows of rows.PREFERENCE for these pairs.

    Args:
        path: The file.
        digest: SHA-256 that it must have, for a cache key says so already.
        pairs: What was drawn.

    Raises:
        UserError: naming the line and the field, and what was expected.
    """
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    said: dict[tuple[str, int, int], list[float]] = {}
    for number, line in enumerate(raw.splitlines(), start=1):
        if line.strip():
            key, p = _label(line, f"{path} line {number}")
            said.setdefault(key, []).append(p)
    for pair in pairs:
        found = said.get((pair.problem_id, pair.first, pair.second), [])
        yield preference_row(pair, [sum(found) / len(found) if found else None], [""])


def _label(line: bytes, place: str) -> tuple[tuple[str, int, int], float]:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place}: expected a JSON object ({error})") from None
    if not isinstance(row, dict):
        raise UserError(f"{place}: expected a JSON object")
    for name, kind in _FIELDS.items():
        if not isinstance(row.get(name), kind) or isinstance(row[name], bool):
            wanted = {"problem": "a text", "p": "a number from 0 to 1"}.get(name, "a whole number")
            raise UserError(f"{place}: field {name!r}: expected {wanted}")
    p, first, second = float(row["p"]), row["first"], row["second"]
    if not (math.isfinite(p) and 0 <= p <= 1):
        raise UserError(f"{place}: field 'p': expected a number from 0 to 1")
    if first == second:
        raise UserError(f"{place}: field 'second': expected another sample than {first}")
    if first > second:
        first, second, p = second, first, 1 - p
    return (row["problem"], first, second), p
