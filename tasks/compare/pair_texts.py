r"""A row of a preference set: what was asked, two answers, and how likely the first is better.

An answer is a text or chat messages. Two chats that begin alike have been asked what they begin
with. So have two texts in the place of a question's column, as of Anthropic's hh-rlhf, if they are
transcripts:

    \n\nHuman: How far is it?\n\nAssistant: Two miles.

What was asked is one text: of a conversation its transcript, of a single message that message.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.compare.pair_columns import FoundColumns, Role
from tasks.facts import is_list, is_object
from tasks.problems.own.values import MAX_QUESTION, see_text
from tasks.problems.source import Record

EQUAL, EMPTY = "both answers are equal", "an answer is empty"
# `judge.columns.strength` runs from -3 to 3.
STRONGEST = 3
_MARK, _ASKS = "\n\nAssistant:", "Human:"
_NAMES = {"user": "User", "human": "User", "assistant": "Assistant", "gpt": "Assistant"}
# What sets have in a column like `winner`, as the probability that the first is better.
_BETTER = {
    **dict.fromkeys(("0", "a", "first", "model_a"), 1.0),
    **dict.fromkeys(("1", "b", "second", "model_b"), 0.0),
    **dict.fromkeys(("tie", "both", "neither", "tie (bothbad)"), 0.5),
}
_CHOSEN: tuple[Role, Role] = ("chosen", "rejected")
_FIRST: tuple[Role, Role] = ("first", "second")


class LeftOut(Exception):
    """A row that says nothing to learn from; the message is the reason that is counted."""


@dataclass(frozen=True)
class PairTexts:
    """A labelled pair: what was asked, both answers, the probability that the first is better."""

    question: str
    first: str
    second: str
    p: float


@dataclass(frozen=True)
class _Turn:
    role: str
    text: str


def read_pair(record: Record, columns: FoundColumns) -> PairTexts:
    """The pair that a row is.

    Raises:
        UserError: naming the row, the column, and what was expected.
        LeftOut: the answers are equal, or one is empty.
    """
    record = columns.of(record)
    sides = _CHOSEN if "chosen" in columns else _FIRST
    names = columns.names[sides[0]], columns.names[sides[1]]
    p = 1.0 if "chosen" in columns else _label(record, columns)
    first, second = (_answer(record, name) for name in names)
    asked = _turns(record, columns.names["question"]) if "question" in columns else []
    if isinstance(first, str) != isinstance(second, str):
        record.fail(names[1], f"what {names[0]!r} is, a text or chat messages")
    if isinstance(first, str) or isinstance(second, str):
        one, other = str(first), str(second)
        if "question" not in columns:
            start = _common_turns(one, other)
            if not start:
                record.fail(
                    names[0],
                    "a transcript (Human: …, Assistant: …) that the other one begins like, or a "
                    "column for the question (judge.columns.question)",
                )
            asked = [_Turn("", _asked_in(one[:start]))]
            one, other = (text[start + len(_MARK) :] for text in (one, other))
    else:
        start = _alike(first, second)
        if start == min(len(first), len(second)):
            # One goes on where the other ends, or they are equal: the last message is the answer.
            start = max(0, start - 1)
        if start:
            asked = first[:start]
        elif not asked:
            record.fail(names[0], "messages that begin like the other's, with what was asked")
        one, other = _words(first[start:]), _words(second[start:])
    question = _words(asked)
    if not question:
        record.fail(columns.names.get("question", names[0]), "a question that is not empty")
    one, other = one.strip(), other.strip()
    if not one or not other:
        raise LeftOut(EMPTY)
    if " ".join(one.split()) == " ".join(other.split()):
        raise LeftOut(EQUAL)
    return PairTexts(question, one, other, p)


def _answer(record: Record, name: str) -> str | list[_Turn]:
    value = record.data.get(name)
    if isinstance(value, str):
        return see_text(record, name, value, MAX_QUESTION)
    if is_list(value):
        return _turns(record, name)
    record.fail(name, "a text or chat messages")


def _turns(record: Record, name: str) -> list[_Turn]:
    """A text as one message, or the messages of a list."""
    value = record.data.get(name)
    if isinstance(value, str):
        return [_Turn("", see_text(record, name, value.strip(), MAX_QUESTION))]
    if not is_list(value) or not value:
        record.fail(name, "a text or chat messages")
    found: list[_Turn] = []
    for one in value:
        role, text = (one.get("role"), one.get("content")) if is_object(one) else (None, None)
        if is_object(one) and role is None:
            role, text = one.get("from"), one.get("value")
        if not isinstance(role, str) or not isinstance(text, str):
            record.fail(name, "chat messages, each with a role and a content that is text")
        found.append(_Turn(role, see_text(record, name, text.strip(), MAX_QUESTION)))
    return found


def _words(turns: Sequence[_Turn]) -> str:
    """The text of a message, or a transcript of several."""
    if len(turns) == 1:
        return turns[0].text
    return "\n\n".join(f"{_NAMES.get(one.role, one.role.title())}: {one.text}" for one in turns)


def _common_turns(one: str, other: str) -> int:
    """Where the last answer begins that stands behind what both transcripts share; 0: nowhere."""
    return max(0, one.rfind(_MARK, 0, _alike(one, other)))


def _alike(one: Sequence[object], other: Sequence[object]) -> int:
    """How far both are the same from their beginning."""
    apart = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(apart, min(len(one), len(other)))


def _asked_in(transcript: str) -> str:
    """What a transcript asks: of a single message, that message."""
    text = transcript.strip()
    alone = text.startswith(_ASKS) and _MARK not in transcript
    return text.removeprefix(_ASKS).strip() if alone else text


def _label(record: Record, columns: FoundColumns) -> float:
    """The probability that the first is better."""
    if "better" in columns:
        name = columns.names["better"]
        value = record.data.get(name)
        if isinstance(value, float) and value.is_integer():  # as tables with gaps have numbers
            value = int(value)
        known = isinstance(value, str | int) and not isinstance(value, bool)
        p = _BETTER.get(str(value).strip().casefold()) if known else None
        if p is None:
            record.fail(name, "0 or 1, A or B, first or second, or tie")
        return p
    role: Role = "strength" if "strength" in columns else "p"
    name = columns.names[role]
    low, high = (-STRONGEST, STRONGEST) if role == "strength" else (0, 1)
    value = record.data.get(name)
    try:  # a column of CSV has texts
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not low <= number <= high:
        record.fail(name, f"a number from {low} to {high}")
    return number if role == "p" else 0.5 - number / (2 * STRONGEST)
