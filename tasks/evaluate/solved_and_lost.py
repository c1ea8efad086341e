"""Which problems a policy newly solves and newly loses against the base model, with the texts.

Numbers say how much changed; the texts show what. Greedy solutions only: a change there is a change
of the policy, not of the draw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.evaluate.results import CORRECT, Change
from tasks.rows import Row


@dataclass(frozen=True)
class Changed:
    """Ids of problems solved now and not before, and the other way round, in problem order."""

    solved: list[str]
    lost: list[str]


def changed(base_greedy: Iterable[Row], now_greedy: Iterable[Row], order: Iterable[str]) -> Changed:
    """Compare two policies on the problems that both tried."""
    before = {row["problem_id"]: row["reward"] >= CORRECT for row in base_greedy}
    now = {row["problem_id"]: row["reward"] >= CORRECT for row in now_greedy}
    both = [key for key in order if key in before and key in now]
    return Changed(
        solved=[key for key in both if now[key] and not before[key]],
        lost=[key for key in both if before[key] and not now[key]],
    )


def solved_and_lost(
    base_greedy: Iterable[Row],
    now_greedy: Iterable[Row],
    problems: Iterable[Row],
    limit: int = 10,
) -> tuple[list[Change], list[Change]]:
    """Texts of the first `limit` newly solved and newly lost problems.

    Args:
        base_greedy: Rows of the base model: problem_id, reward, text.
        now_greedy: The same of the policy.
        problems: Problem rows; their order (a seeded shuffle) decides which come first.
        limit: Most problems in each list.

    Returns:
        The solved ones and the lost ones.
    """
    base, now, asked = list(base_greedy), list(now_greedy), list(problems)
    change = changed(base, now, (row["id"] for row in asked))
    before = {row["problem_id"]: row["text"] for row in base}
    after = {row["problem_id"]: row["text"] for row in now}
    rows = {row["id"]: row for row in asked}

    def texts(ids: list[str]) -> list[Change]:
        return [
            Change(key, rows[key]["question"], rows[key]["reference"], before[key], after[key])
            for key in ids[:limit]
        ]

    return texts(change.solved), texts(change.lost)
