"""How likely a model finds each of some answers: a judge's label, a score as an expectation.

log p(choice | prompt) is the sum over the choice's tokens. Choices of one token each (`1` or `2`,
the digits of a score) cost one forward pass over the prompts and nothing more, as in Lee et al.
(arXiv 2309.00267, section 2.1); what all prompts start with is computed once (prefill.py).

No choice may be the start of another, for then it also stands for that one.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.decode import PREFILL_TOKENS
from tasks.decoding.prefill import Prompts
from tasks.decoding.tokens import Prompt, completion_ids
from tasks.errors import StepError, UserError


def choose(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    choices: Sequence[str],
    *,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[float]]:
    """Log-probabilities of given answers.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Texts of prompts get its default special tokens.
        prompts: Texts, or tokens.
        choices: The same for all prompts.
        batch_size: Most prompts in a forward pass.
        progress: Told how many prompts are done.

    Returns:
        For each prompt, log p of each choice (natural, float64 sums), in the order of both.

    Raises:
        UserError: a choice has no tokens, or begins with another.
        StepError: the model gives logits that are not finite.
    """
    if not prompts:
        return []
    answers = completion_ids(tokenizer, choices)
    for one, other in itertools.permutations(answers, 2):
        if not one or other[: len(one)] == one:
            raise UserError(
                f"judge.prompt: choices {list(choices)}: expected answers of which none is empty "
                "and none is the start of another, as the model's tokenizer cuts them"
            )
    found: list[list[float]] = [[] for _ in prompts]
    with torch.inference_mode():
        known = Prompts(model, tokenizer, prompts)
        done = 0
        for places in _batches(known.lengths.tolist(), batch_size):
            for place, values in zip(places, _batch(model, known, places, answers), strict=True):
                found[place] = values
            done += len(places)
            if progress:
                progress(done, len(prompts))
    return found


def _batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Places of prompts of like length, the longest first."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    while order:
        rows = max(1, min(batch_size, PREFILL_TOKENS // lengths[order[0]]))
        yield order[:rows]
        order = order[rows:]


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
