"""Weights of choices by servers that speak OpenAI's completions.

Three ways, tried in this order with a server that others started; one that `restem engine serve`
starts is a vLLM, which has the first:

| way  | a request                                          | what it gives                        |
|------|----------------------------------------------------|--------------------------------------|
| ids  | `logprob_token_ids`: a prompt with a stem          | exactly what is asked (vLLM), and    |
|      |                                                    | reads what prefix caching kept       |
| echo | `echo` with `logprobs`: a prompt with a choice     | exactly; computes each prompt anew   |
| top  | `logprobs`: a prompt with a stem                   | the likeliest tokens (top_tokens.py) |
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from typing import TYPE_CHECKING

import httpx

from tasks.decoding.choice_tokens import Stem, mistake, next_tokens, totals
from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt, completion_ids, prompt_ids
from tasks.errors import UserError
from tasks.generate.addresses import FIELD, MALFORMED
from tasks.generate.endpoint import Endpoint, message
from tasks.generate.neutral import completion_body
from tasks.generate.top_tokens import weigh
from tasks.rows import Json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

IDS, ECHO, TOP = "ids", "echo", "top"
_WAYS = (IDS, ECHO, TOP)
# The most that servers give by default (vLLM's `--max-logprobs`), and that OpenAI's protocol has.
_TOPS = (20, 5)
_ONE = Sampling(temperature=0.0, max_tokens=1)
_REFUSED = (400, 413, 422)


class NotTaken(Exception):
    """A server does not take a request; the message is what it says."""


class ServedChoices:
    """The choices behind each prompt of one call; see `Asked` of served_shard.py."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompts: Sequence[Prompt],
        choices: Sequence[str],
        ways: MutableMapping[str, str],
        without: Collection[str],
    ) -> None:
        """Ask nothing yet.

        Args:
            tokenizer: Of the policy.
            prompts: Texts, or tokens.
            choices: The same for all prompts.
            ways: Of each server that was asked before, by address.
            without: Fields that plain servers are not sent.

        Raises:
            UserError: a choice has no tokens, or begins with another.
        """
        self._prompts = prompt_ids(tokenizer, prompts)
        self._answers = completion_ids(tokenizer, choices)
        if wrong := mistake(choices, self._answers):
            raise UserError(wrong)
        self._stems = next_tokens(self._answers)
        tokens = {token for answer in self._answers for token in answer}
        self._texts = {token: str(tokenizer.decode([token])) for token in tokens}
        self._ways, self._without = ways, without
        self._tops = _TOPS[0]
        self.refused = ""
        self.lost: list[float] | None = None

    async def see(self, client: httpx.AsyncClient, request: int, url: str) -> bool:
        """Which fields it takes is seen when it is asked; of samples nothing is known yet."""
        return False

    async def ask(
        self, client: httpx.AsyncClient, url: str, server: Endpoint, request: int
    ) -> list[float] | None:
        """See `Asked`."""
        prompt = self._prompts[request]
        way = IDS if server.managed else self._ways.get(server.address)
        try:
            if way:
                return await self._weights(client, url, server.model, prompt, way)
            return await self._find_way(client, url, server, prompt)
        except NotTaken as error:  # the prompt is too long, or not to be had
            self.refused = self.refused or str(error)
            return None

    async def _find_way(
        self, client: httpx.AsyncClient, url: str, server: Endpoint, prompt: list[int]
    ) -> list[float] | None:
        """Ask in each way until one works.

        Raises:
            NotTaken: the server does not take the prompt at all.
            UserError: it gives no log-probabilities.
        """
        said: list[str] = []
        for way in _WAYS:
            try:
                found = await self._weights(client, url, server.model, prompt, way)
            except (NotTaken, *MALFORMED) as error:
                said.append(str(error) if isinstance(error, NotTaken) else f"{way}: {error!r}")
                continue
            self._ways.setdefault(server.address, way)
            return found
        await self._post(client, url, self._body(server.model, prompt))  # the prompt may be why
        raise UserError(
            f"{FIELD}: {server.address} gives no log-probabilities of tokens, which a judge's "
            f"choice is made of ({said[-1]}); expected "
            "`restem engine serve`, or a server that takes logprob_token_ids (vLLM), echo with "
            "logprobs, or logprobs, in /completions"
        )

    async def _weights(
        self, client: httpx.AsyncClient, url: str, model: str, prompt: list[int], way: str
    ) -> list[float] | None:
        if way == ECHO:
            found: list[float] = []
            for answer in self._answers:
                body = self._body(model, [*prompt, *answer]) | {"echo": True, "logprobs": 1}
                found.append(_echoed(await self._post(client, url, body), len(prompt), len(answer)))
            return found
        known: dict[Stem, dict[int, float]] = {}
        for stem, tokens in self._stems.items():
            body = self._body(model, [*prompt, *stem])
            if way == IDS:
                known[stem] = await self._by_ids(client, url, body, tokens)
                continue
            top = await self._top(client, url, body)
            values = weigh(top.items(), [self._texts[token] for token in tokens])
            if values is None:
                return None
            known[stem] = dict(zip(tokens, values, strict=True))
        return totals(self._answers, known)

    async def _by_ids(
        self, client: httpx.AsyncClient, url: str, body: Json, tokens: list[int]
    ) -> dict[int, float]:
        asked = {"logprobs": 1, "logprob_token_ids": tokens, "return_tokens_as_token_ids": True}
        top = _next(await self._post(client, url, body | asked))
        return {token: float(top[f"token_id:{token}"]) for token in tokens}

    async def _top(self, client: httpx.AsyncClient, url: str, body: Json) -> dict[str, float]:
        asked = self._tops  # of this request; others may find out meanwhile
        try:
            return _next(await self._post(client, url, body | {"logprobs": asked}))
        except NotTaken:
            if asked == _TOPS[-1]:
                raise
        found = _next(await self._post(client, url, body | {"logprobs": _TOPS[-1]}))
        self._tops = _TOPS[-1]
        return found

    def _body(self, model: str, prompt: list[int]) -> Json:
        return completion_body(model, prompt, 0, _ONE, self._without)

    async def _post(self, client: httpx.AsyncClient, url: str, body: Json) -> Json:
        answer = await client.post(f"{url}/completions", json=body)
        if answer.status_code in _REFUSED:
            raise NotTaken(message(answer))
        answer.raise_for_status()
        return answer.json()["choices"][0]


def _next(choice: Json) -> dict[str, float]:
    """Log-probabilities of the first token: of completions, or as llama.cpp has them."""
    said = choice["logprobs"]
    if "top_logprobs" in said:
        return said["top_logprobs"][0]
    first = said["content"][0]
    return {one["token"]: one["logprob"] for one in first["top_logprobs"]}


def _echoed(choice: Json, prompt: int, answer: int) -> float:
    """Log-probability of an answer's tokens, where those of the prompt stand before them.

    Raises:
        ValueError: they are not as many as were sent, or one new one.
    """
    values = choice["logprobs"]["token_logprobs"]
    if not prompt + answer <= len(values) <= prompt + answer + 1:
        raise ValueError(f"{len(values)} tokens in the place of {prompt + answer}")
    return float(sum(values[prompt : prompt + answer]))
