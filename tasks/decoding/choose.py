"""How likely a model finds each of some answers: a judge's label, a score as an expectation.

log p(choice | prompt) is the sum over the choice's tokens. Choices of one token each (`1` or `2`,
the digits of a score) cost one forward pass over the prompts and nothing more, as in Lee et al.
(arXiv 2309.00267, section 2.1); what all prompts start with is computed once (prefill.py).

Models whose rows must not be padded (same_length.py) get prompts of one length at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.choice_tokens import mistake, next_tokens, totals
from tasks.decoding.decode import PREFILL_TOKENS
from tasks.decoding.kv_cache import is_plain, longrope_switch
from tasks.decoding.prefill import Prompts, room
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
    finished: Callable[[int, list[float] | None], None] | None = None,
) -> list[list[float] | None]:
    """Log-probabilities of given answers.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Texts of prompts get its default special tokens.
        prompts: Texts, or tokens.
        choices: The same for all prompts.
        batch_size: Most prompts in a forward pass.
        progress: Told how many prompts are done.
        finished: Told the place of each prompt and what it got, as soon as it is there.

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
    done = 0

    def end(places: Sequence[int], values: Sequence[list[float] | None]) -> None:
        nonlocal done
        for place, some in zip(places, values, strict=True):
            found[place] = some
            if finished:
                finished(place, some)
        done += len(places)
        if progress and places:
            progress(done, len(ids))

    fitting = [place for place, length in enumerate(lengths) if length <= most]
    left_out = sorted(set(range(len(ids))) - set(fitting))
    end(left_out, [None] * len(left_out))
    kept = [ids[place] for place in fitting]
    for places, values in _weighed(model, tokenizer, kept, answers, batch_size):
        end([fitting[n] for n in places], values)
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
        known = Prompts(model, tokenizer, ids)
        for places in _batches(lengths, batch_size, equal=False):
            yield places, _batch(model, known, places, answers)


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
    model: PreTrainedModel, prompts: Prompts, places: list[int], answers: list[list[int]]
) -> list[list[float]]:
    cache, logits = prompts.compute(places)
    first = _log_probabilities(logits)
    columns: list[torch.Tensor] = []
    for answer in answers:
        total = first[:, answer[0]]
        if len(answer) > 1:
            total = total + _rest(model, prompts, places, copy.deepcopy(cache), answer)
        columns.append(total)
    return torch.stack(columns, dim=1).tolist()


def _rest(
    model: PreTrainedModel, prompts: Prompts, places: list[int], cache: Any, answer: list[int]
) -> torch.Tensor:
    """Log-probability of an answer's tokens after its first, float64 [prompts]."""
    fed, device = answer[:-1], model.device
    lengths = torch.from_numpy(prompts.lengths[places])[:, None]
    seen, rows = cache.get_seq_length(), len(places)
    columns = torch.arange(seen + len(fed))
    output = model(
        input_ids=torch.tensor([fed]).expand(rows, -1).to(device),
        attention_mask=(columns >= seen - lengths).long().to(device),
        position_ids=(lengths + torch.arange(len(fed))).to(device),
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
