"""The requests of one call at servers elsewhere, all of them under way at once.

The samples of a prompt go to one server, which computes the prompt once. A server that fails is
left alone for a while, and its requests go to the others.

Each request under way has a client of its own, with one connection that it keeps: a pool of
hundreds looks through all of them for every request, which took ten times as long as the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

import httpx

from sandbox.awake import awake, silent_since
from tasks.decoding.request import SampleProgress
from tasks.errors import StepError
from tasks.generate.addresses import MALFORMED
from tasks.generate.endpoint import FIELD, REST_SECONDS, Endpoint, EngineOptions, NotStarted
from tasks.store.store import ArtifactRef

# Failures of one request, on whichever servers, before its sample is given up.
TRIES = 4
# Failures of each server's engine to start, before sampling is given up: what kept the first from
# starting may have passed.
STARTS = 2
# A worker without a request looks again after so long, for a server that rested.
IDLE_SECONDS = 1.0

_Item = TypeVar("_Item")
_Given = TypeVar("_Given", covariant=True)


class Asked(Protocol[_Given]):
    """What is asked about each request of a shard."""

    @property
    def lost(self) -> _Given:
        """What a request gets that no server could answer."""
        ...

    async def see(self, client: httpx.AsyncClient, request: int, url: str) -> bool:
        """See that a server that others started answers as it is asked to."""
        ...

    async def ask(
        self, client: httpx.AsyncClient, url: str, server: Endpoint, request: int
    ) -> _Given:
        """Ask a server.

        Raises:
            UserError: it cannot be asked so.
            httpx.HTTPError: it failed; so do the errors of addresses.MALFORMED say.
        """
        ...


@dataclass(frozen=True)
class Served:
    """Who is asked.

    Attributes:
        servers: All of them.
        policy: The model.
        options: For servers that start vLLM.
        stall: Seconds without any answer after which a call fails.
        lanes: Requests under way at one server.
    """

    servers: list[Endpoint]
    policy: ArtifactRef
    options: EngineOptions
    stall: float
    lanes: int


class ServedShard(Generic[_Item]):
    """The requests of one call."""

    def __init__(
        self,
        served: Served,
        requests: Sequence[tuple[int, int]],
        asked: Asked[_Item],
        progress: SampleProgress | None,
    ) -> None:
        self._served, self._requests = served, requests
        self._asked, self._progress = asked, progress
        groups: dict[int, deque[int]] = {}
        for i, (prompt, _) in enumerate(requests):
            groups.setdefault(prompt, deque()).append(i)
        self._groups = deque(groups.values())
        # What is left of the prompt that each server is at. Several shards share the servers.
        self._at: dict[str, deque[int]] = {one.address: deque() for one in served.servers}
        self._again: deque[int] = deque()
        self._tries = [0] * len(requests)
        self._done: dict[int, _Item] = {}
        # One at a time asks a server for the policy.
        self._gates = {server.address: asyncio.Lock() for server in served.servers}
        self._changed = asyncio.Event()
        self._heard = awake()
        self._why = ""

    async def run(self) -> tuple[list[_Item], float]:
        """What each request got, in order, and the seconds of all servers."""
        served, began = self._served, time.perf_counter()
        certificates = httpx.create_ssl_context()  # once: it takes longer than a request
        workers = [
            asyncio.create_task(self._serve(certificates, server))
            # In turn, for each takes a request when it begins: the first server would have all.
            for _ in range(min(served.lanes, len(self._requests)))
            for server in served.servers
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
        seconds = (time.perf_counter() - began) * len(served.servers)
        return [self._done[i] for i in range(len(self._requests))], seconds

    async def _serve(self, certificates: ssl.SSLContext, server: Endpoint) -> None:
        """Have one request after the other at a server, over one connection."""
        served = self._served
        async with httpx.AsyncClient(
            headers=server.headers, verify=certificates, timeout=served.stall
        ) as client:
            await self._work(client, server)

    async def _work(self, client: httpx.AsyncClient, server: Endpoint) -> None:
        """One request at a time, until all are done."""
        while len(self._done) < len(self._requests):
            if silent_since(self._heard) > self._served.stall:
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
                        see = partial(self._asked.see, client, request)
                        about = self._served
                        url = await server.ready(client, about.policy, about.options, see)
                        self._heard = awake()
                self._take(request, await self._asked.ask(client, url, server, request))
            except NotStarted as error:
                self._failed(server, request, f"{server.address}: {error}")
                if all(one.failures >= STARTS for one in self._served.servers):
                    raise StepError(f"{FIELD}: {self._why}") from None
            except (httpx.HTTPError, *MALFORMED) as error:
                self._failed(server, request, f"{server.address}: {error!r}"[:300])

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

    def _take(self, request: int, found: _Item) -> None:
        self._done[request] = found
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
            self._take(request, self._asked.lost)
        else:
            self._again.append(request)
        self._changed.set()
        self._changed.clear()  # who waits now wakes up; who comes later waits
