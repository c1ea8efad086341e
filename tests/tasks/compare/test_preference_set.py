"""Preference sets: the forms that public ones have, what is drawn of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.compare.pair_texts import EMPTY, EQUAL
from tasks.compare.preference_set import names_set, preference_set_call
from tasks.dag.step import perform
from tasks.errors import UserError
from tasks.rows import PREFERENCES_FILE, PROBLEMS_FILE, SAMPLES_FILE, read_rows
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef
from tests.tasks.compare.malformed_pairs import GOOD, SIDES, TALK, WRONG, WrongPairs, lines
from tests.tasks.hub.hub_parts import Home
from tests.tasks.problems.malformed_files import parquet

# A pair: what was asked, both answers in the order of their indices, and p.
Read = tuple[str, str, str, float]


def settings(source: Path, **more: Any) -> JudgeSettings:
    return JudgeSettings.model_validate({"labels": "people", "source": str(source), **more})


def read(home: Home, source: Path, seed: int = 1, **more: Any) -> tuple[ArtifactRef, list[Read]]:
    ref = perform(preference_set_call(settings(source, **more), seed), home.runtime)
    return ref, pairs_of(home, ref)


def pairs_of(home: Home, ref: ArtifactRef) -> list[Read]:
    folder = home.store.path(ref)
    asked = {row["id"]: row["question"] for row in read_rows(folder / PROBLEMS_FILE)}
    said = {(r["problem_id"], r["index"]): r["text"] for r in read_rows(folder / SAMPLES_FILE)}
    return [
        (
            asked[row["problem_id"]],
            said[row["problem_id"], row["first"]],
            said[row["problem_id"], row["second"]],
            row["p"],
        )
        for row in read_rows(folder / PREFERENCES_FILE)
    ]


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(wrong: WrongPairs, place: Home, tmp_path: Path) -> None:
    file = tmp_path / wrong.name
    file.write_bytes(wrong.content)
    with pytest.raises(UserError) as caught:
        read(place, file, **wrong.settings)
    said = str(caught.value)
    assert said.startswith(wrong.said.format(file=file)), said
    assert "\n" not in said and len(said) < 500 + 4 * len(str(file))


def chat(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


OF_OPENAI = {
    "info": {"post": "a?"},
    "summaries": [{"text": "yes"}, {"text": "no"}],
    "choice": 1,
}
# By the form of a public set: rows, settings, and the pairs that are read.
FORMS: dict[str, tuple[Sequence[object], dict[str, Any], list[Read]]] = {
    "columns of texts": ([GOOD], {}, [("a?", "yes", "no", 1.0)]),
    "hh-rlhf": (
        [{"chosen": TALK + "yes", "rejected": TALK + "no"}],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "hh-rlhf, several turns": (
        [
            {
                "chosen": TALK + "b\n\nHuman: c?\n\nAssistant: yes",
                "rejected": TALK + "b\n\nHuman: c?\n\nAssistant: no",
            }
        ],
        {},
        [("Human: a?\n\nAssistant: b\n\nHuman: c?", "yes", "no", 1.0)],
    ),
    "hh-rlhf, apart before the last turn": (
        [
            {
                "chosen": TALK + "b\n\nHuman: c?\n\nAssistant: yes",
                "rejected": TALK + "d\n\nHuman: c?\n\nAssistant: no",
            }
        ],
        {},
        [
            (
                "a?",
                "b\n\nHuman: c?\n\nAssistant: yes",
                "d\n\nHuman: c?\n\nAssistant: no",
                1.0,
            )
        ],
    ),
    "ultrafeedback_binarized": (
        [{"prompt": "a?", "chosen": chat("a?", "yes"), "rejected": chat("a?", "no")}],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "chats of several turns": (
        [{"chosen": chat("a?", "b", "c?", "yes"), "rejected": chat("a?", "b", "c?", "no")}],
        {},
        [("User: a?\n\nAssistant: b\n\nUser: c?", "yes", "no", 1.0)],
    ),
    "a chat as the question": (
        [{"prompt": chat("a?"), "chosen": chat("?", "yes")[1:], "rejected": chat("?", "no")[1:]}],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "from and value": (
        [
            {
                "chosen": [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "yes"}],
                "rejected": [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "no"}],
            }
        ],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "summarize_from_feedback": (
        [OF_OPENAI],
        {
            "columns": {
                "question": "info.post",
                "first": "summaries.0.text",
                "second": "summaries.1.text",
                "better": "choice",
            }
        },
        [("a?", "yes", "no", 0.0)],
    ),
    "HelpSteer": (
        [SIDES | {"preference_strength": strength} for strength in (-3,)],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "HelpSteer, a little": (
        [SIDES | {"preference_strength": 1}],
        {},
        [("a?", "yes", "no", pytest.approx(1 / 3))],
    ),
    "letters": ([SIDES | {"better": "b"}], {}, [("a?", "yes", "no", 0.0)]),
    "arena": (
        [
            {
                "conversation_a": chat("a?", "yes"),
                "conversation_b": chat("a?", "no"),
                "winner": "model_a",
            }
        ],
        {},
        [("a?", "yes", "no", 1.0)],
    ),
    "a tie": ([SIDES | {"winner": "tie"}], {}, [("a?", "yes", "no", 0.5)]),
    "two people": (
        [SIDES | {"better": "first"}, SIDES | {"better": "second"}, SIDES | {"better": 0}],
        {},
        [("a?", "yes", "no", pytest.approx(2 / 3))],
    ),
    "the other way round": (
        [GOOD, {"prompt": "a?", "chosen": "no", "rejected": "yes"}],
        {},
        [("a?", "yes", "no", 0.5)],
    ),
    "three answers to a question": (
        [GOOD, {"prompt": "a?", "chosen": "maybe", "rejected": "yes"}],
        {},
        [("a?", "yes", "no", 1.0), ("a?", "yes", "maybe", 0.0)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_of_public_sets_are_read(form: str, place: Home, tmp_path: Path) -> None:
    rows, more, wanted = FORMS[form]
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(lines(*rows))
    assert read(place, file, **more)[1] == wanted


CSV = b"prompt,chosen,rejected\na?,yes,no\nb?,c,d\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(b",", b"\t")),
        ("a.json", json.dumps([GOOD, {"prompt": "b?", "chosen": "c", "rejected": "d"}]).encode()),
        ("a.parquet", parquet(prompt=["a?", "b?"], chosen=["yes", "c"], rejected=["no", "d"])),
    ],
)
def test_kinds_of_files_say_the_same(
    name: str, content: bytes, place: Home, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    wanted = [("a?", "yes", "no", 1.0), ("b?", "c", "d", 1.0)]
    assert read(place, tmp_path / name)[1] == wanted


def test_rows_that_say_nothing_are_counted(place: Home, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(GOOD, GOOD | {"rejected": "yes "}, GOOD | {"chosen": ""}))
    ref, pairs = read(place, file)
    assert len(pairs) == 1
    stats = place.store.manifest(ref).stats
    assert stats.left_out == {"train": {EQUAL: 1, EMPTY: 1}}
    assert stats.note is not None and "1 left out: both answers are equal" in stats.note


def test_of_a_folder_the_training_split_is_read(place: Home, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(lines(GOOD))
    (folder / "test.jsonl").write_bytes(lines({"prompt": "b?", "chosen": "c", "rejected": "d"}))
    assert [pair[0] for pair in read(place, folder)[1]] == ["a?"]
    assert [pair[0] for pair in read(place, folder, split="test")[1]] == ["b?"]


def many(folder: Path) -> Path:
    file = folder / "many.jsonl"
    file.write_bytes(lines(*(GOOD | {"prompt": f"{n}?"} for n in range(50))))
    return file


def test_pairs_of_a_small_limit_are_among_those_of_a_larger_one(
    place: Home, tmp_path: Path
) -> None:
    few, more = (read(place, many(tmp_path), limit=n)[1] for n in (7, 20))
    assert len(few) == 7 and len(more) == 20
    assert set(few) < set(more)
    assert few != read(place, many(tmp_path), seed=2, limit=7)[1]


def test_what_changes_the_pairs_is_in_the_key(tmp_path: Path) -> None:
    file = many(tmp_path)

    def key(seed: int = 1, **more: Any) -> str:
        return preference_set_call(settings(file, **more), seed).key

    known = {key(), key(limit=5), key(2, limit=5), key(columns={"question": "prompt"})}
    assert len(known) == 4
    assert key() == key(2)  # nothing is drawn
    before = key()
    file.write_bytes(file.read_bytes() + lines(GOOD))
    assert key() != before


@pytest.mark.parametrize(
    ("content", "a_set"),
    [
        (b'{"problem": "a", "first": 0, "second": 1, "p": 1}\n', False),
        (b'\n{"problem": "a", "first": 0, "second": 1}\n', False),
        (b"", False),
        (lines(GOOD), True),
        (b"prompt,chosen,rejected\n", True),
    ],
)
def test_labels_of_samples_are_told_from_a_set(content: bytes, a_set: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    assert names_set(settings(file)) is a_set


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"judge\.source: .*nowhere\.csv' is not there; expected"):
        preference_set_call(settings(tmp_path / "nowhere.csv"), 1)


@pytest.mark.parametrize("field", [{"limit": 5}, {"split": "a"}, {"columns": {"p": "x"}}])
def test_fields_of_a_set_want_a_source(field: dict[str, Any]) -> None:
    name = next(iter(field))
    with pytest.raises(ValidationError, match=f"{name}: it is of a preference set"):
        JudgeSettings.model_validate({"labels": "people", **field})
