"""Rewards beside the checker's own: how much a training sample is worth (`filter.score`).

The checker says whether a sample is right, and gives 1 or 0 (of a program, with `tests`, the share
of tests passed). A reward here is a function of the problem's reference, the sample's text and that
grade, in [0, 1]; the status of the verdict stays the checker's, so what is measured of a policy
does not change. To add one: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable

from tasks.dag.contracts import Grade

# Reference, text, the checker's grade -> reward in [0, 1]. Must depend on nothing else: verdicts
# are cached by the reward's name.
Reward = Callable[[str, str, Grade], float]

# `filter.score` -> reward; those that the checkers give themselves have no entry.
REWARDS: dict[str, Reward] = {}
