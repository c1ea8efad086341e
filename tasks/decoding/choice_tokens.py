"""Choices of several tokens, as questions about one next token each.

log p(choice | prompt) is the sum over its tokens of log p(token | prompt and the tokens before it).
So all that an engine is asked is how likely some next tokens are behind a prompt and a *stem*, the
tokens of a choice that stand already. Choices of one token each have one stem, the empty one.

This file imports the standard library alone, because the vLLM engine, which runs under another
environment's Python, loads it by its path.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

Stem = tuple[int, ...]


def mistake(choices: Sequence[str], answers: Sequence[Sequence[int]]) -> str:
    """Why choices cannot be weighed against each other; empty where they can.

    None may be the start of another, for then it also stands for that one.

    Args:
        choices: Texts.
        answers: Their tokens.
    """
    for one, other in itertools.permutations(answers, 2):
        if not one or list(other[: len(one)]) == list(one):
            return (
                f"judge.prompt: choices {list(choices)}: expected answers of which none is empty "
                "and none is the start of another, as the model's tokenizer cuts them"
            )
    return ""


def next_tokens(answers: Sequence[Sequence[int]]) -> dict[Stem, list[int]]:
    """What is asked behind each stem: the tokens that follow it, each once."""
    found: dict[Stem, list[int]] = {}
    for answer in answers:
        for place, token in enumerate(answer):
            following = found.setdefault(tuple(answer[:place]), [])
            if token not in following:
                following.append(token)
    return found


def totals(
    answers: Sequence[Sequence[int]], known: Mapping[Stem, Mapping[int, float]]
) -> list[float]:
    """Log-probability of each answer, from those of next tokens behind each stem."""
    return [
        sum(known[tuple(answer[:place])][token] for place, token in enumerate(answer))
        for answer in answers
    ]
