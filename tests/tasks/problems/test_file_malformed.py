"""A file of one's own that is wrong is refused in one line: place, what was expected, what is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.own.load import TWICE
from tasks.problems.ungradable import LeftOut
from tasks.settings import DataSettings
from tests.tasks.problems import malformed_domains
from tests.tasks.problems.malformed_files import WRONG, Wrong

ALL = WRONG | malformed_domains.WRONG


def settings(source: Path, **more: Any) -> DataSettings:
    return DataSettings.model_validate(
        {"train": "file", "source": str(source), "validation": 0, **more}
    )


@pytest.mark.parametrize("wrong", ALL.values(), ids=ALL)
def test_what_is_wrong_is_said_in_one_line(wrong: Wrong, tmp_path: Path) -> None:
    file = tmp_path / wrong.name
    file.write_bytes(wrong.content)
    with pytest.raises(UserError) as caught:
        prepare_splits(settings(file, **wrong.settings))
    said = str(caught.value)
    assert said.startswith(wrong.said.format(file=file)), said
    assert "\n" not in said and len(said) < 500 + 4 * len(str(file))


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.source: .*nowhere\.csv' is not there; expected"):
        prepare_splits(settings(tmp_path / "nowhere.csv"))


def test_a_folder_without_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(UserError, match=r"data\.source: .*: expected files that end in \.jsonl"):
        prepare_splits(settings(tmp_path))


def test_several_files_say_their_splits(tmp_path: Path) -> None:
    for name in ("train.csv", "notes.csv"):
        (tmp_path / name).write_text("question,answer\na,1\n")
    with pytest.raises(UserError, match=r"notes\.csv: of several files each has to say its split"):
        prepare_splits(settings(tmp_path))


def both_sides(folder: Path) -> Path:
    for name in ("train", "test"):
        (folder / f"{name}.csv").write_text(f"question,answer\nof {name},1\nof both,2\n")
    return folder


def test_a_question_of_both_sides_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.csv row 3: .* than that of .*test\.csv row 3"):
        prepare_splits(settings(both_sides(tmp_path)))


def test_of_a_question_of_both_sides_the_tests_can_stay(tmp_path: Path) -> None:
    left_out: LeftOut = {}
    made = prepare_splits(settings(both_sides(tmp_path), repeated="first"), left_out)
    assert [row["question"] for row in made["train"]] == ["of train"]
    assert {row["question"] for row in made["test"]} == {"of both", "of test"}
    assert left_out == {"train": {TWICE: 1}}
