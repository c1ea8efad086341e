"""A choice between options: the reference is a letter, and the options stand in the question.

The answer in a file may be the letter, the text of one option, or its number counted from 0. Where
two of these readings differ, the row is refused.
"""

from __future__ import annotations

import json
import re

from tasks.problems.own.columns import Columns
from tasks.problems.own.parts import Parts
from tasks.problems.own.values import (
    MAX_ANSWER,
    MAX_QUESTION,
    answer_of,
    plain_text,
    see_text,
    text_of,
)
from tasks.problems.source import Record

LETTERS = "ABCDEFGHIJ"
_LETTER = re.compile(r"\(?([A-Ja-j])[).:]?")
_OPTIONS = f"a list of 2 to {len(LETTERS)} texts"


def choice_parts(record: Record, columns: Columns) -> Parts:
    """A question with its options and the letter of the right one."""
    question = text_of(record, columns.name("question"), MAX_QUESTION)
    field = columns.name("reference")
    answer = answer_of(record, field)
    solution = ""
    if "solution" in columns:
        solution = text_of(record, columns.name("solution"), MAX_QUESTION, needed=False)
    if "options" not in columns:
        return Parts(question, _letter_of(answer) or _no_letter(record, field), solution)
    labels, texts = _options(record, columns)
    lines = [f"({letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False)]
    letter = _right_one(record, field, answer, labels, texts)
    shown = see_text(record, columns.name("options"), "\n".join([question, *lines]), MAX_QUESTION)
    return Parts(shown, letter, solution)


def _right_one(record: Record, field: str, answer: str, labels: list[str], texts: list[str]) -> str:
    """The letter that the answer means."""
    letters = LETTERS[: len(texts)]
    places: set[int] = set()
    if labels:
        places |= {place for place, label in enumerate(labels) if label == answer}
    else:
        letter = _letter_of(answer)
        places |= {letters.index(letter)} if letter and letter in letters else set()
        if answer.isdecimal() and len(answer) < 3 and int(answer) < len(texts):
            places.add(int(answer))
    places |= {place for place, text in enumerate(texts) if text == answer}
    if len(places) > 1:
        record.fail(field, "a letter, where the answer could mean several options")
    if not places:
        record.fail(field, f"a letter up to {letters[-1]}, an option's text, or its number from 0")
    return letters[places.pop()]


def _letter_of(answer: str) -> str:
    match = _LETTER.fullmatch(answer)
    return match[1].upper() if match else ""


def _no_letter(record: Record, field: str) -> str:
    record.fail(field, f"a letter from A to {LETTERS[-1]}")


def _options(record: Record, columns: Columns) -> tuple[list[str], list[str]]:
    """Labels that the file gives to options, or none, and their texts."""
    names = columns.names["options"]
    if len(names) > 1:
        texts = [text_of(record, name, MAX_ANSWER) for name in names]
        return [], _distinct(record, names[0], texts)
    field = columns.name("options")
    value = record.data.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            record.fail(field, f"{_OPTIONS}, or JSON text of one")
    labels: list[object] = []
    if isinstance(value, dict):
        if isinstance(value.get("text"), list) and isinstance(value.get("label"), list):
            labels, value = value["label"], value["text"]
        else:
            labels, value = list(value.keys()), list(value.values())
    if not isinstance(value, list) or not 2 <= len(value) <= len(LETTERS):
        record.fail(field, _OPTIONS)
    if labels and len(labels) != len(value):
        record.fail(field, "as many labels as texts")
    texts = _texts(record, field, value)
    return _texts(record, field, labels), _distinct(record, field, texts)


def _texts(record: Record, field: str, values: list[object]) -> list[str]:
    found: list[str] = []
    for value in values:
        text = plain_text(value)
        if text is None or not text.strip():
            record.fail(field, _OPTIONS)
        found.append(see_text(record, field, text.strip(), MAX_ANSWER))
    return found


def _distinct(record: Record, field: str, texts: list[str]) -> list[str]:
    if len(set(texts)) < len(texts):
        record.fail(field, "options that differ")
    if len(texts) > len(LETTERS):
        record.fail(field, _OPTIONS)
    return texts
