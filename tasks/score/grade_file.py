"""`restem grade FILE`: JSON lines in, the same lines with their verdicts out, as a stream."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TextIO

from tasks.dag.contracts import Grader
from tasks.errors import UserError
from tasks.facts import is_object
from tasks.rows import Status


def grade_lines(lines: Iterable[str | bytes], pool: Grader, out: TextIO) -> int:
    """Grade each line of {"gold", "prediction", ...} and write it with its verdict.

    Adds "correct", "status", "extracted" and "seconds". Empty lines are skipped. The verdicts of
    the lines before a malformed one are written before the error is raised.

    Returns:
        How many lines were graded.

    Raises:
        UserError: a line is not a JSON object with a gold and a prediction.
    """
    waiting: deque[dict[str, object]] = deque()
    mistakes: list[UserError] = []

    def pairs() -> Iterator[tuple[str, str]]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = _row(number, line)
            except UserError as error:
                mistakes.append(error)
                return
            waiting.append(row)
            yield str(row["gold"]), str(row["prediction"])

    count = 0
    for grade, seconds in pool.grade(pairs()):
        row = waiting.popleft()
        row["correct"] = grade.status is Status.CORRECT
        row["status"] = grade.status.value
        row["extracted"] = grade.extracted
        row["seconds"] = round(seconds, 6)
        out.write(json.dumps(row) + "\n")
        count += 1
    if mistakes:
        raise mistakes[0]
    return count


def _row(number: int, line: str | bytes) -> dict[str, object]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(
            f'line {number}: not JSON; expected an object with "gold" and "prediction"'
        ) from None
    if not is_object(row):
        raise UserError(f'line {number}: expected an object with "gold" and "prediction"')
    for field in ("gold", "prediction"):
        value = row.get(field)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UserError(f'line {number}: expected a text or a number in "{field}"')
    return row
