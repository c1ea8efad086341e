"""What a request says of sampling, all of it: a server takes what is not said from elsewhere.

vLLM, SGLang and others read the policy's generation_config.json, and have defaults of their own
beside it. So every field has a value in every request, one that does nothing where the run asks for
nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt
from tasks.settings import NeutralField

# What a field is where it does nothing, by vLLM's and SGLang's rules.
NEUTRAL: dict[NeutralField, float] = {
    "top_k": -1,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}

# Asks for the tokens of a completion beside its text; it changes no sample.
IDS: dict[str, object] = {"return_token_ids": True}


def neutral(name: NeutralField, sampling: Sampling) -> float:
    """A field's value in a request: the run's, where it has one and draws at all."""
    if sampling.temperature and name == "top_k":
        return sampling.top_k or NEUTRAL[name]
    if sampling.temperature and name == "top_p":
        return sampling.top_p
    return NEUTRAL[name]


def completion_body(
    model: str, prompt: Prompt, seed: int, sampling: Sampling, without: Collection[str] = ()
) -> dict[str, object]:
    """A request of the protocol's completions.

    Args:
        model: As the server calls it.
        prompt: Text or tokens.
        seed: Of 64 bits with a sign, as a server takes them; greedy samples have none.
        sampling: How it is drawn.
        without: Fields that the server does not take.
    """
    body: dict[str, object] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "stop": list(sampling.stop),
        **{name: neutral(name, sampling) for name in NEUTRAL if name not in without},
    }
    if sampling.temperature:
        body |= {"seed": seed}
    if sampling.ends:
        body |= {"stop_token_ids": list(sampling.ends)}
        body |= {"skip_special_tokens": not sampling.special}
    return body
