"""Training, validation and test problems: apart from each other, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.settings import DataSettings
from tests.tasks.problems.test_problems import write_lines, write_math


def own_set(folder: Path, train: int = 60, test: int = 25) -> str:
    for split, count in (("train", train), ("test", test)):
        rows = [
            {"question": f"{split} {i}?", "answer": f"#### {i}", "id": f"{split}/{i}"}
            for i in range(count)
        ]
        write_lines(folder / f"{split}.jsonl", rows)
    return str(folder)


def settings(source: str, **more) -> DataSettings:
    return DataSettings(train="gsm8k", source=source, **{"validation": 10, **more})


def test_the_three_splits_share_no_problem(tmp_path: Path) -> None:
    splits = prepare_splits(settings(own_set(tmp_path)))
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 50,
        "validation": 10,
        "test": 25,
    }
    ids = [row["id"] for rows in splits.values() for row in rows]
    assert len(ids) == len(set(ids))
    assert all(row["split"] == name for name, rows in splits.items() for row in rows)


def test_a_larger_limit_keeps_the_earlier_problems(tmp_path: Path) -> None:
    source = own_set(tmp_path)
    small = prepare_splits(settings(source, train_limit=7, test_limit=3))
    large = prepare_splits(settings(source, train_limit=30, test_limit=20))
    assert large["train"][:7] == small["train"] and large["test"][:3] == small["test"]
    assert large["validation"] == small["validation"]


def test_more_validation_moves_no_training_problem(tmp_path: Path) -> None:
    source = own_set(tmp_path)
    few = prepare_splits(settings(source, validation=10))
    more = prepare_splits(settings(source, validation=20))
    assert more["validation"][:10] == few["validation"]
    held = {row["id"] for row in more["validation"]}
    assert more["train"] == [row for row in few["train"] if row["id"] not in held]


def test_the_order_is_the_seeds_and_not_the_files(tmp_path: Path) -> None:
    source = own_set(tmp_path)
    first = prepare_splits(settings(source))
    lines = (tmp_path / "train.jsonl").read_text().splitlines()
    write_lines(tmp_path / "train.jsonl", lines[::-1])
    assert prepare_splits(settings(source)) == first
    assert prepare_splits(settings(source, seed=1))["train"] != first["train"]


def test_one_file_cannot_be_both_sides_unless_its_rows_say_so(tmp_path: Path) -> None:
    rows = [{"question": f"{i}?", "answer": f"#### {i}"} for i in range(20)]
    path = write_lines(tmp_path / "all.jsonl", rows)
    with pytest.raises(UserError, match=r"data\.test_source: .* training and test set at once"):
        prepare_splits(settings(str(path), validation=5))
    split = [{**row, "split": "train" if i < 15 else "test"} for i, row in enumerate(rows)]
    splits = prepare_splits(settings(str(write_lines(path, split)), validation=5))
    assert [len(rows) for rows in splits.values()] == [10, 5, 5]


def test_levels_are_kept_and_an_absent_one_is_named(tmp_path: Path) -> None:
    data = {"train": "math", "source": str(write_math(tmp_path)), "validation": 1}
    splits = prepare_splits(DataSettings(**data, level=3))
    assert {row["level"] for rows in splits.values() for row in rows} == {"3"}
    with pytest.raises(UserError, match=r"data\.level: no train problem of math has level 5"):
        prepare_splits(DataSettings(**data, level=5))


def test_nothing_left_to_train_on_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.validation: holding out 60 of 60"):
        prepare_splits(settings(own_set(tmp_path), validation=60))


def test_an_empty_split_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gsm8k: no test problem in"):
        prepare_splits(settings(own_set(tmp_path, test=0)))
