"""An engine in one or several equal children, which are started again when they die or hang.

A request is one JSON message a shard: prompts, (prompt, seed) pairs and sampling settings. A child
is started at the first request, and loads the model then, so an engine that is opened but never
asked costs nothing. Several threads may sample at once: a child has the next shard while it ends
one. Completions come as they are finished, so a death loses what was under way and no more; what
is done about it is in tasks/generate/retry.py.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from tasks.decoding.request import (
    Completion,
    Completions,
    Finish,
    SampleProgress,
    Sampling,
    Weights,
)
from tasks.decoding.tokens import Prompt
from tasks.errors import StepError
from tasks.generate.connection import Connection, Died
from tasks.generate.dealing import Seats, deal
from tasks.generate.retry import NotUp, sample_all
from tasks.metering import meter
from tasks.processes.child import Child, close_fork_server
from tasks.processes.wire import Message

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Asked(Generic[_Item]):
    """What is asked about every prompt.

    Attributes:
        fields: Of each message that asks it.
        read: What an item of an answer says, its place left out.
        lost: What a prompt gets that the engine cannot take.
    """

    fields: Message
    read: Callable[..., _Item]
    lost: _Item


class ChildEngine:
    """See the module."""

    def __init__(
        self,
        start: Callable[[int], Child],
        options: Message,
        *,
        replicas: int = 1,
        least: int = 1,
        stall: float = 900.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Remember how to start.

        Args:
            start: Starts the child of this number.
            options: Fields of every request.
            replicas: Most children.
            least: Requests of a shard for each further child.
            stall: Seconds without a sign of life after which a child is taken for hung.
            say: Told when a child was started again.
        """
        self._options, self._say = options, say
        self._replicas = [_Replica(start, number, stall) for number in range(replicas)]
        self._seats, self._least = Seats(replicas), least
        self._closed = False

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
    ) -> Completions:
        """See `Engine`."""
        asked = _Asked(
            {"sampling": sampling.to_json()}, _completion, Completion("", 0, "error", ())
        )
        done, seconds = self._all(prompts, requests, asked, progress)
        completions = Completions(done)
        completions.engine_seconds = seconds
        return completions

    def choose(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> Weights:
        """See `Engine`."""
        asked: _Asked[list[float] | None] = _Asked({"choices": list(choices)}, _weights, None)
        requests = [(place, 0) for place in range(len(prompts))]
        done, seconds = self._all(prompts, requests, asked, None)
        weights = Weights(done)
        weights.engine_seconds = seconds
        return weights

    def _all(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        asked: _Asked[_Item],
        progress: SampleProgress | None,
    ) -> tuple[list[_Item], float]:
        """What each request got, in order, and the seconds that engines were at it."""
        if not requests:
            return [], 0.0
        parts = deal(prompts, requests, len(self._replicas), self._least)
        seats = self._seats.take([*map(len, parts)], lambda seat: self._replicas[seat].alive)
        done: list[dict[int, _Item]] = [{} for _ in parts]
        over, telling = threading.Event(), threading.Lock()

        def advance() -> None:
            if progress:
                with telling:  # else a thread might tell a count after a later one was told
                    progress(sum(map(len, done)), len(requests))

        def run(number: int) -> float:
            part = [requests[i] for i in parts[number]]
            work = _Work(self._options, prompts, part, asked, done[number], advance)

            def ask(places: list[int], alone: bool) -> None:
                if self._closed or over.is_set():
                    raise StepError("the engine was closed")
                self._replicas[seats[number]].ask(work, places, alone)

            try:
                sample_all(part, ask, done[number], self._warn, asked.lost)
            finally:
                self._seats.give_back(seats[number], len(part))
            return work.seconds

        with ThreadPoolExecutor(len(parts)) as pool:
            # In a copy of this context, so that progress knows the task that it belongs to.
            futures = [
                pool.submit(contextvars.copy_context().run, run, number)
                for number in range(len(parts))
            ]
            try:
                seconds = sum(future.result() for future in futures)
            except BaseException as error:
                over.set()
                # The threads that still wait must come back: at once where a person interrupted.
                if not isinstance(error, Exception):
                    close_fork_server()
                if len(parts) > 1 or not isinstance(error, Exception):
                    for replica in self._replicas:
                        replica.close()
                raise
        found = {
            i: done[number][place]
            for number, part in enumerate(parts)
            for place, i in enumerate(part)
        }
        return [found[i] for i in range(len(requests))], seconds

    def pids(self) -> list[int]:
        """Process ids of the children that live."""
        return [
            connection.child.pid
            for replica in self._replicas
            if (connection := replica.connection) is not None
        ]

    @property
    def loading_seconds(self) -> float:
        """From the starts of children to their first words, in all."""
        return sum(
            connection.loading for replica in self._replicas for connection in replica.connections
        )

    def close(self) -> None:
        """End the children; shards under way fail."""
        self._closed = True
        for replica in self._replicas:
            replica.close()

    def _warn(self, text: str) -> None:
        if not self._closed:
            self._say(text)


def _completion(text: str, tokens: int, finish: Finish, ids: list[int]) -> Completion:
    return Completion(text, tokens, finish, array("i", ids))


def _weights(values: list[float] | None) -> list[float] | None:
    return values


class _Work(Generic[_Item]):
    """The part of a shard that one child does."""

    def __init__(
        self,
        options: Message,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        asked: _Asked[_Item],
        done: dict[int, _Item],
        advance: Callable[[], None],
    ) -> None:
        self._options, self._prompts, self._requests = options, prompts, requests
        self._asked, self._done, self._advance = asked, done, advance
        self.seconds = 0.0

    def message(self, places: list[int]) -> Message:
        used = sorted({self._requests[i][0] for i in places})
        at = {prompt: i for i, prompt in enumerate(used)}
        return {
            **self._options,
            "prompts": [self._prompts[i] for i in used],
            "requests": [[at[self._requests[i][0]], self._requests[i][1]] for i in places],
            **self._asked.fields,
        }

    def take(self, places: list[int], message: Message) -> None:
        """Keep what has come."""
        for i, *item in message.get("items", ()):
            self._done[places[i]] = self._asked.read(*item)
        self._advance()


class _Replica:
    """Where one child lives, and the next when it has died."""

    def __init__(self, start: Callable[[int], Child], number: int, stall: float) -> None:
        self._start, self._number, self._stall = start, number, stall
        self.connection: Connection | None = None
        self.connections: list[Connection] = []  # all that there were
        self._positions = 0
        self._users = 0
        self._alone = False
        self._turn = threading.Condition()

    @property
    def alive(self) -> bool:
        """Whether its child is there."""
        return (connection := self.connection) is not None and connection.alive

    def ask(self, work: _Work[_Item], places: list[int], alone: bool) -> None:
        """Have requests done; raises `Died` where the child died of them, or of others."""
        with self._among(alone):
            answer = self._call(work, places)
        if "restart" in answer:  # longer than the engine was made for
            with self._among(True):
                if self._positions < answer["restart"]:
                    self._positions = answer["restart"]
                    self.close()
                self._call(work, places)

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> Connection:
        with self._turn:
            if self.connection is None or not self.connection.alive:
                self.connection = Connection(self._start(self._number), self._stall)
                self.connections.append(self.connection)
            return self.connection

    def _call(self, work: _Work[_Item], places: list[int]) -> Message:
        connection = self._connected()
        request = {**work.message(places), "positions": self._positions}
        try:
            answer = connection.ask(request, lambda message: work.take(places, message))
        except Died as died:
            raise died if connection.spoke else NotUp(str(died)) from None
        finally:
            # Of shards that are at one child at once, who is through first has all of it so far.
            connection.child.cpu.read(meter())
        work.seconds += answer.get("engine_seconds", 0.0)
        return answer

    @contextlib.contextmanager
    def _among(self, alone: bool) -> Iterator[None]:
        """Share the child with other shards, or have it alone."""
        with self._turn:
            self._turn.wait_for(lambda: not (self._alone or (alone and self._users)))
            self._users += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._turn:
                self._users -= 1
                self._alone = self._alone and not alone
                self._turn.notify_all()
