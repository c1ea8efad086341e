"""Sampling from servers elsewhere: OpenAI-compatible completions, as `vllm serve` gives them.

Two kinds of address are taken. `restem engine serve` starts vLLM with whatever policy of the shared
store it is asked for (flows/machines/engine_server.py), so a whole run needs no hand. A plain
server has one model and was started with this very policy: `--served-model-name` its digest.

Every sample is a request with its own seed, and all of a shard are under way at once. The samples
of a prompt go to one server, which computes the prompt once. A server that fails is left alone for
a while, and its requests go to the others (served_shard.py).
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

import httpx

from tasks.decoding.request import Completion, Completions, SampleProgress, Sampling, Weights
from tasks.decoding.tokens import Prompt
from tasks.errors import UserError
from tasks.generate.addresses import endpoint
from tasks.generate.endpoint import REST_SECONDS, Endpoint, EngineOptions, message
from tasks.generate.neutral import IDS, NEUTRAL, completion_body, neutral
from tasks.generate.plain_server import WITHOUT, see_length, see_sampling
from tasks.generate.served_choices import ServedChoices
from tasks.generate.served_shard import Asked, Served, ServedShard
from tasks.store.store import ArtifactRef

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# Requests at one server for each sequence that it decodes at once: the next ones wait there.
QUEUED = 2
_Item = TypeVar("_Item")


class EndpointEngine:
    """An engine (tasks/generate/engine.py) behind addresses."""

    def __init__(
        self,
        addresses: Sequence[str],
        policy: ArtifactRef,
        options: EngineOptions,
        *,
        stall: float,
        without: Collection[str] = (),
        tokenizer: Callable[[], Tokenizer] | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            addresses: Of servers, such as http://gpu1:8000; one that is none is a UserError.
            policy: The model.
            options: For servers that start vLLM.
            stall: Seconds without any answer after which sampling fails.
            without: Fields that plain servers are not sent.
            tokenizer: Gives that of the policy; for `choose` alone.
        """
        self._tokenizer, self._ways = tokenizer, dict[str, str]()
        self.without = frozenset(without)
        self._servers = [Endpoint(endpoint(address)) for address in addresses]
        # The same ones: that a server gives log-probabilities does not say how it samples.
        self._choosers = [Endpoint(endpoint(address)) for address in addresses]
        self._policy, self._options, self._stall = policy, options, stall

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
    ) -> Completions:
        """See `Engine`.

        Raises:
            UserError: an address serves another model, or no prompt fits into the model.
            StepError: no server answers.
        """
        if wanted := sorted(self.without & _asked_for(sampling)):
            raise UserError(
                f"{WITHOUT}: {', '.join(wanted)}: the run asks for it; expected "
                f"{' and '.join(f'no {one}' for one in wanted)} in the recipe, or a server that "
                "takes it"
            )
        drawn = _Drawn(self, prompts, requests, sampling)
        found = Completions()
        if requests:
            done, found.engine_seconds = self._run(self._servers, requests, drawn, progress)
            found.extend(done)
        if drawn.refused and all(one.finish == "error" for one in found):
            raise UserError(f"sampling.max_tokens: no prompt fits: {drawn.refused}")
        return found

    def choose(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> Weights:
        """See `Engine`.

        Raises:
            UserError: an address serves another model, or gives no log-probabilities, or no prompt
                fits into the model, or the choices do not.
            StepError: no server answers.
        """
        assert self._tokenizer is not None
        found = Weights()
        if prompts:
            tokenizer = self._tokenizer()
            asked = ServedChoices(tokenizer, prompts, choices, self._ways, self.without)
            requests = [(place, 0) for place in range(len(prompts))]
            done, found.engine_seconds = self._run(self._choosers, requests, asked, None)
            found.extend(done)
            if asked.refused and all(one is None for one in found):
                raise UserError(f"judge.prompt: no prompt fits: {asked.refused}")
        return found

    def close(self) -> None:
        """Let servers that started vLLM for us end it."""
        for server in (*self._servers, *self._choosers):
            if server.managed and server.url:
                with httpx.Client(headers=server.headers, timeout=REST_SECONDS) as client:
                    try:
                        client.delete(f"{server.address}/policy")
                    except httpx.HTTPError:
                        continue  # gone, and its engine with it
                server.url = ""

    def _run(
        self,
        servers: list[Endpoint],
        requests: Sequence[tuple[int, int]],
        asked: Asked[_Item],
        progress: SampleProgress | None,
    ) -> tuple[list[_Item], float]:
        """What each request got, in order, and the seconds of all servers."""
        served = Served(
            servers, self._policy, self._options, self._stall, QUEUED * self._options.batch_size
        )
        return asyncio.run(ServedShard(served, requests, asked, progress).run())

    @property
    def model(self) -> str:
        """Name of the policy at every server."""
        return self._policy.digest


def _asked_for(sampling: Sampling) -> frozenset[str]:
    """The fields that a run does not leave as they do nothing."""
    return frozenset(name for name in NEUTRAL if neutral(name, sampling) != NEUTRAL[name])


class _Drawn:
    """Samples: one completion for each request."""

    def __init__(
        self,
        engine: EndpointEngine,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
    ) -> None:
        self._engine, self._prompts, self._requests = engine, prompts, requests
        self._sampling = sampling
        self.refused = ""
        self.lost = Completion("", 0, "error", ())

    async def see(self, client: httpx.AsyncClient, request: int, url: str) -> bool:
        prompt, model = self._prompts[self._requests[request][0]], self._engine.model
        return await see_sampling(client, url, model, prompt, self._sampling, self._engine.without)

    async def ask(
        self, client: httpx.AsyncClient, url: str, server: Endpoint, request: int
    ) -> Completion:
        prompt, seed = self._requests[request]
        sampling, without = self._sampling, self._engine.without
        body = completion_body(server.model, self._prompts[prompt], seed, sampling, without)
        if server.gives_ids:
            body |= IDS
        answer = await client.post(f"{url}/completions", json=body)
        if answer.status_code in (400, 413, 422):  # the prompt is too long, or not to be had
            self.refused = self.refused or message(answer)
            return self.lost
        answer.raise_for_status()
        data = answer.json()
        choice = data["choices"][0]
        finish = choice["finish_reason"]
        if finish not in ("stop", "length"):
            raise KeyError(f"finish_reason {finish!r}")
        ids = choice.get("token_ids")  # of a server that gives them
        tokens = data["usage"]["completion_tokens"]
        found = Completion(choice["text"], tokens, finish, None if ids is None else array("i", ids))
        see_length(url, found, sampling)
        return found
