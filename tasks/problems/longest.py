"""The longest tests of a program, where not all of them are wanted (`data.max_tests`).

Sets of contest problems have hundreds of tests for some. The longest ones are kept, because small
ones are mostly samples and a slow or careless program fails at the large ones.
"""

from __future__ import annotations

import json

from tasks.rows import Json, Row


def keep_longest(splits: dict[str, list[Row]], most: int) -> tuple[dict[str, list[Row]], str]:
    """Problems with so many tests at most, and what was left out in words.

    Args:
        splits: Problems by split.
        most: Tests of a problem; 0: all.
    """
    if not most:
        return splits, ""
    cut = {split: [_cut(row, most) for row in rows] for split, rows in splits.items()}
    dropped = sum(count for rows in cut.values() for _, count in rows)
    note = f"{dropped:,} tests left out beside the {most} longest of a problem" if dropped else ""
    return {split: [row for row, _ in rows] for split, rows in cut.items()}, note


def _cut(row: Row, most: int) -> tuple[Row, int]:
    """A problem with its longest tests, in their order, and how many it lost."""
    if row["domain"] != "code":
        return row, 0
    reference = json.loads(row["reference"])
    field = next((name for name in ("tests", "cases") if name in reference), None)
    if field is None or len(reference[field]) <= most:
        return row, 0
    tests: list[Json] = reference[field]
    by_length = sorted(range(len(tests)), key=lambda number: (-_length(tests[number]), number))
    kept = [tests[number] for number in sorted(by_length[:most])]
    return {**row, "reference": json.dumps({**reference, field: kept})}, len(tests) - most


def _length(test: Json) -> int:
    return len(test["input"]) if "input" in test else len(json.dumps(test["args"]))
