"""Chat completions: what a request says, and what an answer means.

The question is the user's turn. Exemplars of the template are turns before it, answered as a
policy completes the template's query, and the system text stands first. A completion ends where one
of the policy would: the template's stop strings are sent, and what a service wrote beyond one is
cut off here, for some take four of them or none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tasks.decoding.request import Sampling
from tasks.generate.addresses import MALFORMED
from tasks.generate.neutral import neutral
from tasks.prompts import Exemplar, Message, Part, PromptTemplate
from tasks.settings import TeacherField
from tasks.store.manifest import digest_of

# OpenAI's bound on `stop`.
MOST_STOPS = 4
_FINISH: dict[object, Literal["stop", "length", "refused"]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",  # Mistral's word for the end of its context
    "content_filter": "refused",
}


class Malformed(Exception):
    """An answer that is none; the message says what is wrong with it."""


class NoLogProbabilities(Exception):
    """An answer without what a judge's choice is made of; the message says what is there."""


@dataclass(frozen=True)
class Ask:
    """One sample that is asked for.

    Attributes:
        messages: Turns, each with role and content.
        sampling: How it is drawn.
        seed: None for a greedy one.
        fields: That the service takes beside those of the protocol.
    """

    messages: list[Message]
    sampling: Sampling
    seed: int | None
    fields: Sequence[TeacherField] = ()

    def body(self, model: str) -> dict[str, object]:
        """The request."""
        sampling = self.sampling
        body: dict[str, object] = {
            "model": model,
            "messages": self.messages,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            **{name: neutral(name, sampling) for name in self.fields},
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop[:MOST_STOPS])
        if self.seed is not None:
            body["seed"] = self.seed
        return body

    def read(self, text: str) -> Answer:
        """An answer from the body of a response.

        Raises:
            Malformed: it has not the protocol's form.
            NoLogProbabilities: it gives none, and they were asked for.
        """
        return read_answer(text)

    def digest(self, model: str, address: str) -> str:
        """What the answer is kept under: all that may change it."""
        asked = {**self.body(model), "stop": list(self.sampling.stop), "address": address}
        return digest_of(asked)


@dataclass(frozen=True)
class Answer:
    """What a service answered, and what it counted for it.

    Attributes:
        text: Of the answer, or of the refusal.
        finish: `stop`, `length` (cut at max_tokens), or `refused`: the model or a filter refused.
        tokens_in: That it read; 0 where it does not say.
        tokens_out: That it wrote, those of hidden thoughts included.
    """

    text: str
    finish: Literal["stop", "length", "refused"]
    tokens_in: int
    tokens_out: int


def read_answer(text: str) -> Answer:
    """An answer from the body of a response.

    Raises:
        Malformed: it has not the protocol's form.
    """
    try:
        data = json.loads(text)
        choice = data["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
        usage = data.get("usage") or {}
        counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except MALFORMED as error:
        raise Malformed(f"no chat completion ({type(error).__name__}): {text[:80]!r}") from None
    if refusal:
        return Answer(_clean(refusal), "refused", *counts)
    if finish not in _FINISH or not isinstance(content, str | None):
        raise Malformed(f"finish_reason {finish!r}")
    return Answer(_clean(content or ""), _FINISH[finish], *counts)


def as_completed(answer: Answer, stops: tuple[str, ...]) -> Answer:
    """The answer up to the first of the texts that end a completion, without space around it."""
    text = answer.text.strip()
    cut = _cut(text, stops)
    if answer.finish == "refused" or len(cut) == len(text):
        return replace(answer, text=text)
    return replace(answer, text=cut, finish="stop")


def turns(
    template: PromptTemplate, question: str, shots: int, subject: str, system: str
) -> list[Message]:
    """The messages for a question.

    Args:
        template: Its exemplars become turns, its preamble the system text where there is no other.
        question: The user's turn.
        shots: Exemplars shown, at most those there are.
        subject: Of the problem; chooses the part of a template that has subjects.
        system: Text; empty: the preamble.
    """
    if template.form == "chat":
        said = template.messages(question, shots, subject)
        if system:
            said = [
                Message(role="system", content=system),
                *(m for m in said if m["role"] != "system"),
            ]
        return list(said)
    own = Part(template.preamble, template.exemplars)
    part = template.subjects.get(subject, own)
    opening = system or part.preamble.strip()
    messages = [Message(role="system", content=opening)] if opening else []
    for one in part.exemplars[:shots]:
        messages.append(Message(role="user", content=one.question))
        messages.append(Message(role="assistant", content=_solved(template, one)))
    return [*messages, Message(role="user", content=question)]


def lead_of(template: PromptTemplate) -> str:
    """White space between the template's query and a solution, as in its exemplars."""
    rest = template.example.removeprefix(template.query)
    if template.form == "chat" or rest == template.example:
        return ""
    return rest[: len(rest) - len(rest.lstrip())]


def _solved(template: PromptTemplate, one: Exemplar) -> str:
    """What a policy completes the query of an exemplar with."""
    form = template.example.removeprefix(template.query)
    if form == template.example:  # the example does not begin with the query
        return one.solution
    text = form.replace("{solution}", one.solution).replace("{answer}", one.answer).strip()
    return _cut(text, template.stop)


def _cut(text: str, stops: tuple[str, ...]) -> str:
    """What stands before the first of the stops."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _clean(text: str) -> str:
    """Text that UTF-8 can hold: JSON may spell half of a character."""
    return text.encode("utf-8", "replace").decode("utf-8")
