"""Two policies on the same problems: what changed, and whether chance explains it.

- McNemar's exact test (McNemar 1947; Psychometrika 12): of the problems that only one of the two
  solves, a fair coin decides under the null hypothesis which.
- The difference of every metric, with a bootstrap interval over problems resampled in pairs.
- Difficulty bins of figure 8 of ReST^EM (arXiv 2312.06585): problems by how many of the base's
  samples are correct. Bins made from the scores that are then compared would show a gain on hard
  and a loss on easy problems by selection alone (regression to the mean), so the bins come from the
  sampled solutions and the comparison from the greedy ones.
- Holm's step-down correction (Holm 1979; Scand. J. Statist. 6) for several benchmarks.

Not covered: more than two policies at once; clusters of problems that hang together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tasks.evaluate.intervals import Interval, paired_difference
from tasks.evaluate.results import CORRECT, Bin, McNemar

# Lowest share of the base's samples in a bin, as the paper cuts them, hardest last.
BINS = ((0.75, "75% or more"), (0.5, "50% to 75%"), (0.25, "25% to 50%"), (0.0, "less than 25%"))

Scores = Mapping[str, float]


def mcnemar(before: Scores, after: Scores) -> McNemar:
    """Compare two policies on the problems that both tried; a score of 1 is a solved problem."""
    both = before.keys() & after.keys()
    solved = sum(before[k] < CORRECT <= after[k] for k in both)
    lost = sum(after[k] < CORRECT <= before[k] for k in both)
    changed = solved + lost
    tail = sum(math.comb(changed, i) for i in range(min(solved, lost) + 1))
    # Whole numbers until the end, so that no count is too large for it.
    p = min(1.0, 2 * tail / 2**changed) if changed < 1000 else _large(tail, changed)
    return McNemar(solved, lost, p)


def _large(tail: int, changed: int) -> float:
    """2 tail / 2^changed where the two do not fit a float."""
    shift = max(tail.bit_length() - 64, 0)
    return min(1.0, math.ldexp(float(tail >> shift), shift + 1 - changed))


def differences(
    before: Mapping[str, Scores],
    after: Mapping[str, Scores],
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Interval]:
    """Mean of after minus before in every metric that both have, over the problems of both.

    Args:
        before: Metric → problem → score in [0, 1] of the first policy.
        after: The same of the second.
        confidence: Level, such as 0.95.
    """
    found = {}
    for name in before:
        both = sorted(before[name].keys() & after.get(name, {}).keys())
        if both:
            found[name] = paired_difference(
                [before[name][key] for key in both],
                [after[name][key] for key in both],
                resamples,
                confidence,
                seed,
            )
    return found


def difficulty_bins(
    success: Scores,
    before: Scores,
    after: Scores,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Bin]:
    """Gains by the base's success, easiest bin first; bins without a problem are left out.

    Args:
        success: Problem → share of the base's samples that are correct.
        before: Problem → greedy score of the base.
        after: Problem → greedy score of the policy.
        confidence: Level, such as 0.95.
    """
    members: dict[str, list[str]] = {name: [] for _, name in BINS}
    for key in sorted(success.keys() & before.keys() & after.keys()):
        members[next(name for low, name in BINS if success[key] >= low)].append(key)
    found = []
    for name, keys in members.items():
        if keys:
            first, second = [before[key] for key in keys], [after[key] for key in keys]
            difference = paired_difference(first, second, resamples, confidence, seed)
            found.append(
                Bin(name, len(keys), sum(first) / len(keys), sum(second) / len(keys), difference)
            )
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: one below the level holds for the whole family."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
