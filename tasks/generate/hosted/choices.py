"""Choices of a hosted model: the likeliest tokens where its answer stands.

A service does not say how likely a given token is, but at most the 20 likeliest of each place of
its answer (`logprobs`, `top_logprobs`). The place that counts is the first one at which the answer
is one of the choices (it may begin with a mark or a line break), else the very first one. What
tokens stand for, and what a choice gets that is not among them: tasks/generate/top_tokens.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.generate.addresses import MALFORMED
from tasks.generate.hosted.chat import Answer, Ask, Malformed, NoLogProbabilities, read_answer
from tasks.generate.top_tokens import stands_for, weigh
from tasks.rows import Json

# OpenAI's bound, and that of services which have a lower one.
MOST_TOP, FEWER_TOP = 20, 5
LOG_PROBABILITIES: dict[str, object] = {"logprobs": True, "top_logprobs": MOST_TOP}
# Tokens of an answer: a choice, and what may stand before it.
WRITTEN = 8


@dataclass(frozen=True)
class ChoiceAsk(Ask):
    """An answer that is asked for with its log-probabilities."""

    def body(self, model: str) -> dict[str, object]:
        """The request."""
        return super().body(model) | LOG_PROBABILITIES

    def read(self, text: str) -> Answer:
        """See `Ask`; the answer's text is JSON: each place with its token and the likeliest."""
        answer = read_answer(text)
        if answer.finish == "refused":
            return answer
        said = json.loads(text)["choices"][0].get("logprobs")
        content = said.get("content") if isinstance(said, dict) else None
        if not isinstance(content, list):
            raise NoLogProbabilities("its answers have no logprobs")
        try:
            places = [
                (one["token"], [(top["token"], float(top["logprob"])) for top in _top(one)])
                for one in content[:WRITTEN]
            ]
        except MALFORMED as error:
            raise Malformed(f"logprobs ({type(error).__name__}): {text[:80]!r}") from None
        return Answer(json.dumps(places), answer.finish, answer.tokens_in, answer.tokens_out)


def weights_of(answer: Answer, choices: Sequence[str]) -> list[float] | None:
    """Log-probabilities of choices in the answer to a `ChoiceAsk`; None where it has none."""
    places = [] if answer.finish == "refused" else json.loads(answer.text)
    for token, top in places:
        if stands_for(token, choices) is not None:
            return weigh(top, choices)
    return weigh(places[0][1], choices) if places else None


def _top(place: Json) -> list[Json]:
    """The likeliest tokens; where a service names none but the one that it wrote, this one."""
    return place.get("top_logprobs") or [place]
