"""Asks a service for one answer after another, and knows what to do when it gives none.

| the service says                         | what follows                                         |
|------------------------------------------|------------------------------------------------------|
| 429                                      | no request is sent for a while (patience.py)         |
| 5xx, a timeout, no or broken JSON        | this one again later; after TRIES failures, with     |
|                                          | others answered meanwhile, its finish is `error`     |
| a content filter                         | finish `refused`                                     |
| the prompt is too long, or not taken     | finish `error`                                       |
| it does not know `seed` or `stop`        | without it; `max_tokens` has a newer name            |
| it does not know one of `teacher_fields` | one line, and the run ends                           |
| it gives no log-probabilities to a judge | the same; fewer than 20 are asked for where it says  |
| 401, 402, 403, 404, no quota left        | one line, and the run ends                           |
| nothing for `resources.stall_seconds`    | the same                                             |
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping

import httpx

from sandbox.awake import awake, silent_since
from tasks.errors import StepError, UserError
from tasks.generate.hosted.chat import Answer, Ask, Malformed, NoLogProbabilities
from tasks.generate.hosted.choices import FEWER_TOP, LOG_PROBABILITIES
from tasks.generate.hosted.patience import wait_seconds
from tasks.generate.hosted.service import ADDRESS, KEY, HostedModel
from tasks.generate.neutral import NEUTRAL
from tasks.rows import Json

# Failures of one request before others are let go first, and, where those are answered, before its
# sample is given up.
TRIES = 6
# Refused prompts before a service answered any: then it is not the prompts.
REFUSALS = 4
CONNECT_SECONDS = 30.0
# After a wait that all share, requests come back spread over so many seconds.
SPREAD_SECONDS = 0.25
TEACHER, JUDGE = "sampling.teacher", "judge.model"  # fields that name a hosted model
# What is sent of [sampling] under its own name.
_SETTINGS = ("temperature", "top_p", "max_tokens")
_NEWER = {"max_tokens": "max_completion_tokens"}
_FILTERS = ("content_filter", "content_policy", "content management policy", "moderation")
_LONGEST_WORD = 200


class _Again(Exception):
    """The request is to be sent again later; the message says why."""

    def __init__(self, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.headers = headers


class _Busy(_Again):
    """No request is to be sent for a while."""


class _Otherwise(Exception):
    """The request is to be sent again at once: the service does not know a field of it."""


class Client:
    """One service; used in one event loop."""

    def __init__(
        self, model: HostedModel, key: str, *, requests: int, stall: float, field: str = TEACHER
    ) -> None:
        """Nothing is asked yet.

        Args:
            model: Which, and where.
            key: Empty: none.
            requests: Most under way at once.
            stall: Seconds without any answer after which `answer` fails; the longest answer too.
            field: Of the configuration, which names the model.
        """
        self._field = field
        self._model, self._key, self._stall = model, key, stall
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(stall, connect=min(stall, CONNECT_SECONDS), pool=None),
            limits=httpx.Limits(max_connections=requests, max_keepalive_connections=requests),
        )
        self._places = asyncio.Semaphore(requests)
        self._without: set[str] = set()
        self._newer: set[str] = set()
        self._top = 0  # likeliest tokens that it gives at most; 0: as many as are asked for
        self._asking = 0
        self._heard = self._told_busy = self._rests_until = awake()
        self._waves = 0  # of 429, in a row
        self._answered = self._refused = 0
        self.refusal = ""  # the first one
        self._failure: UserError | StepError | None = None  # that ends the run
        self._words: list[str] = []
        self.sending: set[asyncio.Task[None] | None] = set()  # that wait for an answer

    async def answer(self, ask: Ask) -> tuple[Answer | None, float]:
        """The answer, None where there is none to be had, and the seconds that it took.

        Raises:
            UserError: the service refuses the key, the model or what it is asked.
            StepError: it gave no answer for too long, or has no quota left.
        """
        if not self._asking:
            self._heard = awake()
        self._asking += 1
        try:
            return await self._answer(ask)
        except (UserError, StepError) as error:
            self._failure = error
            raise
        finally:
            self._asking -= 1

    def take_words(self) -> list[str]:
        """What a person should read, once; from any thread."""
        found, self._words = self._words, []
        return found

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _answer(self, ask: Ask) -> tuple[Answer | None, float]:
        failures, since = 0, 0.0
        while True:
            async with self._places:
                since = since or awake()
                for _ in range(TRIES):
                    try:
                        found = await self._once(ask)
                    except (_Again, Malformed, httpx.HTTPError) as error:
                        failures += 1
                        if failures >= TRIES and self._heard > since:
                            return None, awake() - since
                        why = str(error) or type(error).__name__
                        told = error.headers if isinstance(error, _Again) else None
                        await self._wait(wait_seconds(failures, told), why)
                        continue
                    self._heard, self._waves = awake(), 0
                    return found, self._heard - since

    async def _once(self, ask: Ask) -> Answer | None:
        """Ask until the service is not busy and knows all fields."""
        while True:
            if (rest := self._rests_until - awake()) > 0:
                await asyncio.sleep(rest + random.uniform(0, SPREAD_SECONDS))
            sent = awake()
            try:
                return await self._post(ask)
            except _Otherwise:
                continue
            except _Busy as busy:
                if sent >= self._told_busy:  # else of the same wave as one that was told before
                    self._waves += 1
                self._told_busy = awake()
                pause = wait_seconds(self._waves, busy.headers)
                self._rests_until = max(self._rests_until, self._told_busy + pause)
                self._see_patience(pause, str(busy))

    async def _wait(self, seconds: float, why: str) -> None:
        self._see_patience(seconds, why)
        await asyncio.sleep(seconds)

    def _see_patience(self, seconds: float, why: str) -> None:
        """See that the next try comes before the time to give up."""
        silent = silent_since(self._heard)
        if silent + seconds > self._stall:
            raise StepError(
                f"{ADDRESS}: {self._model.host}: no answer for {silent:.0f} s ({why}), and the "
                f"next try is due in {seconds:.0f} s; the same command goes on from here"
            )

    async def _post(self, ask: Ask) -> Answer | None:
        body = self._body(ask)
        if self._failure is not None:  # nothing more is paid for
            raise self._failure
        me = asyncio.current_task()
        self.sending.add(me)
        try:
            response = await self._http.post(f"{self._model.address}/chat/completions", json=body)
        finally:
            self.sending.discard(me)
        # A service may repeat what it was sent.
        text = response.text.replace(self._key, f"({KEY})") if self._key else response.text
        if response.status_code == 200:
            try:
                found = ask.read(text)
            except NoLogProbabilities as error:
                raise self._no_log_probabilities(str(error)) from None
            self._answered += 1
            return found
        return self._failed(response, _error_of(text), body)

    def _body(self, ask: Ask) -> Json:
        body = ask.body(self._model.model)
        for name in self._without & body.keys():
            del body[name]
        for name in self._newer & body.keys():
            body[_NEWER[name]] = body.pop(name)
        if self._top and "top_logprobs" in body:
            body["top_logprobs"] = self._top
        return body

    def _failed(self, response: httpx.Response, error: Json, body: Json) -> Answer | None:
        """What a response other than 200 means."""
        status, host = response.status_code, self._model.host
        code = f"{error.get('code')} {error.get('type')}".lower()
        said = str(error.get("message") or "").strip()[:_LONGEST_WORD] or f"HTTP {status}"
        if status == 402 or "insufficient_quota" in code:
            raise StepError(f"{KEY}: {host}: no quota left ({said}); the same command goes on")
        if status == 429:
            raise _Busy("HTTP 429", response.headers)
        if status in (408, 409, 425) or status >= 500:
            raise _Again(f"HTTP {status}", response.headers)
        if any(word in f"{code} {said.lower()}" for word in _FILTERS):
            return Answer(said, "refused", 0, 0)
        if status in (401, 403):
            raise UserError(f"{KEY}: {host} refuses it ({said})")
        if status == 404:
            raise UserError(f"{self._field}: {host} has no model {self._model.model!r} ({said})")
        if status not in (400, 413, 422):
            raise UserError(f"{ADDRESS}: {host} answers HTTP {status}; expected a service's base")
        self._know(str(error.get("param")), said, body)
        self._refused, self.refusal = self._refused + 1, self.refusal or said
        if not self._answered and self._refused >= REFUSALS:
            raise UserError(f"{self._field}: {host} refuses what it is asked: {self.refusal}")
        return None

    def _know(self, field: str, said: str, body: Json) -> None:
        """Find what the service does not know of the fields that were sent.

        Raises:
            _Otherwise: it can be asked without it.
            UserError: it does not take a setting of the run.
        """
        for name, newer in _NEWER.items():
            if newer in said and name in body:
                self._newer.add(name)
                raise _Otherwise
        for name in ("seed", "stop"):
            if name in body and _names(name, field, said):
                if name == "seed" and name not in self._without:
                    self._words.append(
                        f"{self._model.host} takes no seed of ours ({said}): its samples are "
                        "kept, but nobody can draw them again"
                    )
                self._without.add(name)
                raise _Otherwise
        if any(name in body and _names(name, field, said) for name in LOG_PROBABILITIES):
            if field == "logprobs" or body["top_logprobs"] == FEWER_TOP:
                raise self._no_log_probabilities(said)
            self._top = FEWER_TOP
            raise _Otherwise
        for name in NEUTRAL:
            if name in body and name not in _SETTINGS and _names(name, field, said):
                raise UserError(
                    f"sampling.teacher_fields: {self._model.host} does not take {name}: {said}"
                )
        if field in _SETTINGS:
            raise UserError(f"sampling.{field}: {self._model.host} does not take it: {said}")

    def _no_log_probabilities(self, why: str) -> UserError:
        return UserError(
            f"{self._field}: {self._model.host} gives no log-probabilities of {self._model.model} "
            f"({why}), which a judge's choice is made of; expected a model that takes logprobs and "
            "top_logprobs in chat completions, or a judge that runs here"
        )


def _names(name: str, field: str, said: str) -> bool:
    """Whether a refusal is of a field: it is its parameter, or stands in the message as a word."""
    return field == name or f"'{name}'" in said or f'"{name}"' in said


def _error_of(text: str) -> Json:
    """The error in a body, whatever its form; empty where there is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = data.get("error", data) if isinstance(data, dict) else {}
    return found if isinstance(found, dict) else {"message": found}
