"""What is asked of an engine and what it gives back; free of torch, so that flows may import it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.rows import Json

SampleProgress = Callable[[int, int], None]  # finished samples, all samples


# How a sample ended.
Finish = Literal["stop", "length", "refused", "error"]


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn.

    Temperature divides the logits first; then top-k, then top-p over what top-k left, in the order
    that both transformers and vLLM use.

    Attributes:
        temperature: 0 is greedy, and then seeds, top_k and top_p have no effect.
        top_k: Keep so many likeliest tokens; 0: off.
        top_p: Keep the smallest set of likeliest tokens with at least this mass; 1: off.
        max_tokens: Longest completion, in tokens.
        stop: Texts that end a completion; they are cut off with what follows them.
        ends: Tokens that end a completion, beside those that the model names itself.
        special: Whether the text shows special tokens too, those that end it apart.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    ends: tuple[int, ...] = ()
    special: bool = False

    def to_json(self) -> dict[str, object]:
        """Plain JSON for the wire."""
        return {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            "ends": list(self.ends),
            "special": self.special,
        }

    @classmethod
    def from_json(cls, raw: Json) -> Sampling:
        """The inverse of `to_json`."""
        return cls(**{**raw, "stop": tuple(raw["stop"]), "ends": tuple(raw["ends"])})


@dataclass(frozen=True)
class Completion:
    """One sampled completion.

    Attributes:
        text: Without the stop text and special tokens.
        tokens: Generated tokens, those of the stop (or the end-of-text token) included.
        finish: `stop` (end of text, or a stop text), `length` (cut at max_tokens), `refused` (by a
            hosted model, or a filter before it), or `error`: the engine could not complete the
            prompt, and the text is empty.
        ids: The tokens themselves, all that were generated; None where the engine does not say.
    """

    text: str
    tokens: int
    finish: Finish
    ids: Sequence[int] | None = None


class Costed:
    """What a list of an engine's answers cost.

    Attributes:
        engine_seconds: Of engines at work on them; of several at once, all.
        input_tokens: That a hosted model read for them; None of others.
        money: What it costs by its prices; None of others.
    """

    engine_seconds: float = 0.0
    input_tokens: int | None = None
    money: float | None = None


class Completions(list[Completion], Costed):
    """Completions in the order asked for."""


class Weights(list["list[float] | None"], Costed):
    """Log-probabilities of choices, by prompt in the order asked for.

    None stands for a prompt that the engine could not take, as the finish `error` of a completion.

    Attributes:
        tokens: That a hosted model wrote for them; 0 of others.
    """

    tokens: int = 0
