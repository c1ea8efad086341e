"""Rollouts as other tools write them, read line by line; each line tells its form by its fields.

- lm-evaluation-harness 0.4, `samples_*.jsonl` of --log_samples: doc, resps, target, metrics.
- NeMo Gym, collected rollouts: responses_create_params, response, reward.
- verifiers, results.jsonl of vf-eval --save-results: prompt, completion, answer, reward.
- a plain form: question or prompt, completion or completions, and where there are any reference,
  score or scores, id, finish. The Parquet files of `restem export --data samples` have it too.

Not covered: rollouts of several turns, tool calls, and log-likelihood tasks, which have no text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.problems.source import Record

Form = Literal["lm-eval", "NeMo Gym", "verifiers", "plain"]
_ID = ("id", "problem_id")
_QUESTION = ("question", "problem")
_REFERENCE = ("reference", "expected_answer", "ground_truth", "answer", "gold", "target")
_SCORE = ("score", "reward", "scores", "rewards")
_COMPLETION = ("completion", "completions", "response", "responses")
# Metrics of lm-eval that say of one answer whether it is right.
_METRICS = ("exact_match", "acc", "pass@1", "score")
_FINISHED = {
    **{"stop": "stop", "eos": "stop", "length": "length", "max_tokens": "length"},
    "error": "error",  # an engine gave none
}
# What stands before the number in the gold solutions of GSM8K.
_MARK = "####"


@dataclass(frozen=True)
class Rollout:
    """One completion; "" and None where the line does not say it."""

    id: str
    question: str
    reference: str
    text: str
    finish: str
    score: float | None


def rollouts_of(record: Record) -> tuple[Form, list[Rollout]]:
    """The form of a line, and its rollouts.

    Raises:
        UserError: naming file, line, field and what was expected.
    """
    has = record.data.keys()
    if {"doc", "resps"} <= has:
        return "lm-eval", list(_lm_eval(record))
    if {"responses_create_params", "response"} <= has:
        return "NeMo Gym", [_nemo_gym(record)]
    messages = isinstance(record.data.get("prompt"), list)
    return ("verifiers" if messages else "plain"), list(_plain(record))


def _plain(record: Record) -> Iterator[Rollout]:
    question = _text(record, _named(record, (*_QUESTION, "prompt")), _user)
    field = _named(record, _COMPLETION)
    given = record.data.get(field)
    several = isinstance(given, list) and not any(isinstance(one, dict) for one in given)
    texts = given if several else [given]
    if not texts:
        record.fail(field, "at least one completion")
    scores = _scores(record, _named(record, _SCORE), len(texts))
    for text, score in zip(texts, scores, strict=True):
        said = _told(record, field, text, _assistant)
        yield Rollout(
            _label(record, _ID), question, _reference(record), said, _finish(record), score
        )


def _lm_eval(record: Record) -> Iterator[Rollout]:
    doc = record.data["doc"]
    if not isinstance(doc, dict):
        record.fail("doc", "an object")
    inner = Record(doc, record.file, record.line)
    question = _text(inner, _named(inner, (*_QUESTION, "prompt", "input", "query")), _user)
    answers = record.data["resps"]
    flat = [
        text
        for one in (answers if isinstance(answers, list) else [answers])
        for text in (one if isinstance(one, list) else [one])
    ]
    if not flat:
        record.fail("resps", "at least one answer")
    names = record.data.get("metrics")
    found = [*_METRICS, *(names if isinstance(names, list) else [])]
    metric = next((one for one in found if isinstance(one, str) and one in record.data), "")
    # A metric of several answers is none of each.
    scores = _scores(record, metric, 1) if metric and len(flat) == 1 else [None] * len(flat)
    for text, score in zip(flat, scores, strict=True):
        said = _told(record, "resps", text, None)
        yield Rollout(_label(inner, _ID), question, _reference(record), said, "stop", score)


def _nemo_gym(record: Record) -> Rollout:
    asked, answer = record.data["responses_create_params"], record.data["response"]
    if not isinstance(asked, dict):
        record.fail("responses_create_params", "an object")
    if not isinstance(answer, dict) or not isinstance(answer.get("output"), list):
        record.fail("response", "an object with a list `output`")
    named = _named(record, _QUESTION)
    if named in record.data:
        question = _text(record, named, None)
    else:
        question = _told(record, "responses_create_params", asked.get("input"), _user)
    said = [one for one in answer["output"] if _is(one, "type", "message")]
    if len(said) != 1 or any(_is(one, "type", "function_call") for one in answer["output"]):
        record.fail("response", "one message of the assistant and no tool call")
    text = _told(record, "response", said[0].get("content"), None)
    cut = answer.get("incomplete_details")
    score = _scores(record, _named(record, _SCORE), 1)[0]
    reference = _reference(record)
    return Rollout(
        _label(record, _ID), question, reference, text, "length" if cut else "stop", score
    )


Pick = Callable[[Sequence[object]], object]


def _user(turns: Sequence[object]) -> object:
    """What the person asked last."""
    return next((_content(one) for one in reversed(turns) if _is(one, "role", "user")), None)


def _assistant(turns: Sequence[object]) -> object:
    """What the assistant said, if it spoke once."""
    said = [_content(one) for one in turns if _is(one, "role", "assistant")]
    return said[0] if len(said) == len(turns) == 1 else None


def _is(one: object, field: str, value: str) -> bool:
    return isinstance(one, dict) and one.get(field) == value


def _is_turn(one: object) -> bool:
    return isinstance(one, dict) and "role" in one


def _content(one: object) -> object:
    return one.get("content") if isinstance(one, dict) else None


def _named(record: Record, fields: Sequence[str]) -> str:
    """The first of these fields that the line has; the first of all where it has none."""
    return next((one for one in fields if record.data.get(one) is not None), fields[0])


def _text(record: Record, field: str, pick: Pick | None) -> str:
    text = _told(record, field, record.data.get(field), pick)
    if not text.strip():
        record.fail(field, "text that is not empty")
    return text


def _told(record: Record, field: str, given: object, pick: Pick | None) -> str:
    """Text, or the one text of a chat's turns or of a message's parts."""
    if pick and isinstance(given, list) and any(_is_turn(one) for one in given):
        given = pick(given)
    if isinstance(given, list) and given:
        parts = [one.get("text") if isinstance(one, dict) else one for one in given]
        texts = [one for one in parts if isinstance(one, str)]
        given = "".join(texts) if len(texts) == len(parts) else None
    if not isinstance(given, str):
        record.fail(field, "text, or one message with text")
    try:
        given.encode()
    except UnicodeEncodeError:
        record.fail(field, "text of whole characters (it has half of a surrogate pair)")
    return given


def _label(record: Record, fields: Sequence[str]) -> str:
    field = _named(record, fields)
    value = record.data.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        record.fail(field, "text or a whole number")
    return _told(record, field, str(value), None)


def _reference(record: Record) -> str:
    """The gold answer, as text; of a solution in GSM8K's form what follows its mark."""
    field = _named(record, _REFERENCE)
    value = record.data.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        record.fail(field, "text or a number")
    text = _told(record, field, str(value), None)
    return text.rpartition(_MARK)[2].strip()


def _finish(record: Record) -> str:
    if record.data.get("is_truncated") is True:
        return "length"
    field = _named(record, ("finish", "finish_reason"))
    value = record.data.get(field)
    if value is None:
        return "stop"
    if not isinstance(value, str) or value not in _FINISHED:
        record.fail(field, f"one of {', '.join(_FINISHED)}")
    return _FINISHED[value]


def score_field(record: Record) -> str:
    """The field that a line's score stands in, or should."""
    return _named(record, (*_SCORE, *_METRICS))


def _scores(record: Record, field: str, count: int) -> list[float | None]:
    """A score for each completion; None where the line has none."""
    value = record.data.get(field)
    if value is None:
        return [None] * count
    given = value if isinstance(value, list) else [value]
    if len(given) != count:
        record.fail(field, f"{count} score{'s' * (count > 1)}, one for each completion")
    return [_number(record, field, one) for one in given]


def _number(record: Record, field: str, value: object) -> float:
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    record.fail(field, "a finite number")
