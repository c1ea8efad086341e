"""Batched sampling from a transformers causal model: the E-step of ReST^EM without vLLM.

transformers' own `generate` keeps finished rows in the batch, pads every prompt by itself and
draws from one generator for all rows. Here a row that ends makes room for the next request, a
prompt is computed once for all its samples (and what all prompts share, such as few-shot
exemplars, once for all prompts), and each sample depends on its own seed alone.

Sums of floating-point numbers still differ in the last bit with the shape of a batch, so a sample
may change with the batch size where a random number falls on the border of two tokens (about one
token in a million in float32). Models with other state than keys and values, and LongRoPE beyond
its short factors, are sampled with prompts of one length at a time (same_length.py).
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import psutil
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.kv_cache import RowCache, is_plain, longrope_switch, plain_layers
from tasks.decoding.next_token import draw_tokens, uniforms
from tasks.decoding.prefill import Prompts, room
from tasks.decoding.request import Completion, SampleProgress, Sampling
from tasks.decoding.same_length import decode_same_length
from tasks.decoding.shapes import EXACT, Shapes, shapes_of
from tasks.decoding.stops import Stops
from tasks.decoding.tokens import Prompt, prompt_ids
from tasks.errors import UserError

# Tokens of prompts in one forward pass; bounds the memory of activations.
PREFILL_TOKENS = 8192
# Rows are refilled, or the batch shrunk, once this share of it is idle: refilling every idle row
# at once would pay the fixed cost of a pass for one prompt.
IDLE_SHARE = 1 / 8
# Share of the free memory that keys and values may take.
CACHE_SHARE = 0.5
PROGRESS_SECONDS = 0.2
# Progress is told at least so often while steps are made: a sign of life.
_BEAT_SECONDS = 5.0


def decode(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    requests: Sequence[tuple[int, int]],
    sampling: Sampling,
    *,
    batch_size: int,
    progress: SampleProgress | None = None,
    finished: Callable[[int, Completion], None] | None = None,
    shapes: Shapes | None = None,
) -> list[Completion]:
    """Sample completions.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Texts of prompts get its default special tokens.
        prompts: Texts, or tokens.
        requests: One completion each: (index into `prompts`, seed of this sample).
        sampling: Temperature and so on, the same for all.
        batch_size: Most rows decoded at once; fewer where memory is short.
        progress: Told how many completions are finished.
        finished: Told the place in `requests` of each completion, and it, as soon as it is there.
        shapes: Sizes of the batch; None: those for the model's device.

    Returns:
        Completions in the order of `requests`; those of a prompt that leaves no room for max_tokens
        have the finish `error`.

    Raises:
        UserError: a prompt is empty, or none leaves room for max_tokens.
        StepError: the model gives logits that are not finite.
    """
    if not requests:
        return []
    plain, switch = is_plain(model.config), longrope_switch(model.config)
    if not plain or switch is not None:
        ids = prompt_ids(tokenizer, prompts)
        longest = max(len(ids[prompt]) for prompt, _ in requests) + sampling.max_tokens
        if not plain or longest > (switch or 0):
            together = (model, tokenizer, ids, requests, sampling, batch_size, progress)
            return _unpadded(*together, switch=switch, finished=finished)
    with torch.inference_mode():
        shapes = shapes or shapes_of(model.device.type)
        batch = _Batch(model, tokenizer, prompts, requests, sampling, batch_size, progress, shapes)
        batch.finished = finished
        return batch.run()


def _unpadded(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    requests: Sequence[tuple[int, int]],
    sampling: Sampling,
    batch_size: int,
    progress: SampleProgress | None,
    *,
    switch: int | None,
    finished: Callable[[int, Completion], None] | None,
) -> list[Completion]:
    """What `decode` does, for models whose rows must not be padded."""
    done: dict[int, Completion] = {}

    def end(place: int, completion: Completion) -> None:
        done[place] = completion
        if finished:
            finished(place, completion)
        if progress:
            progress(len(done), len(requests))

    lengths = [len(prompts[prompt]) for prompt, _ in requests]
    if not min(lengths):
        raise UserError("model.prompt: a prompt has no tokens")
    most = room(model, min(lengths), sampling.max_tokens)
    fitting = [i for i, length in enumerate(lengths) if length <= most]
    for place in set(range(len(requests))) - set(fitting):
        end(place, Completion("", 0, "error", ()))
    decode_same_length(
        model,
        tokenizer,
        prompts,
        [requests[i] for i in fitting],
        sampling,
        rows=batch_size,
        tokens=PREFILL_TOKENS,
        share=CACHE_SHARE,
        switch=switch,
        progress=(lambda *_: progress(len(done), len(requests))) if progress else None,
        finished=lambda i, completion: end(fitting[i], completion),
    )
    return [done[place] for place in range(len(requests))]


class _Batch:
    """Rows in flight. Row r holds request `request[r]`, or is idle (-1)."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        batch_size: int,
        progress: SampleProgress | None,
        shapes: Shapes,
    ) -> None:
        used = sorted({prompt for prompt, _ in requests})
        place = {prompt: i for i, prompt in enumerate(used)}
        self._model = model
        self._prompts = Prompts(model, tokenizer, [prompts[i] for i in used])
        self._prompt = [place[prompt] for prompt, _ in requests]
        self._seeds = [seed for _, seed in requests]
        self._sampling = sampling
        self._stops = Stops(
            model, tokenizer, sampling.stop, sampling.ends, special=sampling.special
        )
        self._progress = progress
        self._told = time.monotonic()
        lengths = self._prompts.lengths
        fits = lengths <= room(model, int(lengths.min()), sampling.max_tokens)
        longest = int(lengths[fits].max())
        # Longest prompts first: a later one then always fits into the columns in use.
        self._queue = sorted(
            [i for i in range(len(requests)) if fits[self._prompt[i]]],
            key=lambda i: (-lengths[self._prompt[i]], self._prompt[i]),
            reverse=True,
        )
        rows = min(batch_size, len(requests), self._affordable(longest + sampling.max_tokens))
        self._shapes, self._most = shapes, rows
        self._cache = RowCache(plain_layers(model), shapes)
        self._request = np.full(rows, -1)
        self._length = np.ones(rows, np.int64)  # columns that the row sees
        self._count = np.zeros(rows, np.int64)  # tokens drawn
        self._tokens = np.zeros((rows, sampling.max_tokens), np.int64)
        self._uniforms = np.zeros((rows, sampling.max_tokens if sampling.temperature else 1))
        self._done: list[Completion | None] = [None] * len(requests)
        self._misfits = [i for i in range(len(requests)) if not fits[self._prompt[i]]]
        self._finished = self._reported = 0
        self.finished: Callable[[int, Completion], None] | None = None

    def run(self) -> list[Completion]:
        for i in self._misfits:
            self._end(i, Completion("", 0, "error", ()))
        while True:
            idle = np.flatnonzero(self._request < 0)
            rows = len(self._request)
            if len(idle) == rows and not self._queue:
                break
            if len(idle) > rows * IDLE_SHARE or len(idle) == rows:
                if self._queue:
                    self._refill(idle)
                    continue
                self._shrink()
            self._step()
        self._report(last=True)
        return [completion for completion in self._done if completion is not None]

    def _refill(self, idle: np.ndarray) -> None:
        """Give requests to idle rows, and draw the first token of each."""
        taken = [self._queue.pop() for _ in range(min(len(idle), len(self._queue)))]
        while taken:
            chunk = self._chunk(taken)
            rows, idle = idle[: len(chunk)], idle[len(chunk) :]
            prompts = sorted({self._prompt[i] for i in chunk})
            cache, logits = self._prompts.compute(prompts)
            place = {prompt: i for i, prompt in enumerate(prompts)}
            picked = torch.tensor([place[self._prompt[i]] for i in chunk], device=logits.device)
            lengths = self._prompts.lengths[[self._prompt[i] for i in chunk]]
            target = torch.from_numpy(rows).to(logits.device)
            self._cache.put(target, cache, picked, int(lengths.max()), len(self._request))
            self._request[rows] = chunk
            self._length[rows] = lengths
            self._count[rows] = 0
            if self._sampling.temperature:
                for row, request in zip(rows, chunk, strict=True):
                    self._uniforms[row] = uniforms(self._seeds[request], self._sampling.max_tokens)
            self._draw(rows, logits[picked])
            taken = taken[len(chunk) :]

    def _chunk(self, taken: list[int]) -> list[int]:
        """As many leading requests as have prompts that fit into one forward pass."""
        prompts: set[int] = set()
        width = int(self._prompts.lengths[self._prompt[taken[0]]])
        for count, request in enumerate(taken):
            prompts.add(self._prompt[request])
            if len(prompts) * width > PREFILL_TOKENS and count:
                return taken[:count]
        return taken

    def _step(self) -> None:
        """Feed each row its newest token and draw the next."""
        used = self._shapes.width(int(self._length.max()))
        self._cache.make_room(used)
        device = self._model.device
        newest = self._tokens[np.arange(len(self._count)), self._count - 1]
        lengths = torch.from_numpy(self._length).to(device)[:, None]
        output = self._model(
            input_ids=torch.from_numpy(newest).to(device)[:, None],
            attention_mask=(torch.arange(used, -1, -1, device=device) <= lengths).long(),
            position_ids=lengths,
            past_key_values=self._cache,
            use_cache=True,
        )
        live = np.flatnonzero(self._request >= 0)
        self._length[live] += 1
        logits = output.logits[:, -1]
        if len(live) < len(self._request) and self._shapes == EXACT:
            logits = logits[torch.from_numpy(live).to(device)]
        self._draw(live, logits)

    def _draw(self, rows: np.ndarray, logits: torch.Tensor) -> None:
        """Draw a token for each of `rows` and retire those that end with it."""
        greedy = self._sampling.temperature == 0.0
        # Logits may be there for idle rows too, so that they always have one shape.
        given = np.arange(len(logits)) if len(logits) > len(rows) else rows
        place = 0 if greedy else self._count[given].clip(max=self._uniforms.shape[1] - 1)
        numbers = torch.from_numpy(self._uniforms[given, place]).to(logits.device)
        tokens = draw_tokens(logits, numbers, self._sampling).cpu().numpy()
        if len(logits) > len(rows):
            tokens = tokens[rows]
        self._tokens[rows, self._count[rows]] = tokens
        self._count[rows] += 1
        ended = self._stops.ended(tokens)
        for row in rows[self._stops.suspect(tokens) & ~ended]:
            text = self._stops.cut(self._tokens[row, : self._count[row]].tolist())
            if text is not None:
                self._retire(row, text, "stop")
        full = (self._count[rows] >= self._sampling.max_tokens) & ~ended
        for over, finish, extra in ((ended, "stop", 1), (full, "length", 0)):
            which = [row for row in rows[over] if self._request[row] >= 0]
            texts = self._stops.texts(
                [self._tokens[row, : self._count[row] - extra].tolist() for row in which]
            )
            for row, text in zip(which, texts, strict=True):
                self._retire(row, text, finish)
        self._report()

    def _retire(self, row: int, text: str, finish: str) -> None:
        count = int(self._count[row])
        request = int(self._request[row])
        ids = array("i", self._tokens[row, :count].tolist())
        self._end(request, Completion(text, count, finish, ids))  # type: ignore[arg-type]
        self._request[row] = -1
        self._length[row] = 1  # an idle row sees its own newest column alone

    def _end(self, request: int, completion: Completion) -> None:
        self._done[request] = completion
        self._finished += 1
        if self.finished:
            self.finished(request, completion)

    def _shrink(self) -> None:
        """Drop idle rows when no request is left for them."""
        live = np.flatnonzero(self._request >= 0)
        size = self._shapes.rows(len(live), self._most)
        if size >= len(self._request):
            return
        order = np.arange(size)
        # Only rows beyond the new size move, into the idle places before it.
        beyond = live[live >= size]
        order[np.flatnonzero(self._request[:size] < 0)[: len(beyond)]] = beyond
        self._cache.keep(torch.from_numpy(order).to(self._model.device), size)
        for name in ("_request", "_length", "_count", "_tokens", "_uniforms"):
            setattr(self, name, getattr(self, name)[order])

    def _affordable(self, columns: int) -> int:
        """Rows whose keys and values fit into memory when each needs `columns`."""
        device = self._model.device
        if device.type == "cuda":
            free = torch.cuda.mem_get_info(device)[0]
        else:
            free = psutil.virtual_memory().available
        return max(1, int(CACHE_SHARE * free / (columns * self._prompts.bytes_a_token)))

    def _report(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress and (last or now - self._told >= PROGRESS_SECONDS):
            if self._finished == self._reported and now - self._told < _BEAT_SECONDS:
                return
            self._told, self._reported = now, self._finished
            self._progress(self._finished, len(self._done))
