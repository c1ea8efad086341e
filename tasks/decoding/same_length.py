"""Sampling from models whose rows must not be padded: only prompts of one length share a batch.

Layers that keep a state (Mamba, short convolutions, linear attention) read padding as text, and
LongRoPE chooses its factors by the longest row of a batch. Here all rows of a batch have the same
length at each step, so a row is computed as it is alone. Slower than decode.py: an ended row's
place stays empty, and what prompts share is computed for each of them.

The cache is transformers' own for the model, so every causal model with `use_cache` is served.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import psutil
import torch
from transformers import Cache, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.next_token import draw_tokens, uniforms
from tasks.decoding.request import Completion, SampleProgress, Sampling
from tasks.decoding.stops import Stops

# Ended rows are dropped once they are this share of a batch: dropping copies the state of all.
_ENDED_SHARE = 1 / 4
_BEAT_SECONDS = 5.0


def decode_same_length(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    requests: Sequence[tuple[int, int]],
    sampling: Sampling,
    *,
    rows: int,
    tokens: int,
    share: float,
    switch: int | None,
    progress: SampleProgress | None,
    finished: Callable[[int, Completion], None],
) -> None:
    """Sample completions; see tasks.decoding.decode.decode.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        prompts: Tokens of each.
        requests: One completion each: (index into `prompts`, seed of this sample).
        sampling: Temperature and so on.
        rows: Most rows of a batch.
        tokens: Most tokens of prompts in a forward pass.
        share: Of the free memory that the state of the rows may take.
        switch: Length beyond which what was computed before does not hold; None: there is none.
        progress: Told 0 of the number of requests from time to time, as a sign of life.
        finished: Told the place in `requests` of each completion, and it.
    """
    with torch.inference_mode():
        group = _Group(model, tokenizer, prompts, sampling, switch, finished)
        group.beat = (lambda: progress(0, len(requests))) if progress else None
        order = sorted(range(len(requests)), key=lambda i: _order(requests[i][0], prompts))
        longest = prompts[requests[order[0]][0]]
        rows = min(rows, group.affordable(longest, share))
        for length, same in groupby(order, key=lambda i: len(prompts[requests[i][0]])):
            places = list(same)
            for at in range(0, len(places), rows):
                part = places[at : at + rows]
                group.run(part, [requests[i] for i in part], max(1, tokens // length))


def _order(prompt: int, prompts: Sequence[list[int]]) -> tuple[int, int]:
    """Longest first, where memory would fall short; samples of a prompt together."""
    return -len(prompts[prompt]), prompt


@dataclass
class _State:
    """What a batch keeps between steps.

    Attributes:
        cache: Of the model.
        tokens: That it has seen, which layers without attention do not count.
    """

    cache: Any  # a DynamicCache, of which transformers wants indices of a type that no call gives
    tokens: int = 0


class _Group:
    """Requests with prompts of one length, a batch after the other."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[list[int]],
        sampling: Sampling,
        switch: int | None,
        finished: Callable[[int, Completion], None],
    ) -> None:
        known = inspect.signature(model.forward).parameters
        self._model, self._prompts, self._sampling = model, prompts, sampling
        self._switch, self._finished = switch, finished
        self._stops = Stops(
            model, tokenizer, sampling.stop, sampling.ends, special=sampling.special
        )
        self._cache_name = "past_key_values" if "past_key_values" in known else "cache_params"
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._positions = "position_ids" in known
        self._told = time.monotonic()
        self.beat: Callable[[], None] | None = None

    def affordable(self, prompt: list[int], share: float) -> int:
        """Rows whose state fits into the memory, each as long as this prompt's can become."""
        state = self._new_state()
        self._forward(torch.tensor([prompt]), state)
        # What does not grow with the length is counted as if it did.
        times = (len(prompt) + self._sampling.max_tokens) / len(prompt)
        device = self._model.device
        if device.type == "cuda":
            free = torch.cuda.mem_get_info(device)[0]
        else:
            free = psutil.virtual_memory().available
        return max(1, int(share * free / max(1.0, _bytes(state.cache) * times)))

    def run(self, places: list[int], requests: list[tuple[int, int]], at_once: int) -> None:
        """Sample one batch.

        Args:
            places: What `finished` is told of each request.
            requests: Of prompts of one length.
            at_once: Most prompts in a forward pass.
        """
        sampling, most = self._sampling, self._sampling.max_tokens
        numbers = np.zeros((len(requests), most if sampling.temperature else 1))
        if sampling.temperature:
            for row, (_, seed) in enumerate(requests):
                numbers[row] = uniforms(seed, most)
        prompts = [prompt for prompt, _ in requests]
        # A row of the state is a request; `rows` says which.
        for part in _parts(prompts, at_once):
            unique = sorted({prompts[row] for row in part})
            state = self._new_state()
            ids = torch.tensor([self._prompts[prompt] for prompt in unique])
            logits = self._forward(ids, state)
            index = torch.tensor([unique.index(prompts[row]) for row in part], device=logits.device)
            state.cache.reorder_cache(index)
            self._sample(state, logits[index], np.array(part), numbers, prompts, places)

    def _sample(
        self,
        state: _State,
        logits: torch.Tensor,
        rows: np.ndarray,
        numbers: np.ndarray,
        prompts: list[int],
        places: list[int],
    ) -> None:
        most = self._sampling.max_tokens
        drawn = np.zeros((len(rows), most), np.int64)
        going = np.ones(len(rows), bool)
        before = len(self._prompts[prompts[rows[0]]])
        for step in range(most):
            uniform = torch.from_numpy(numbers[rows, step if self._sampling.temperature else 0])
            tokens = draw_tokens(logits, uniform.to(logits.device), self._sampling).cpu().numpy()
            drawn[:, step] = tokens
            for row in np.flatnonzero(going):
                if (over := self._ends(drawn[row, : step + 1], step + 1 == most)) is not None:
                    self._finished(places[rows[row]], over)
                    going[row] = False
            self._beat()
            if not going.any():
                return
            if (~going).sum() > _ENDED_SHARE * len(rows):
                kept = np.flatnonzero(going)
                state.cache.reorder_cache(torch.from_numpy(kept).to(logits.device))
                rows, drawn, going = rows[kept], drawn[kept], going[kept]
            if before + step == self._switch:
                # The next token is the first beyond; as `generate` does, all is computed again.
                state = self._new_state()
                given = [self._prompts[prompts[row]] for row in rows]
                ids = np.concatenate([np.array(given), drawn[:, : step + 1]], 1)
            else:
                ids = drawn[:, step : step + 1]
            logits = self._forward(torch.from_numpy(ids), state)

    def _ends(self, tokens: np.ndarray, full: bool) -> Completion | None:
        """What came of a row, if it ends with its newest token."""
        stops, newest, ids = self._stops, tokens[-1:], tokens.tolist()
        if stops.ended(newest)[0]:
            return Completion(stops.texts([ids[:-1]])[0], len(ids), "stop", ids)
        if stops.suspect(newest)[0] and (text := stops.cut(ids)) is not None:
            return Completion(text, len(ids), "stop", ids)
        if full:
            return Completion(stops.texts([ids])[0], len(ids), "length", ids)
        return None

    def _forward(self, ids: torch.Tensor, state: _State) -> torch.Tensor:
        """Logits behind the last of these tokens, which follow those that were seen."""
        device = self._model.device
        done = state.tokens
        state.tokens += ids.shape[1]
        given = {self._cache_name: state.cache, "use_cache": True, **self._last}
        if self._positions:
            given["position_ids"] = torch.arange(done, state.tokens, device=device)[None].expand(
                len(ids), -1
            )
        return self._model(input_ids=ids.to(device), **given).logits[:, -1]

    def _new_state(self) -> _State:
        return _State(DynamicCache(config=self._model.config))

    def _beat(self) -> None:
        if self.beat and time.monotonic() - self._told >= _BEAT_SECONDS:
            self._told = time.monotonic()
            self.beat()


def _parts(prompts: list[int], at_once: int) -> list[list[int]]:
    """Rows in blocks that have so many different prompts at most; equal prompts stand together."""
    parts: list[list[int]] = []
    seen: list[int] = []
    for row, prompt in enumerate(prompts):
        if prompt not in seen:
            if len(seen) % at_once == 0:
                parts.append([])
            seen.append(prompt)
        parts[-1].append(row)
    return parts


def _bytes(cache: Cache) -> int:
    """Of all tensors in a cache, whatever its layers keep."""
    total = 0
    for layer in cache.layers:
        values = [
            v
            for one in vars(layer).values()
            for v in (one.values() if isinstance(one, dict) else [one])
        ]
        total += sum(value.nbytes for value in values if isinstance(value, torch.Tensor))
    return total
