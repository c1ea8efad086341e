"""Prompts of which some begin alike: the start of each such group is computed once.

A judge sees every post several times, with other answers behind it and in both orders. The starts
of a batch's groups are one forward pass, and their tails another, on copies of the starts' keys and
values. Starts and tails are padded on the left, so there may be padding between the two: models
that count columns instead of positions (sliding windows) are not computed so.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import Cache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tasks.decoding.kv_cache import plain_layers

# Shorter ones are not worth a forward pass of their own.
_LEAST = 16
# Share of the tokens that has to be saved.
_SAVED = 0.1


@dataclass(frozen=True)
class Group:
    """Prompts that begin alike.

    Attributes:
        places: Of the prompts.
        start: Tokens that all of them begin with, fewer than any of them has.
    """

    places: list[int]
    start: int


def can_share(model: PreTrainedModel) -> bool:
    """Whether padding may stand between a prompt's start and its tail."""
    text = model.config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    slides = bool(getattr(text, "sliding_window", None)) or not kinds <= {"full_attention"}
    return not slides and "logits_to_keep" in inspect.signature(model.forward).parameters


def starts_of(prompts: Sequence[list[int]], last: int) -> list[Group]:
    """Cut prompts into groups, so that neighbours in the order of their tokens are together.

    Args:
        prompts: Tokens of each.
        last: Tokens at the end of each that belong to no start.
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    groups: list[Group] = []
    for place in order:
        ids = prompts[place]
        if groups:
            group = groups[-1]
            same = min(_common(prompts[group.places[0]], ids), group.start, len(ids) - last)
            # Half of a start is given up for one more prompt, and no more.
            given_up = group.start / (2 if len(group.places) > 1 else 4)
            if same >= max(_LEAST, given_up):
                groups[-1] = Group([*group.places, place], same)
                continue
        groups.append(Group([place], len(ids) - last))
    return groups


def saves(prompts: Sequence[list[int]], groups: Sequence[Group]) -> bool:
    """Whether it is less work than to share what all prompts begin with."""
    if min(group.start for group in groups) < 1:
        return False
    whole = sum(map(len, prompts))
    together = _common(min(prompts), max(prompts)) * (len(prompts) - 1)
    apart = sum(group.start * (len(group.places) - 1) for group in groups)
    return apart - together > _SAVED * whole


def batches_of(
    prompts: Sequence[list[int]], groups: Sequence[Group], rows: int, tokens: int
) -> Iterator[list[Group]]:
    """Groups of like length, the longest first, of at most so many rows and tokens of prompts."""
    batch: list[Group] = []
    longest = count = 0
    for group in sorted(groups, key=lambda one: (-one.start, one.places)):
        tail = max(len(prompts[place]) for place in group.places)
        most = max(longest, tail)
        if batch and (count + len(group.places)) > min(rows, tokens // most):
            yield batch
            batch, count, most = [], 0, tail
        batch.append(group)
        longest, count = most, count + len(group.places)
    if batch:
        yield batch


def compute_groups(
    model: PreTrainedModel, prompts: Sequence[list[int]], groups: Sequence[Group], last: int
) -> tuple[Cache, torch.Tensor, torch.Tensor]:
    """Prompts into keys and values, group after group.

    Returns:
        Keys and values; which of their columns are tokens, int64 [prompts, columns]; the logits at
        the `last` tokens of each prompt, [prompts, last, vocabulary].
    """
    layers = [DynamicLayer() for _ in range(plain_layers(model))]
    cache = Cache(layers=[*layers])
    heads = [prompts[group.places[0]][: group.start] for group in groups]
    seen, _ = _forward(model, heads, None, cache, 1)
    rows = torch.tensor([n for n, group in enumerate(groups) for _ in group.places])
    for layer in layers:
        assert layer.keys is not None and layer.values is not None
        at = rows.to(layer.keys.device)
        layer.keys, layer.values = layer.keys[at], layer.values[at]
    tails = [prompts[place][group.start :] for group in groups for place in group.places]
    mask, logits = _forward(model, tails, seen[rows], cache, last)
    return cache, mask, logits


def _forward(
    model: PreTrainedModel,
    rows: list[list[int]],
    seen: torch.Tensor | None,
    cache: Cache,
    last: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Feed rows behind what is in the cache; the whole mask, and the last logits."""
    width, device = max(map(len, rows)), model.device
    tokens = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, ids in enumerate(rows):
        tokens[row, width - len(ids) :] = torch.tensor(ids)
        mask[row, width - len(ids) :] = 1
    whole = mask if seen is None else torch.cat([seen, mask], dim=1)
    positions = (whole.cumsum(1) - 1).clamp(min=0)[:, -width:]
    output = model(
        input_ids=tokens.to(device),
        attention_mask=whole.to(device),
        position_ids=positions.to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=last,
    )
    return whole, output.logits[:, -last:]


def _common(one: list[int], other: list[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
