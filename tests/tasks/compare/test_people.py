"""Labels that people gave: whose they are, how several of them count, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tasks.compare.draw import Pair
from tasks.compare.people import parse_labels, read_people, text_names
from tasks.errors import UserError

PAIR = Pair("a", 0, 2, ("yes", "no"))


def line(**changes: object) -> str:
    return json.dumps({"problem": "a", "first": 0, "second": 2, "p": 1.0, **changes})


def p_of(folder: Path, *lines: str, pair: Pair = PAIR) -> float | None:
    file = folder / "labels.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return next(read_people(file, digest, [pair]))["p"]


TEXTS = text_names(PAIR)
SAID: dict[str, tuple[list[str], float | None]] = {
    "one person": ([line()], 1.0),
    "two people": ([line(who="ann"), line(who="bob", p=0)], 0.5),
    "a tie": ([line(p=0.5)], 0.5),
    "the other way round": ([line(first=2, second=0)], 0.0),
    "skipped": ([line(p=None)], None),
    "skipped by one": ([line(who="ann", p=None), line(who="bob", p=0)], 0.0),
    "another pair": ([line(second=3), line(problem="b")], None),
    "of these texts": ([line(texts=TEXTS)], 1.0),
    "of these texts, turned": ([line(first=2, second=0, texts=TEXTS[::-1])], 0.0),
    "of other texts": ([line(texts=TEXTS[::-1])], None),
    "blank lines": (["", line(), "  "], 1.0),
    "a field of one's own": ([line(note="long")], 1.0),
}


@pytest.mark.parametrize("case", SAID)
def test_what_counts_for_a_pair(case: str, tmp_path: Path) -> None:
    lines, p = SAID[case]
    assert p_of(tmp_path, *lines) == p


WRONG: dict[str, tuple[bytes, str]] = {
    "no json": (b"{", "FILE line 2: expected a JSON object ("),
    "a list": (b"[]", "FILE line 2: expected a JSON object"),
    "not utf-8": (b'{"problem": "\xff"}', "FILE line 2: expected a JSON object ("),
    "no problem": (line(problem=3).encode(), "FILE line 2: field 'problem': expected a text"),
    "no number": (line(first="0").encode(), "FILE line 2: field 'first': expected a whole number"),
    "a truth value": (line(second=True).encode(), "FILE line 2: field 'second': expected a whole"),
    "no p": (b'{"problem": "a", "first": 0, "second": 1}', "FILE line 2: field 'p': expected a n"),
    "a large p": (line(p=1.5).encode(), "FILE line 2: field 'p': expected a number from 0 to 1"),
    "no number p": (line(p=float("nan")).encode(), "FILE line 2: field 'p': expected a number fr"),
    "one sample": (line(second=0).encode(), "FILE line 2: field 'second': expected another sampl"),
    "one text": (line(texts=["x"]).encode(), "FILE line 2: field 'texts': expected the names of"),
    "no name": (line(who=1).encode(), "FILE line 2: field 'who': expected a name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str) -> None:
    content, said = WRONG[case]
    with pytest.raises(UserError) as caught:
        parse_labels(line().encode() + b"\n" + content + b"\n", "FILE")
    assert str(caught.value).startswith(said), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_was_changed_meanwhile_is_said(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(line())
    with pytest.raises(UserError, match="it was changed while the run went on"):
        next(read_people(file, "0" * 64, [PAIR]))
