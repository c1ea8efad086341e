"""BIG-Bench Hard and the Hungarian exam: real data, fields, malformed rows, never trained on."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.problems.bbh import BBH_SUBJECTS, without_size
from tasks.problems.loading import load_split, prepare_splits
from tasks.rows import PROBLEM, Row, read_rows, write_rows
from tasks.settings import DataSettings

TABLE = json.loads((Path(__file__).parent / "text_rows.json").read_text())
GOOD = TABLE["good"]


def load(tmp_path: Path, name: str, *rows: dict) -> list[Row]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return list(load_split(name, "test", source=str(path)))


def test_real_bbh(data: Path, tmp_path: Path) -> None:
    rows = list(load_split("bbh", "test", source=str(data)))
    assert len(rows) == 6511 == len({row["id"] for row in rows})
    sizes = Counter(row["subject"] for row in rows)
    assert sizes.keys() == set(BBH_SUBJECTS)
    # As published: 250 each, but for three tasks.
    assert {name: size for name, size in sizes.items() if size != 250} == {
        "causal_judgement": 187,
        "penguins_in_a_table": 146,
        "snarks": 178,
    }
    assert {row["domain"] for row in rows} == {"text"}
    assert rows[0]["id"] == "bbh/test/boolean_expressions/0"
    write_rows(tmp_path / "p.parquet", PROBLEM, rows)
    assert list(read_rows(tmp_path / "p.parquet")) == rows


def test_real_bbh_keeps_the_targets_as_they_are(data: Path) -> None:
    with gzip.open(data / "bbh.jsonl.gz", "rt", encoding="utf-8") as file:
        targets = [json.loads(line)["target"] for line in file]
    assert [row["reference"] for row in load_split("bbh", "test", source=str(data))] == targets


def test_27_files_make_23_tasks() -> None:
    assert len(BBH_SUBJECTS) == 27
    tasks = Counter(map(without_size, BBH_SUBJECTS))
    assert len(tasks) == 23
    assert {task: count for task, count in tasks.items() if count > 1} == {
        "logical_deduction": 3,
        "tracking_shuffled_objects": 3,
    }
    assert "reasoning_about_colored_objects" in tasks


def test_bbh_rows_without_ids_are_numbered_in_their_task(tmp_path: Path) -> None:
    other = {**GOOD["bbh"], "task": "snarks"}
    rows = load(tmp_path, "bbh", GOOD["bbh"], other, GOOD["bbh"])
    assert [row["id"] for row in rows] == [
        "bbh/test/navigate/0",
        "bbh/test/snarks/0",
        "bbh/test/navigate/1",
    ]
    assert rows[0] == {
        "id": "bbh/test/navigate/0",
        "domain": "text",
        "question": "Take 1 step. Are you back?",
        "reference": "No",
        "solution": "",
        "level": "",
        "subject": "navigate",
        "split": "test",
    }


def test_bbh_rows_of_the_hub_tell_their_task_as_configuration(tmp_path: Path) -> None:
    row = {"config": "word_sorting", "input": "List: b a", "target": "a b"}
    assert load(tmp_path, "bbh", row)[0]["subject"] == "word_sorting"


def test_hungarian_has_questions_and_where_given_points(tmp_path: Path) -> None:
    more = {"question": "Why?", "points": 4, "solution": "Because.", "id": "14a"}
    rows = load(tmp_path, "hungarian", GOOD["hungarian"], more)
    assert [row["id"] for row in rows] == ["hungarian/test/1", "hungarian/test/14a"]
    assert [row["reference"] for row in rows] == ["", "4"]
    assert {row["domain"] for row in rows} == {"hand"}
    assert rows[1]["solution"] == "Because."


@pytest.mark.parametrize("name", ["bbh", "hungarian"])
def test_they_are_never_trained_on(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: it is for evaluation only"):
        prepare_splits(DataSettings(train=name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case", TABLE["malformed"], ids=lambda case: f"{case['set']}: {case['why']}"
)
def test_a_malformed_row_names_file_line_and_field(case: dict, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, case["set"], GOOD[case["set"]], case["row"])
    message = str(caught.value)
    place = f"{tmp_path / 'rows.jsonl'} line 2: field {case['field']!r}: expected "
    assert message.startswith(place)
    assert "\n" not in message
