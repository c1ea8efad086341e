"""Which of the checks of a fine-tune gives the policy (`finetune.choose`).

A check measures the mean reward on the validation problems. On 100 to 200 of them its standard
error is some points, as much as the checks of one fine-tune differ, so the highest is often so by
chance, and its reward is too high for the same reason. The rules:

- `best`: the check with the highest reward, the earlier of equals (arXiv 2312.06585, section 3).
- `one_se`: the earliest whose reward is less than the best one's by at most one standard error of
  their difference (Breiman et al. 1984, section 3.4.3). All checks solve the same problems, so the
  difference is taken problem by problem, and what makes a problem hard for both cancels.
- `last`: the last one. What was measured decides nothing, and training is not stopped by it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tasks.finetune.results import Choose, HistoryEntry

# Sums of decimals that are equal by hand are not in the last bit.
_ROUNDING = 1e-12


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of some values; 0 of a single one."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def paired_standard_error(first: Sequence[float], second: Sequence[float]) -> float:
    """Of the difference of two mean rewards on the same problems, in the same order."""
    return standard_error([one - other for one, other in zip(first, second, strict=True)])


def checks_of(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The entries that are checks, in their order."""
    return [entry for entry in history if entry.reward is not None]


def best(history: Sequence[HistoryEntry]) -> HistoryEntry | None:
    """The check with the highest reward, the earlier of equals; None of no checks."""
    return max(checks_of(history), key=lambda one: one.reward or 0.0, default=None)


def kept(history: Sequence[HistoryEntry], rule: Choose) -> HistoryEntry | None:
    """The check whose weights are the policy, as far as was measured; None of no checks."""
    checks, top = checks_of(history), best(history)
    if top is None or rule == "best":
        return top
    if rule == "last":
        return checks[-1]
    return next(one for one in checks if one is top or _within(one, top))


def may_be_kept(history: Sequence[HistoryEntry], rule: Choose) -> set[int]:
    """Steps of the checks that are kept now, or may be after further checks.

    By `one_se` a check comes back where a later one is better and solves other problems. Never one
    that is more than 1 / sqrt(problems) below the best: differences in [-1, 1] with mean d have a
    standard error of at most sqrt((1 - d^2) / (problems - 1)), which is less than d there.
    """
    found, top = kept(history, rule), best(history)
    if rule != "one_se" or top is None:
        return {found.step} if found else set()
    most = 1 / math.sqrt(len(top.rewards or [0])) + _ROUNDING
    return {one.step for one in checks_of(history) if _gap(one, top) <= most}


def _gap(one: HistoryEntry, top: HistoryEntry) -> float:
    return (top.reward or 0.0) - (one.reward or 0.0)


def _within(one: HistoryEntry, top: HistoryEntry) -> bool:
    error = paired_standard_error(top.rewards or [], one.rewards or [])
    return _gap(one, top) <= error + _ROUNDING
