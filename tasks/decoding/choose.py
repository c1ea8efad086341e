"""How likely a model finds each of some answers: a judge's label, a score as an expectation.

log p(choice | prompt) is the sum over the choice's tokens. Choices that differ in their last token
alone (`1` or `2`, the digits of a score) cost one forward pass over the prompts and nothing more,
as in Lee et al. (arXiv 2309.00267, section 2.1). What all prompts start with is computed once
(prefill.py), or what some of them do, such as both orders of a pair (shared_starts.py), where that
is less work.

Models whose rows must not be padded (same_length.py) get prompts of one length at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.choice_tokens import common_stem, mistake, next_tokens, totals
from tasks.decoding.decode import PREFILL_TOKENS
from tasks.decoding.kv_cache import is_plain, longrope_switch
from tasks.decoding.prefill import Prompts, room
from tasks.decoding.shared_starts import batches_of, can_share, compute_groups, saves, starts_of
from tasks.decoding.tokens import Prompt, completion_ids, prompt_ids
from tasks.errors import StepError, UserError


def choose(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    choices: Sequence[str],
    *,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[float] | None]:
    """Log-probabilities of given answers.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Texts of prompts get its default special tokens.
        prompts: Texts, or tokens.
        choices: The same for all prompts.
        batch_size: Most prompts in a forward pass.
        progress: Told how many prompts are done.

    Returns:
        For each prompt, log p of each choice (natural, float64 sums), in the order of both; None
        for one that leaves no room for them.

    Raises:
        UserError: a choice or prompt has no tokens, or a choice begins with another; no prompt
            leaves room for them.
        StepError: the model gives logits that are not finite.
    """
    if not prompts:
        return []
    answers = completion_ids(tokenizer, choices)
    if wrong := mistake(choices, answers):
        raise UserError(wrong)
    ids = prompt_ids(tokenizer, prompts)
    lengths, longest = [len(one) for one in ids], max(map(len, answers))
    if not min(lengths):
        raise UserError("judge.prompt: a prompt has no tokens")
    most = room(model, min(lengths), longest)
    found: list[list[float] | None] = [None] * len(ids)
    fitting = [place for place, length in enumerate(lengths) if length <= most]
    done = len(ids) - len(fitting)
    kept = [ids[place] for place in fitting]
    for places, values in _weighed(model, tokenizer, kept, answers, batch_size):
        for place, some in zip(places, values, strict=True):
            found[fitting[place]] = some
        done += len(places)
        if progress:
            progress(done, len(ids))
    return found


def _weighed(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    ids: list[list[int]],
    answers: list[list[int]],
    batch_size: int,
) -> Iterator[tuple[list[int], list[list[float]]]]:
    """Places of prompts, and what these got, batch by batch."""
    lengths = [len(one) for one in ids]
    plain, switch = is_plain(model.config), longrope_switch(model.config)
    longest = max(lengths) + max(map(len, answers))
    with torch.inference_mode():
        if not plain or (switch is not None and longest > switch):
            for places in _batches(lengths, batch_size, equal=True):
                yield places, _unpadded(model, [ids[place] for place in places], answers)
            return
        # What all answers start with is a part of each prompt, so that they branch behind it.
        stem = common_stem(answers)
        whole = [[*one, *stem] for one in ids]
        groups = starts_of(whole, last=len(stem) + 1)
        if can_share(model) and saves(whole, groups):
            for some in batches_of(whole, groups, batch_size, PREFILL_TOKENS):
                cache, mask, logits = compute_groups(model, whole, some, len(stem) + 1)
                places = [place for group in some for place in group.places]
                yield places, _batch(model, cache, mask, logits, answers)
            return
        known = Prompts(model, tokenizer, whole, last=len(stem) + 1)
        for places in _batches(lengths, batch_size, equal=False):
            cache, logits = known.compute_last(places)
            behind = cache.get_seq_length() - torch.from_numpy(known.lengths[places])[:, None]
            mask = (torch.arange(cache.get_seq_length()) >= behind).long()
            yield places, _batch(model, cache, mask, logits, answers)


def _batches(lengths: Sequence[int], batch_size: int, *, equal: bool) -> Iterator[list[int]]:
    """Places of prompts of like length, the longest first."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    while order:
        first = lengths[order[0]]
        rows = max(1, min(batch_size, PREFILL_TOKENS // first))
        if equal:
            same = next((n for n, at in enumerate(order) if lengths[at] != first), len(order))
            rows = min(rows, same)
        yield order[:rows]
        order = order[rows:]


def _unpadded(
    model: PreTrainedModel, rows: list[list[int]], answers: list[list[int]]
) -> list[list[float]]:
    """What prompts of one length got, each stem of an answer in a forward pass of its own."""
    known: list[dict[tuple[int, ...], dict[int, float]]] = [{} for _ in rows]
    for stem, tokens in next_tokens(answers).items():
        fed = torch.tensor([[*row, *stem] for row in rows], device=model.device)
        last = _log_probabilities(model(input_ids=fed, use_cache=False).logits[:, -1])
        for row, values in zip(known, last[:, tokens].tolist(), strict=True):
            row[stem] = dict(zip(tokens, values, strict=True))
    return [totals(answers, row) for row in known]


def _batch(
    model: PreTrainedModel,
    cache: Cache,
    mask: torch.Tensor,
    logits: torch.Tensor,
    answers: list[list[int]],
) -> list[list[float]]:
    """What some prompts got.

    Args:
        model: The model.
        cache: Keys and values of the prompts, with what all answers start with.
        mask: Which of its columns are tokens of a prompt, int64 [prompts, columns].
        logits: At the last tokens, [prompts, tokens of that start and one, vocabulary].
        answers: Tokens of the choices.
    """
    last = _log_probabilities(logits)
    branch = last.shape[1] - 1
    begun = last.new_zeros(len(last))
    for place, token in enumerate(answers[0][:branch]):
        begun = begun + last[:, place, token]
    columns: list[torch.Tensor] = []
    for answer in answers:
        total = begun + last[:, branch, answer[branch]]
        if len(answer) > branch + 1:
            total = total + _rest(model, copy.deepcopy(cache), mask, answer[branch:])
        columns.append(total)
    return torch.stack(columns, dim=1).tolist()


def _rest(
    model: PreTrainedModel, cache: Cache, mask: torch.Tensor, answer: list[int]
) -> torch.Tensor:
    """Log-probability of an answer's tokens after its first, float64 [prompts]."""
    fed, device, rows = answer[:-1], model.device, len(mask)
    output = model(
        input_ids=torch.tensor([fed]).expand(rows, -1).to(device),
        attention_mask=torch.cat([mask, mask.new_ones(rows, len(fed))], dim=1).to(device),
        position_ids=(mask.sum(1, keepdim=True) + torch.arange(len(fed))).to(device),
        past_key_values=cache,
        use_cache=True,
    )
    each = _log_probabilities(output.logits)
    asked = torch.tensor(answer[1:], device=device)[None, :, None].expand(rows, -1, -1)
    return each.gather(-1, asked)[..., 0].sum(-1)


def _log_probabilities(logits: torch.Tensor) -> torch.Tensor:
    found = logits.double().log_softmax(-1)
    if not torch.isfinite(logits).all():
        raise StepError("the model gave logits that are not finite numbers")
    return found
