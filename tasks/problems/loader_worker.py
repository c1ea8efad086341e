"""The process of a loader of the user's own: writes the rows that it gives as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tasks.processes.function_worker import Function, WrongReturn, serve_function
from tasks.rows import Json

# In the place of what is no row, and of what JSON does not know: the name of its type.
NO_ROW, NO_JSON = "\0 no row", "\0 no JSON"
# More than any data set of problems has; one that never ends is found before the disk is full.
MOST_ROWS = 2_000_000


def call_loader(function: Function, given: Json) -> int:
    """Write the rows of a split into the file `out`, and say how many there are.

    Raises:
        WrongReturn: it gave nothing to go through, or never ends.
    """
    rows: object = function(**given["arguments"])
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | dict):
        raise WrongReturn(f"it returned {type(rows).__name__}; expected rows, a dict each")
    count = 0
    with Path(given["out"]).open("w", encoding="ascii") as file:
        for row in rows:
            count += 1
            if count > MOST_ROWS:
                raise WrongReturn(f"it gives more than {MOST_ROWS:,} rows")
            plain = row if isinstance(row, dict) else {NO_ROW: type(row).__name__}
            file.write(json.dumps(plain, default=_type) + "\n")
    return count


def _type(value: object) -> dict[str, str]:
    return {NO_JSON: type(value).__name__}


def main() -> None:
    """The body of the process."""
    serve_function(call_loader)
