"""Weights of choices where a service says nothing but the likeliest next tokens.

A token stands for the choice that it spells, white space apart, or that alone begins with it. The
weight of a choice is the sum over its tokens. One that is not among the likeliest has at most the
probability of the least likely one there, and at most what all of them leave over: it gets that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

# A service may round, and the likeliest tokens then have all that there is.
_LEAST = 1e-9


def weigh(top: Iterable[tuple[str, float]], choices: Sequence[str]) -> list[float] | None:
    """Log-probabilities of choices.

    Args:
        top: The likeliest next tokens with their log-probabilities.
        choices: Texts of which none begins with another.

    Returns:
        One for each choice; None where none of them is among the likeliest.
    """
    known = list(top)
    found: list[list[float]] = [[] for _ in choices]
    for token, value in known:
        place = stands_for(token, choices)
        if place is not None:
            found[place].append(value)
    if not any(found):
        return None
    left = 1.0 - sum(math.exp(value) for _, value in known)
    most = min(min(value for _, value in known), math.log(max(left, _LEAST)))
    return [_sum(values) if values else most for values in found]


def stands_for(token: str, choices: Sequence[str]) -> int | None:
    """The place of the choice that a token stands for; None: of none."""
    plain, known = token.strip(), [choice.strip() for choice in choices]
    if not plain:
        return None
    if plain in known:
        return known.index(plain)
    begun = [place for place, choice in enumerate(known) if choice.startswith(plain)]
    return begun[0] if len(begun) == 1 else None


def _sum(values: list[float]) -> float:
    """Log of the sum of probabilities."""
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values))
