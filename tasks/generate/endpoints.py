"""Sampling from servers elsewhere: OpenAI-compatible completions, as `vllm serve` gives them.

Two kinds of address are taken. `restem engine serve` starts vLLM with whatever policy of the shared
store it is asked for (flows/machines/engine_server.py), so a whole run needs no hand. A plain
server has one model and was started with this very policy: `--served-model-name` its digest.

Every sample is a request with its own seed, and all of a shard are under way at once. The samples
of a prompt go to one server, which computes the prompt once. A server that fails is left alone for
a while, and its requests go to the others.

Each request under way has a client of its own, with one connection that it keeps: a pool of
hundreds looks through all of them for every request, which took ten times as long as the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

import httpx

from sandbox.awake import awake, silent_since
from tasks.decoding.request import Completion, Completions, SampleProgress, Sampling
from tasks.decoding.tokens import Prompt
from tasks.errors import StepError, UserError
from tasks.generate.addresses import MALFORMED, endpoint
from tasks.generate.endpoint import (
    FIELD,
    REST_SECONDS,
    Endpoint,
    EngineOptions,
    NotStarted,
    message,
)
from tasks.generate.neutral import IDS, NEUTRAL, completion_body, neutral
from tasks.generate.plain_server import WITHOUT, see_length, see_sampling
from tasks.store.store import ArtifactRef

# Failures of one request, on whichever servers, before its sample is given up.
TRIES = 4
# Failures of each server's engine to start, before sampling is given up: what kept the first from
# starting may have passed.
STARTS = 2
# A worker without a request looks again after so long, for a server that rested.
IDLE_SECONDS = 1.0
# Requests at one server for each sequence that it decodes at once: the next ones wait there.
QUEUED = 2


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
    ) -> None:
        """Nothing is asked yet.

        Args:
            addresses: Of servers, such as http://gpu1:8000; one that is none is a UserError.
            policy: The model.
            options: For servers that start vLLM.
            stall: Seconds without any answer after which sampling fails.
            without: Fields that plain servers are not sent.
        """
        self.without = frozenset(without)
        self._servers = [Endpoint(endpoint(address)) for address in addresses]
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
        work = _Shard(self, prompts, requests, sampling, progress)
        return asyncio.run(work.run()) if requests else Completions()

    def close(self) -> None:
        """Let servers that started vLLM for us end it."""
        for server in self._servers:
            if server.managed and server.url:
                with httpx.Client(headers=server.headers, timeout=REST_SECONDS) as client:
                    try:
                        client.delete(f"{server.address}/policy")
                    except httpx.HTTPError:
                        continue  # gone, and its engine with it
                server.url = ""

    async def ready(
        self,
        client: httpx.AsyncClient,
        server: Endpoint,
        see: Callable[[str], Awaitable[bool]],
    ) -> str:
        """See `Endpoint.ready`."""
        return await server.ready(client, self._policy, self._options, see)

    @property
    def model(self) -> str:
        """Name of the policy at every server."""
        return self._policy.digest

    @property
    def servers(self) -> list[Endpoint]:
        """All of them."""
        return self._servers

    @property
    def lanes(self) -> int:
        """Requests under way at one server."""
        return QUEUED * self._options.batch_size

    @property
    def stall(self) -> float:
        """Seconds without any answer after which sampling fails."""
        return self._stall


def _asked_for(sampling: Sampling) -> frozenset[str]:
    """The fields that a run does not leave as they do nothing."""
    return frozenset(name for name in NEUTRAL if neutral(name, sampling) != NEUTRAL[name])


class _Shard:
    """The requests of one call."""

    def __init__(
        self,
        engine: EndpointEngine,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None,
    ) -> None:
        self._engine, self._prompts, self._requests = engine, prompts, requests
        self._sampling, self._progress = sampling, progress
        groups: dict[int, deque[int]] = {}
        for i, (prompt, _) in enumerate(requests):
            groups.setdefault(prompt, deque()).append(i)
        self._groups = deque(groups.values())
        # What is left of the prompt that each server is at. Several shards share the servers.
        self._at: dict[str, deque[int]] = {one.address: deque() for one in engine.servers}
        self._again: deque[int] = deque()
        self._tries = [0] * len(requests)
        self._done: dict[int, Completion] = {}
        # One at a time asks a server for the policy.
        self._gates = {server.address: asyncio.Lock() for server in engine.servers}
        self._changed = asyncio.Event()
        self._refused = ""
        self._heard = awake()
        self._why = ""

    async def run(self) -> Completions:
        engine, began = self._engine, time.perf_counter()
        certificates = httpx.create_ssl_context()  # once: it takes longer than a request
        workers = [
            asyncio.create_task(self._serve(certificates, server))
            # In turn, for each takes a request when it begins: the first server would have all.
            for _ in range(min(engine.lanes, len(self._requests)))
            for server in engine.servers
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
        if all(one.finish == "error" for one in self._done.values()) and self._refused:
            raise UserError(f"sampling.max_tokens: no prompt fits: {self._refused}")
        found = Completions(self._done[i] for i in range(len(self._requests)))
        found.engine_seconds = (time.perf_counter() - began) * len(engine.servers)
        return found

    async def _serve(self, certificates: ssl.SSLContext, server: Endpoint) -> None:
        """Have one request after the other at a server, over one connection."""
        engine = self._engine
        async with httpx.AsyncClient(
            headers=server.headers, verify=certificates, timeout=engine.stall
        ) as client:
            await self._work(client, server)

    async def _work(self, client: httpx.AsyncClient, server: Endpoint) -> None:
        """One request at a time, until all are done."""
        while len(self._done) < len(self._requests):
            if silent_since(self._heard) > self._engine.stall:
                raise StepError(f"{FIELD}: none answers ({self._why})")
            request = self._next(server)
            if request is None:
                await self._news()
                continue
            try:
                async with self._gates[server.address]:
                    # Read once: another shard, in another thread, may find the server gone.
                    if not (url := server.url):
                        if awake() < server.rests_until:  # another has just asked in vain
                            self._again.append(request)
                            continue
                        see = partial(self._see, client, request)
                        url = await self._engine.ready(client, server, see)
                        self._heard = awake()
                self._take(request, await self._ask(client, url, server, request))
            except NotStarted as error:
                self._failed(server, request, f"{server.address}: {error}")
                if all(one.failures >= STARTS for one in self._engine.servers):
                    raise StepError(f"{FIELD}: {self._why}") from None
            except (httpx.HTTPError, *MALFORMED) as error:
                self._failed(server, request, f"{server.address}: {error!r}"[:300])

    async def _see(self, client: httpx.AsyncClient, request: int, url: str) -> bool:
        """See that a server that others started samples as it is asked to."""
        prompt, model = self._prompts[self._requests[request][0]], self._engine.model
        return await see_sampling(client, url, model, prompt, self._sampling, self._engine.without)

    async def _news(self) -> None:
        """Wait until requests are given back or all are done; hundreds of workers may."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), IDLE_SECONDS)

    def _next(self, server: Endpoint) -> int | None:
        """The next request for a server: of the prompt it is at, else of a fresh one."""
        if awake() < server.rests_until:
            return None
        if self._again:
            return self._again.popleft()
        at = self._at[server.address]
        if not at and self._groups:
            at = self._at[server.address] = self._groups.popleft()
        return at.popleft() if at else None

    async def _ask(
        self, client: httpx.AsyncClient, url: str, server: Endpoint, request: int
    ) -> Completion:
        prompt, seed = self._requests[request]
        sampling, without = self._sampling, self._engine.without
        body = completion_body(server.model, self._prompts[prompt], seed, sampling, without)
        if server.gives_ids:
            body |= IDS
        answer = await client.post(f"{url}/completions", json=body)
        if answer.status_code in (400, 413, 422):  # the prompt is too long, or not to be had
            self._refused = self._refused or message(answer)
            return Completion("", 0, "error", ())
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

    def _take(self, request: int, completion: Completion) -> None:
        self._done[request] = completion
        self._heard = awake()
        if len(self._done) == len(self._requests):
            self._changed.set()
        if self._progress:
            self._progress(len(self._done), len(self._requests))

    def _failed(self, server: Endpoint, request: int, why: str) -> None:
        """Let the server rest and give its request, and those it was to get, to others."""
        self._why = why
        now = awake()
        if now >= server.rests_until:
            server.rests_until, server.url = now + REST_SECONDS, ""
        self._again.extend(self._at[server.address])
        self._at[server.address].clear()
        self._tries[request] += 1
        # Only a request that fails while others are answered is to blame.
        if self._tries[request] >= TRIES and now - self._heard < REST_SECONDS:
            self._take(request, Completion("", 0, "error", ()))
        else:
            self._again.append(request)
        self._changed.set()
        self._changed.clear()  # who waits now wakes up; who comes later waits
