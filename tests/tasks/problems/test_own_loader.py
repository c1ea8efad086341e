"""A loader of the user's own: its rows become problems, and each mistake in one is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.machines.local import LocalMachine
from tasks.dag.step import Call, perform
from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.own_loader import LOG, OwnLoader, _Row
from tasks.problems.step import load_splits, problems_call
from tasks.rows import Row
from tasks.settings import DataSettings, Resources
from tasks.settings.find_function import find_function
from tasks.settings.problems import TRAIN
from tasks.store.store import Store

NUMBERS = (
    "def load(split, source):\n"
    "    step = int(open(source).read()) if source else 1\n"
    "    for n in range(20 if split == 'train' else 8):\n"
    "        n += 100 * (split == 'test')\n"
    "        yield {'question': f'{n} + {step}?', 'reference': n + step, 'level': 1 + n % 2}\n"
)


def loader(folder: Path, source: str) -> OwnLoader:
    (folder / "own.py").write_text(source)
    return OwnLoader(find_function(TRAIN, f"{folder}/own.py:load"), folder)


def rows(folder: Path, *given: object, split: str = "train") -> list[Row]:
    """The problems that a loader makes which gives these rows, as Python writes them."""
    body = "".join(f"    yield {one}\n" for one in given)
    return list(loader(folder, f"import math\ndef load():\n{body}")(split, ""))


def test_every_field_finds_its_place(tmp_path: Path) -> None:
    (one,) = rows(
        tmp_path,
        {
            **{"id": "x", "question": " 1 + 2? ", "reference": 3.0, "solution": "1 + 2 = 3"},
            **{"level": 2, "subject": "sums", "domain": "text"},
        },
    )
    assert one == {
        **{"id": "load/train/x", "domain": "text", "question": "1 + 2?", "reference": "3"},
        **{"solution": "1 + 2 = 3", "level": "2", "subject": "sums", "split": "train"},
    }


def test_what_is_left_out_is_empty_and_the_id_is_the_place(tmp_path: Path) -> None:
    one, two = rows(
        tmp_path, {"question": "a", "reference": "1"}, {"question": "b", "reference": ""}
    )
    assert (one["id"], two["id"], one["domain"], one["level"]) == (
        *("load/train/0", "load/train/1"),
        *("math", ""),
    )
    assert two["reference"] == ""  # written down, so it is meant


def test_rows_of_another_split_are_passed_over(tmp_path: Path) -> None:
    both = [{"question": s, "reference": "1", "split": s} for s in ("train", "test")]
    assert [row["question"] for row in rows(tmp_path, *both)] == ["train"]
    assert [row["question"] for row in rows(tmp_path, *both, split="test")] == ["test"]


def test_a_program_has_tests(tmp_path: Path) -> None:
    tests = [{"input": "1\n", "output": "2\n"}]
    calls = {"entry_point": "f", "cases": [{"args": [1], "expected": 2}]}
    made = rows(
        tmp_path,
        {"question": "a", "domain": "code", "tests": tests},
        {"question": "b", "domain": "code", "tests": calls},
    )
    assert [json.loads(row["reference"]) for row in made] == [{"tests": tests}, calls]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("['question']", "row 1: expected a dict, not list"),
        ("None", "row 1: expected a dict, not NoneType"),
        ({"reference": "1"}, "field 'question': expected text that is not empty, not nothing"),
        ({"question": "  ", "reference": "1"}, "field 'question': expected text that is not empty"),
        ({"question": ["a"], "reference": "1"}, "field 'question': expected text or a number, not"),
        ({"question": "a"}, "field 'reference': expected text or a number, not nothing"),
        ({"question": "a", "reference": None}, "field 'reference': expected text or a number, not"),
        ({"question": "a", "reference": True}, "field 'reference': expected text or a number, not"),
        ("{'question': 'a', 'reference': math.nan}", "field 'reference': expected text or a num"),
        ("{'question': 'a', 'reference': {1, 2}}", "expected text or a number, not set"),
        ("{'question': 'a', 'reference': b'1'}", "expected text or a number, not bytes"),
        ("{'question': chr(0xd800), 'reference': 1}", "text without lone surrogates"),
        ({"question": "a", "reference": "1", "lvl": 3}, "field 'lvl': expected one of the fields"),
        ("{'question': 'a', 'reference': 1, 7: 8}", "field '7': expected one of the fields id, q"),
        ({"question": "a", "reference": "1", "domain": "maths"}, "field 'domain': expected one of"),
        ({"question": "a", "domain": "code"}, 'field \'tests\': expected a list of {"input", "out'),
        ({"question": "a", "domain": "code", "tests": []}, "field 'tests'"),
        ({"question": "a", "domain": "code", "tests": [{"input": 1}]}, "field 'tests'"),
    ],
)
def test_a_malformed_row_is_one_line_that_names_it(row: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path, {"question": "fine", "reference": "1"}, row)
    text = str(caught.value)
    assert text.startswith("data.train: own.py:load (train): row 1: ") and said in text
    assert "\n" not in text and len(text) < 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_FIELDS = st.sampled_from(["id", "question", "reference", "tests", "level", "domain", "split"])


@pytest.mark.slow
@given(st.dictionaries(_FIELDS | st.text(), _JSON))
def test_any_row_is_a_problem_or_a_mistake(data: dict) -> None:
    try:
        made = _Row(data, "place").problem("load", "train", 0)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(value, str) for value in made.values()) and made["question"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("return None", "it returned NoneType; expected rows, a dict each"),
        ("return {'question': 'a'}", "it returned dict; expected rows, a dict each"),
        ("yield {}; raise OSError('no network')", "OSError: no network"),
        ("import os; os._exit(1)", "it ended its process"),
    ],
)
def test_a_loader_that_fails_is_one_line_with_a_log(body: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        list(loader(tmp_path, f"def load():\n    {body}\n")("train", ""))
    text = str(caught.value)
    assert text.startswith("data.train: own.py:load (train): ") and said in text
    assert "\n" not in text and said in (tmp_path / LOG).read_text()


def test_the_step_splits_what_the_loader_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(NUMBERS)
    (tmp_path / "step.txt").write_text("5")
    chosen = DataSettings(train="own.py:load", source="step.txt", validation=4, level=2)
    store = Store(str(tmp_path / "store"), cache=tmp_path / "cache")
    with LocalMachine(store, tmp_path / "logs", Resources(), lambda *_: None) as machine:
        ref = perform(problems_call(chosen), machine.runtime)
        splits = load_splits(store.path(ref))
    assert {name: len(split) for name, split in splits.items()} == {
        **{"train": 6, "validation": 4, "test": 4}
    }
    one = next(row for row in splits["test"] if row["question"] == "103 + 5?")
    assert (one["id"], one["reference"], one["level"]) == ("load/test/3", "108", "2")


def test_a_loader_that_gives_the_same_for_both_sides_is_refused(tmp_path: Path) -> None:
    both = "def load():\n    return [{'question': str(n), 'reference': n} for n in range(9)]\n"
    own = loader(tmp_path, both)
    chosen = DataSettings(train=f"{tmp_path}/own.py:load", validation=2)
    with pytest.raises(UserError, match=r"own\.py:load: all its test problems are training"):
        prepare_splits(chosen, loaders={chosen.train: own})


def test_code_and_source_are_in_the_key_and_places_are_not(tmp_path: Path) -> None:
    def call(folder: str, code: str, data: str) -> Call:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "own.py").write_text(code)
        (place / "step.txt").write_text(data)
        chosen = DataSettings(train=f"{place}/own.py:load", source=f"{place}/step.txt")
        return problems_call(chosen)

    made = call("a", NUMBERS, "1")
    assert call("b", NUMBERS, "1").key == made.key
    assert len({made.key, call("a", NUMBERS + "#", "1").key, call("a", NUMBERS, "2").key}) == 3
    assert str(tmp_path) not in str(made.settings)
