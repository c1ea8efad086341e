"""What a problem's own checker is shown to see that its reference can be met at all."""

from __future__ import annotations

import json

from tasks.rows import Row


def reference_try(row: Row) -> str | None:
    """A completion that must be right: the reference as an answer, or the human program.

    Args:
        row: A problem.

    Returns:
        The completion; None where there is none to try: code without a solution, and problems that
        a person grades.
    """
    reference = row["reference"]
    if row["domain"] == "math":
        return reference
    if row["domain"] in ("text", "choice"):
        return f"The answer is {reference}."
    if row["domain"] != "code" or not row["solution"]:
        return None
    if "head" in json.loads(reference):  # the completion goes on from the head
        return row["solution"]
    return f"```python\n{row['solution']}\n```"
