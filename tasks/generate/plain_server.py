"""Whether a plain OpenAI-compatible server samples as it is asked to, seen before it samples.

Three things would give samples of another distribution, and nobody would be told:

- The server refuses a field (or the whole request for it).
- It passes a field over, and so keeps a default of its own or of the policy's
  generation_config.json. A server that reads a field refuses a word in the place of its number.
- It ends completions earlier than they are asked to, as `vllm serve --generation-config FOLDER`
  does at the `max_new_tokens` of the folder's generation_config.json. It then refuses to write at
  least `max_tokens`. Others that do so are seen at their first completion that is too short.

Servers that `restem engine serve` starts are told by their command line, and are not asked.
"""

from __future__ import annotations

from collections.abc import Collection

import httpx

from tasks.decoding.request import Completion, Sampling
from tasks.decoding.tokens import Prompt
from tasks.errors import UserError
from tasks.generate.addresses import FIELD
from tasks.generate.neutral import IDS, NEUTRAL, completion_body

WITHOUT = "resources.endpoints_without"
# In the place of a number, a list or a yes: no server that reads the field takes it.
_WRONG = {"no": "number"}
# A prompt of so many characters or tokens fits into every model.
_SHORT = 8
_HOW = "`restem engine serve`, or vllm serve with --generation-config vllm"


async def see_sampling(
    client: httpx.AsyncClient,
    url: str,
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    without: Collection[str],
) -> bool:
    """See that a server does what requests of this kind ask for.

    Args:
        client: With the headers of its token.
        url: Of its API, with /v1.
        model: As it calls the policy.
        prompt: Any of those to come.
        sampling: How samples are drawn.
        without: Fields that are not sent, as the user says that it has no default for them.

    Returns:
        Whether it may be asked for the tokens of completions too.

    Raises:
        UserError: it does not; the line names the fields.
        httpx.HTTPError: it does not answer.
    """
    whole = completion_body(model, prompt[:_SHORT], 1, sampling, without) | {"max_tokens": 1}
    fields = [name for name in whole if name not in ("model", "prompt", "max_tokens", "stop")]
    bare = {name: value for name, value in whole.items() if name not in fields}

    async def takes(body: dict[str, object]) -> bool:
        answer = await client.post(f"{url}/completions", json=body)
        if answer.is_server_error and body in (whole, bare):
            answer.raise_for_status()
        return answer.is_success

    if not await takes(bare):
        return True  # it is not the fields; whatever it is, the requests to come will say it
    if not await takes(whole):
        refused = [name for name in fields if not await takes(bare | {name: whole[name]})]
        raise _refusal(url, "refuses", refused or fields)
    # Without its seed a sample cannot be drawn again, but is of the same distribution.
    read = [name for name in fields if name != "seed"]
    if passed_over := [name for name in read if await takes(whole | {name: _WRONG})]:
        raise _refusal(url, "passes over", passed_over)
    await _see_length(client, url, whole, sampling.max_tokens)
    return await takes(whole | IDS)


def see_length(address: str, found: Completion, sampling: Sampling) -> None:
    """See that a completion was not cut before the length that was asked for.

    Raises:
        UserError: it was.
    """
    if found.finish == "length" and 0 < found.tokens < sampling.max_tokens:
        raise _cut(address, sampling.max_tokens, f"after {found.tokens}")


async def _see_length(
    client: httpx.AsyncClient, url: str, whole: dict[str, object], tokens: int
) -> None:
    async def takes(least: int) -> bool:
        # Of a stream nothing more is computed when we have gone.
        body = whole | {"max_tokens": tokens, "min_tokens": least, "stream": True}
        async with client.stream("POST", f"{url}/completions", json=body) as answer:
            return answer.is_success

    # A server that does not know `min_tokens` refuses both, or neither.
    if not await takes(tokens) and await takes(1):
        raise _cut(url, tokens, "earlier")


def _refusal(url: str, does: str, fields: list[str]) -> UserError:
    theirs = [name for name in fields if name in NEUTRAL]
    otherwise = f", or {WITHOUT} where it has no default for them" if theirs == fields else ""
    return UserError(
        f"{FIELD}: {url} {does} {', '.join(fields)}, so its samples would be of another "
        f"distribution; expected {_HOW}{otherwise}"
    )


def _cut(address: str, tokens: int, where: str) -> UserError:
    return UserError(
        f"{FIELD}: {address} ends completions {where}, not at sampling.max_tokens = {tokens}, as "
        f"generation_config.json may have it (max_new_tokens); expected {_HOW}, or fewer max_tokens"
    )
