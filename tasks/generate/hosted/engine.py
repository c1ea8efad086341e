"""Samples of a hosted model: each a request with its own seed, some of them under way at once.

Every answer is kept as soon as it came (answers.py), so a run that ends in between goes on with the
same command and pays for nothing twice; it ends when what is under way was heard, or after
GRACE_SECONDS. Requests under way when a process is killed were perhaps paid for, and are asked
again: at most `resources.hosted_requests` of them.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.decoding.request import (
    Completion,
    Completions,
    Costed,
    SampleProgress,
    Sampling,
    Weights,
)
from tasks.decoding.tokens import Prompt
from tasks.errors import StepError, UserError
from tasks.generate.hosted.answers import Answers
from tasks.generate.hosted.chat import Answer, Ask, as_completed
from tasks.generate.hosted.choices import WRITTEN, ChoiceAsk, weights_of
from tasks.generate.hosted.client import TEACHER, Client
from tasks.generate.hosted.service import HostedModel
from tasks.settings import TeacherField

MILLION = 1_000_000
# Requests under way when a run ends early are paid for, so it waits so long for their answers.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class _Answered:
    """An ask that is over: its answer, None where there is none to be had, and how long it took."""

    digest: str
    answer: Answer | None
    seconds: float


class HostedEngine:
    """An engine (tasks/dag/contracts.py); a prompt is its messages as JSON."""

    def __init__(
        self,
        model: HostedModel,
        key: str,
        answers: Path,
        *,
        requests: int,
        prices: tuple[float, float],
        stall: float,
        fields: Sequence[TeacherField] = (),
        field: str = TEACHER,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            model: Which, and where.
            key: Of the service; empty: none.
            answers: File of the answers.
            requests: Most under way at once, of all shards together.
            prices: Of a million tokens, read and written.
            stall: Seconds without any answer after which sampling fails.
            fields: That the service takes beside those of the protocol.
            field: Of the configuration, which names the model.
            say: Told what a person should know.
        """
        self._fields, self._field = fields, field
        self._model, self._width, self._prices, self._say = model, requests, prices, say
        self._answers = Answers(answers, model.model)
        self._loop = asyncio.new_event_loop()
        self._client = Client(model, key, requests=requests, stall=stall, field=field)
        self._shards: set[asyncio.Task[None]] = set()
        self._closed = False
        threading.Thread(target=self._turn, name="hosted", daemon=True).start()

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
    ) -> Completions:
        """See `Engine`.

        Raises:
            UserError: the service refuses the key, the model or what it is asked.
            StepError: it gives no answer for too long, or has no quota left.
        """
        asks = [
            Ask(
                json.loads(str(prompts[prompt])),
                sampling,
                seed if sampling.temperature else None,
                self._fields,
            )
            for prompt, seed in requests
        ]
        made = Completions()
        answers = self._answered(asks, made, progress)
        made.extend(
            Completion(one.text, one.tokens_out, one.finish) if one else Completion("", 0, "error")
            for one in (answer and as_completed(answer, sampling.stop) for answer in answers)
        )
        return made

    def choose(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> Weights:
        """See `Engine`.

        Raises:
            UserError: the service refuses the key, the model or what it is asked, or gives no
                log-probabilities.
            StepError: it gives no answer for too long, or has no quota left.
        """
        greedy = Sampling(temperature=0.0, max_tokens=WRITTEN)
        asks = [ChoiceAsk(json.loads(str(prompt)), greedy, None) for prompt in prompts]
        weights = Weights()
        answers = self._answered(asks, weights, None)
        weights.tokens = sum(answer.tokens_out for answer in answers if answer)
        weights.extend(answer and weights_of(answer, choices) for answer in answers)
        return weights

    def _answered(
        self, asked: Sequence[Ask], costs: Costed, progress: SampleProgress | None
    ) -> list[Answer | None]:
        """What the service said to each, in order; what it cost is noted in `costs`."""
        if self._closed:
            raise StepError("the engine was closed")
        asks: dict[str, Ask] = {}
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asked):
            digest = ask.digest(self._model.model, self._model.address)
            asks[digest] = ask
            places.setdefault(digest, []).append(place)
        found: dict[str, Answer | None] = {**self._answers.find(asks)}
        done, seconds = sum(len(places[one]) for one in found), 0.0
        for one in self._ask({digest: asks[digest] for digest in asks if digest not in found}):
            found[one.digest] = one.answer
            seconds += one.seconds
            done += len(places[one.digest])
            if progress:
                progress(done, len(asked))
        if found and not any(found.values()) and self._client.refusal:
            raise UserError(f"{self._field}: no prompt is taken: {self._client.refusal}")
        answers = [one for one in found.values() if one is not None]
        costs.input_tokens = sum(one.tokens_in for one in answers)
        written = sum(one.tokens_out for one in answers)
        price_in, price_out = self._prices
        costs.money = (price_in * costs.input_tokens + price_out * written) / MILLION
        costs.engine_seconds = seconds / self._width
        at = {place: found[digest] for digest, its in places.items() for place in its}
        return [at[place] for place in range(len(at))]

    def close(self) -> None:
        """End what is under way; shards that wait for it fail."""
        if not self._closed:
            self._closed = True
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _ask(self, asks: Mapping[str, Ask]) -> Iterator[_Answered]:
        """Have them answered, in whatever order."""
        heard: queue.SimpleQueue[_Answered | BaseException] = queue.SimpleQueue()
        shard = asyncio.run_coroutine_threadsafe(self._all(asks, heard), self._loop)
        try:
            for _ in asks:
                news = heard.get()
                for words in self._client.take_words():
                    self._say(words)
                if isinstance(news, BaseException):
                    raise news
                yield news
        finally:
            shard.cancel()

    async def _all(
        self, asks: Mapping[str, Ask], heard: queue.SimpleQueue[_Answered | BaseException]
    ) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._shards.add(me)
        each = [asyncio.create_task(self._one(*pair, heard)) for pair in asks.items()]
        why: BaseException = StepError("the engine was closed")
        try:
            done, left = await asyncio.wait(each, return_when=asyncio.FIRST_EXCEPTION)
            why = next((error for one in done if (error := one.exception())), why)
            if left:
                await self._settle(each)
        except asyncio.CancelledError:
            await self._settle(each)
        finally:
            heard.put(why)  # nobody listens where all is answered
            self._shards.discard(me)

    async def _settle(self, each: list[asyncio.Task[None]]) -> None:
        """End the asks of a shard, but hear first what is paid for already."""
        sent = [one for one in each if one in self._client.sending]
        for one in each:
            if one not in sent:
                one.cancel()
        try:
            if sent:
                await asyncio.wait(sent, timeout=GRACE_SECONDS)
        finally:
            for one in sent:
                one.cancel()
        await asyncio.gather(*each, return_exceptions=True)

    async def _one(
        self, digest: str, ask: Ask, heard: queue.SimpleQueue[_Answered | BaseException]
    ) -> None:
        answer, seconds = await self._client.answer(ask)
        if answer is not None:
            self._answers.keep(digest, answer)
        heard.put(_Answered(digest, answer, seconds))

    def _turn(self) -> None:
        """The body of the thread that sends and hears."""
        self._loop.run_forever()
        self._loop.close()

    async def _end(self) -> None:
        for shard in self._shards:
            shard.cancel()
        await asyncio.gather(*self._shards, return_exceptions=True)
        await self._client.close()
        self._answers.close()
