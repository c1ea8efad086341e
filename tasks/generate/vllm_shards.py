"""What vLLM is asked at once, and what it has answered so far: samples, or the weights of choices.

Loaded by the vLLM engine's script, which runs under another environment's Python, by its path. So
nothing of this project is imported here, and vLLM not before a shard is taken in.

A choice's weight is the sum of log-probabilities of its tokens (tasks/decoding/choice_tokens.py).
Each prompt with each stem is a request of one token with `logprob_token_ids`, for which vLLM gives
the log-probabilities of just these tokens. Unlike `prompt_logprobs`, which computes every prompt
anew, such a request reads what prefix caching kept: both orders of a pair share their post, and the
stems of choices all of their prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm import CompletionOutput, SamplingParams

    from tasks.processes.wire import Message


class Samples:
    """One shard of samples under way."""

    def __init__(self, request: Message, prompts: list[list[int]]) -> None:
        self.id = request["id"]
        self._sampling = request["sampling"]
        self.requests, self.prompts = request["requests"], prompts
        self.items: list[list[object]] = []  # finished and not yet told
        self.left = self.done = 0
        self.seconds = 0.0
        self.room: int = self._sampling["max_tokens"]
        self.needs = "sampling.max_tokens: a prompt and its completion need"

    def asks(self, positions: int) -> Iterator[tuple[str, list[int], SamplingParams]]:
        """Requests for the engine; prompts that do not fit are marked `error`."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = self._sampling
        common: Message = {
            "temperature": sampling["temperature"],
            "max_tokens": sampling["max_tokens"],
            "stop": sampling["stop"],
            "stop_token_ids": sampling["ends"],
            "skip_special_tokens": not sampling["special"],
            "output_kind": RequestOutputKind.FINAL_ONLY,
        }
        greedy = sampling["temperature"] == 0
        if not greedy:
            common |= {"top_k": sampling["top_k"], "top_p": sampling["top_p"]}
        for i, (prompt, seed) in enumerate(self.requests):
            tokens = self.prompts[prompt]
            if len(tokens) + self.room > positions:
                self.items.append([i, "", 0, "error", []])
                continue
            self.left += 1
            yield str(i), tokens, SamplingParams(**common, seed=None if greedy else seed)

    def take(self, place: str, output: CompletionOutput) -> None:
        """Keep what the engine answered to one request."""
        if output.finish_reason not in ("stop", "length"):
            raise RuntimeError(f"vLLM ended a request with {output.finish_reason!r}")
        ids = list(output.token_ids)
        self.items.append([int(place), output.text, len(ids), output.finish_reason, ids])
        self.left -= 1


class Weighing:
    """One shard of prompts whose choices are weighed."""

    def __init__(
        self,
        request: Message,
        prompts: list[list[int]],
        answers: list[list[int]],
        choice_tokens: ModuleType,
    ) -> None:
        """Ask nothing yet.

        Args:
            request: See vllm_engine.main.
            prompts: Tokens.
            answers: Tokens of the choices.
            choice_tokens: The module of that name in tasks/decoding.
        """
        self.id = request["id"]
        self.requests, self.prompts = request["requests"], prompts
        self.items: list[list[object]] = []
        self.left = self.done = 0
        self.seconds = 0.0
        self.room = max(map(len, answers))
        self.needs = "judge.prompt: a prompt and its choices need"
        self._answers, self._totals = answers, choice_tokens.totals
        self._stems = list(choice_tokens.next_tokens(answers).items())
        self._known: dict[int, Message] = {}

    def asks(self, positions: int) -> Iterator[tuple[str, list[int], SamplingParams]]:
        """Requests for the engine; prompts that do not fit get no weights."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        common: Message = {
            "temperature": 0.0,
            "max_tokens": 1,
            "detokenize": False,
            "output_kind": RequestOutputKind.FINAL_ONLY,
        }
        for i, (prompt, _) in enumerate(self.requests):
            tokens = self.prompts[prompt]
            if len(tokens) + self.room > positions:
                self.items.append([i, None])
                continue
            self._known[i] = {}
            for n, (stem, following) in enumerate(self._stems):
                self.left += 1
                asked = SamplingParams(**common, logprob_token_ids=following)
                yield f"{i}.{n}", [*tokens, *stem], asked

    def take(self, place: str, output: CompletionOutput) -> None:
        """Keep what the engine answered to one request."""
        i, n = map(int, place.split("."))
        stem, following = self._stems[n]
        said = output.logprobs[0]
        self._known[i][stem] = {token: said[token].logprob for token in following}
        self.left -= 1
        if len(self._known[i]) == len(self._stems):
            self.items.append([i, self._totals(self._answers, self._known.pop(i))])
