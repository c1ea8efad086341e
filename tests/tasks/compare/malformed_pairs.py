"""Preference sets that are wrong, each in one way, with the one line that is said of it.

`{file}` stands for the path.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.tasks.problems.malformed_files import parquet


@dataclass(frozen=True)
class WrongPairs:
    """A file: its name, its bytes, settings beside the source, and what is said."""

    name: str
    content: bytes
    said: str
    settings: dict[str, Any] = field(default_factory=dict)


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def columns(**names: str) -> dict[str, Any]:
    return {"columns": names}


GOOD = {"prompt": "a?", "chosen": "yes", "rejected": "no"}
SIDES = {"prompt": "a?", "response_1": "yes", "response_2": "no"}
TALK = "\n\nHuman: a?\n\nAssistant: "
SAID = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "yes"}]

WRONG: dict[str, WrongPairs] = {
    # What cannot be read.
    "another kind": WrongPairs("a.txt", b"a", "judge.source: {file}: expected a file that ends in"),
    "nothing": WrongPairs("a.csv", b"", "{file}: expected a header with the names"),
    "header alone": WrongPairs(
        "a.csv", b"prompt,chosen,rejected\n", "judge.source: {file}: expected pairs; it has none"
    ),
    "not json": WrongPairs(
        "a.jsonl", lines(GOOD) + b"yes\n", "{file} line 2: expected a JSON object (Expecting value"
    ),
    "a field twice": WrongPairs(
        "a.jsonl",
        b'{"chosen": "a", "chosen": "b", "rejected": "c"}',
        '{file} line 1: expected each field once, not "chosen" twice',
    ),
    "a short row": WrongPairs(
        "a.csv", b"prompt,chosen,rejected\na,b\n", "{file} row 2: expected 3 fields, as the header"
    ),
    "half of a parquet": WrongPairs(
        "a.parquet", parquet(chosen=["a"], rejected=["b"])[:-20], "{file}: cannot be read as Parque"
    ),
    # Columns.
    "no usual names": WrongPairs(
        "a.jsonl",
        lines({"prompt": "a?", "good": "b", "bad": "c"}),
        "judge.columns.chosen: {file} has no columns of the usual names of a preference set; "
        "expected chosen and rejected, or first and second with p, strength or better: it has "
        "'prompt', 'good', 'bad'",
    ),
    "a column that is not there": WrongPairs(
        "a.jsonl",
        lines(GOOD),
        "judge.columns.chosen: 'good': {file} has 'prompt', 'chosen', 'rejected'",
        columns(chosen="good"),
    ),
    "a path that leads nowhere": WrongPairs(
        "a.jsonl",
        lines({"info": {"post": "a?"}, "chosen": "b", "rejected": "c"}),
        "judge.columns.question: 'info.title': {file} has 'info', 'chosen', 'rejected'",
        columns(question="info.title"),
    ),
    "one side alone": WrongPairs(
        "a.jsonl",
        lines({"prompt": "a?", "good": "b", "bad": "c"}),
        "judge.columns.rejected: {file} has no column of it; expected chosen and rejected, or",
        columns(chosen="good"),
    ),
    "one of two answers alone": WrongPairs(
        "a.jsonl",
        lines({"prompt": "a?", "good": "b", "bad": "c", "better": 0}),
        "judge.columns.second: {file} has no column of it",
        columns(first="good"),
    ),
    "answers without a label": WrongPairs(
        "a.jsonl", lines(SIDES), "judge.columns.better: {file} has no column of it; expected"
    ),
    "both forms": WrongPairs(
        "a.jsonl",
        lines(GOOD),
        "judge.columns.first: expected none beside chosen",
        columns(chosen="chosen", first="rejected"),
    ),
    "two labels": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"x": 0, "y": 0}),
        "judge.columns.better: expected none beside strength",
        columns(strength="x", better="y"),
    ),
    "a split of one file": WrongPairs(
        "a.jsonl", lines(GOOD), "judge.split: {file} has no splits and is read", {"split": "train"}
    ),
    # Answers.
    "a number": WrongPairs(
        "a.jsonl",
        lines(GOOD, GOOD | {"rejected": 5}),
        "{file} line 2: field 'rejected': expected a text or chat messages, not 5",
    ),
    "no answer": WrongPairs(
        "a.jsonl",
        lines(GOOD, {"prompt": "a?", "chosen": "yes"}),
        "{file} line 2: field 'rejected': expected a text or chat messages, not nothing",
    ),
    "a null": WrongPairs(
        "a.parquet",
        parquet(prompt=["a?", "b?"], chosen=["x", None], rejected=["y", "z"]),
        "{file} row 2: column 'chosen': expected a text or chat messages, not null",
    ),
    "messages without a role": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"chosen": [{"content": "yes"}]}),
        "{file} line 1: field 'chosen': expected chat messages, each with a role and a content",
    ),
    "messages of several parts": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"chosen": [{"role": "user", "content": [{"type": "image"}]}]}),
        "{file} line 1: field 'chosen': expected chat messages, each with a role and a content",
    ),
    "no messages": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"chosen": []}),
        "{file} line 1: field 'chosen': expected a text or chat messages, not []",
    ),
    "a text and a chat": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"rejected": SAID}),
        "{file} line 1: field 'rejected': expected what 'chosen' is, a text or chat messages, not",
    ),
    "chats about something else": WrongPairs(
        "a.jsonl",
        lines({"chosen": SAID, "rejected": [{"role": "user", "content": "b?"}, SAID[1]]}),
        "{file} line 1: field 'chosen': expected messages that begin like the other's",
    ),
    "texts without a question": WrongPairs(
        "a.jsonl",
        lines({"chosen": "yes", "rejected": "no"}),
        "{file} line 1: field 'chosen': expected a transcript (Human: …, Assistant: …) that the",
    ),
    "transcripts about something else": WrongPairs(
        "a.jsonl",
        lines({"chosen": TALK + "yes", "rejected": TALK.replace("a?", "b?") + "yes"}),
        "{file} line 1: field 'chosen': expected a transcript",
    ),
    "an empty question": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"prompt": " "}),
        "{file} line 1: field 'prompt': expected a question that is not empty",
    ),
    "a NUL": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"chosen": "a\0"}),
        "{file} line 1: field 'chosen': expected text without NUL, which is at character 2",
    ),
    "half a character": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"rejected": "\ud800"}),
        "{file} line 1: field 'rejected': expected Unicode text",
    ),
    "equal answers alone": WrongPairs(
        "a.jsonl",
        lines(GOOD | {"rejected": "yes"}, GOOD | {"rejected": " "}),
        "judge.source: {file}: expected pairs; it has none (1: both answers are equal, 1: an",
    ),
    # Labels.
    "another word": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"better": "A"}, SIDES | {"better": "left"}),
        "{file} line 2: field 'better': expected 0 or 1, A or B, first or second, or tie, not",
    ),
    "one or two": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"winner": 2}),
        "{file} line 1: field 'winner': expected 0 or 1, A or B, first or second, or tie, not 2",
    ),
    "a truth value": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"better": True}),
        "{file} line 1: field 'better': expected 0 or 1, A or B, first or second, or tie, not true",
    ),
    "too strong": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"strength": 4}),
        "{file} line 1: field 'strength': expected a number from -3 to 3, not 4",
    ),
    "no strength": WrongPairs(
        "a.csv",
        b"prompt,first,second,strength\na,b,c,\n",
        "{file} row 2: column 'strength': expected a number from -3 to 3, not \"\"",
    ),
    "no probability": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"p": -0.1}),
        "{file} line 1: field 'p': expected a number from 0 to 1, not -0.1",
    ),
    "not a number": WrongPairs(
        "a.jsonl",
        lines(SIDES | {"p": float("nan")}),
        "{file} line 1: field 'p': expected a number from 0 to 1, not NaN",
    ),
}
