"""Problems of one's own: each format gives the same problems, in the splits that the rows say."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.problems.loading import prepare_splits
from tasks.problems.own.load import OwnProblems, said
from tasks.problems.own.places import SplitNames, Where
from tasks.problems.step import problems_call
from tasks.rows import Row
from tasks.settings import DataSettings

Rows = list[dict[str, Any]]
Splits = dict[str, list[Row]]
ROWS: Rows = [{"question": f"What is {n} and {n}?", "answer": 2 * n} for n in range(1, 21)]


def write(path: Path, rows: Rows) -> Path:
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    text = ""
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if kind == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "json":
        text = json.dumps(rows, indent=1)
    if kind in ("csv", "tsv"):
        lines: list[str] = []

        class Lines:
            write = lines.append

        writer = csv.DictWriter(Lines, list(rows[0]), delimiter="," if kind == "csv" else "\t")
        writer.writeheader()
        writer.writerows(rows)
        text = "".join(lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def asked(source: Path, **more: Any) -> DataSettings:
    return DataSettings.model_validate(
        {"train": "file", "source": str(source), "validation": 2, **more}
    )


def prepared(source: Path, **more: Any) -> Splits:
    return prepare_splits(asked(source, **more))


def counts(splits: Splits) -> dict[str, int]:
    return {name: len(rows) for name, rows in splits.items()}


def references(splits: Splits) -> dict[str, str]:
    return {row["question"]: row["reference"] for rows in splits.values() for row in rows}


@pytest.mark.parametrize(
    "name",
    ["a.jsonl.gz", "a.json", "a.json.gz", "a.csv", "a.csv.gz", "a.tsv", "a.parquet"],
)
def test_each_format_is_read_alike(name: str, tmp_path: Path) -> None:
    lines = prepared(write(tmp_path / "a.jsonl", ROWS))
    assert prepared(write(tmp_path / name, ROWS)) == lines
    assert counts(lines) == {"train": 14, "validation": 2, "test": 4}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfquestion,answer\na,1\nb,2\n",
        b"question;answer\na;1\nb;2\n",
        b"question,answer\r\n\r\na,1\r\n\r\nb,2",
        b'"question",answer\n"a","1"\n"b",2\n',
        b"\nQuestion , ANSWER\na,1\nb,2\n",
    ],
    ids=["mark", "semicolons", "blank lines", "quotes", "spaces"],
)
def test_csv_as_programs_write_it(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    assert references(prepared(tmp_path / "a.csv", validation=0)) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (3, "3"),
        (3.0, "3"),
        (-0.25, "-0.25"),
        (1e30, "1e+30"),
        (10**40, "1" + "0" * 40),
        (["x^2"], "x^2"),
        ([4], "4"),
        (" 5 ", "5"),
        (r"So $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        ("2 and 2 are 4.\n#### 4", "4"),
    ],
)
def test_the_answer_is_a_plain_text(answer: object, reference: str, tmp_path: Path) -> None:
    rows = [{"question": "a", "answer": answer}, {"question": "b", "answer": "1"}]
    made = references(prepared(write(tmp_path / "a.jsonl", rows), validation=0))
    assert made["a"] == reference


def test_a_solution_that_ends_in_the_answer_is_kept(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "solution": rf"It is \boxed{{{n}}}."} for n in range(3)]
    made = prepared(write(tmp_path / "a.jsonl", rows), validation=0)["train"]
    assert {(row["reference"], row["solution"]) for row in made} <= {
        (str(n), rf"It is \boxed{{{n}}}.") for n in range(3)
    }


def test_parquet_decimals_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = pa.array(["1.50", "2.00"]).cast(pa.decimal128(5, 2))
    pq.write_table(pa.table({"question": ["a", "b"], "answer": values}), path)
    assert references(prepared(path, validation=0)) == {"a": "1.5", "b": "2"}


def ids(splits: Splits) -> set[tuple[str, str]]:
    return {(row["question"], row["id"]) for rows in splits.values() for row in rows}


# Splits.


def test_a_split_column_decides(tmp_path: Path) -> None:
    names = ["train", "Training", "val", "dev", "test"]
    rows = [{**row, "split": names[n % 5]} for n, row in enumerate(ROWS)]
    made = prepared(write(tmp_path / "a.csv", rows), validation=100)
    assert counts(made) == {"train": 8, "validation": 8, "test": 4}
    assert {row["question"] for row in made["test"]} == {
        row["question"] for row in rows if row["split"] == "test"
    }


def test_splits_may_have_other_names(tmp_path: Path) -> None:
    rows = [{**row, "split": "abc"[n % 2]} for n, row in enumerate(ROWS)]
    made = prepared(write(tmp_path / "a.csv", rows), train_split="b", test_split="a")
    assert counts(made) == {"train": 8, "validation": 2, "test": 10}


def test_the_files_of_a_folder_say_it_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, some in (
        ("train-00000-of-00002.parquet", ROWS[:6]),
        ("train-00001-of-00002.parquet", ROWS[6:12]),
        ("validation-00000-of-00001.parquet", ROWS[12:15]),
        ("test-00000-of-00001.parquet", ROWS[15:]),
    ):
        write(tmp_path / "data" / name, some)
    made = prepared(tmp_path, validation=10)
    assert counts(made) == {"train": 12, "validation": 3, "test": 5}


def test_the_test_set_may_be_another_file(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", ROWS[:15])
    test = write(tmp_path / "b.json", ROWS[15:])
    made = prepared(train, test_source=str(test))
    assert counts(made) == {"train": 13, "validation": 2, "test": 5}


def test_a_named_set_may_be_tested_on_a_file(tmp_path: Path) -> None:
    test = write(tmp_path / "b.csv", ROWS)
    settings = DataSettings(
        train="synthetic_math", train_limit=5, test="file", test_source=str(test)
    )
    made = prepare_splits(settings)
    assert counts(made) == {"train": 5, "validation": 100, "test": 20}
    assert {row["split"] for row in made["test"]} == {"test"}


def test_a_drawn_test_set_is_said_and_the_seeds(tmp_path: Path) -> None:
    path, own = write(tmp_path / "a.csv", ROWS), list[OwnProblems]()
    first = prepare_splits(asked(path, test_share=0.5), None, own)
    assert counts(first)["test"] == 10
    assert said(own) == [
        f'{path}: question = "question", reference = "answer"',
        "10 of 20 problems are drawn for test",
    ]
    other = prepared(path, test_share=0.5, seed=1)
    assert {row["id"] for row in other["test"]} != {row["id"] for row in first["test"]}


def test_problems_keep_their_ids_when_rows_move_and_others_come(tmp_path: Path) -> None:
    """Their samples are then found in the cache."""
    before = prepared(write(tmp_path / "a.jsonl", ROWS))
    moved = [{"question": "A new one?", "answer": 1}, *ROWS[::-1]]
    after = prepared(write(tmp_path / "a.jsonl", moved))
    ids = [
        {(r["question"], r["id"]) for some in one.values() for r in some} for one in (before, after)
    ]
    assert ids[0] < ids[1] and len(ids[1]) == 21


def test_an_id_column_names_the_problems(tmp_path: Path) -> None:
    rows = [{"id": n, **row} for n, row in enumerate(ROWS)]
    made = prepared(write(tmp_path / "a.jsonl", rows))
    assert {row["id"] for some in made.values() for row in some} == {f"file/{n}" for n in range(20)}


# Columns.


def test_named_columns_are_taken_before_usual_ones(tmp_path: Path) -> None:
    rows = [{**row, "frage": f"Was ist {n}?", "antwort": str(n)} for n, row in enumerate(ROWS)]
    columns = {"question": "frage", "reference": "antwort"}
    made = prepared(write(tmp_path / "a.csv", rows), columns=columns)
    assert references(made) == {row["frage"]: row["antwort"] for row in rows}


def test_another_mapping_is_another_key_and_the_defaults_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROWS)
    plain = problems_call(asked(path))
    named = problems_call(asked(path, columns={"question": "question"}))
    assert plain.key != named.key
    assert "columns" not in plain.settings and "domain" not in plain.settings


def test_a_key_has_the_content_and_not_the_place(tmp_path: Path) -> None:
    first = problems_call(asked(write(tmp_path / "a.csv", ROWS)))
    assert problems_call(asked(write(tmp_path / "b.csv", ROWS))).key == first.key
    assert problems_call(asked(write(tmp_path / "b.csv", ROWS[1:]))).key != first.key


# Several sets.


def test_more_sets_are_trained_on_in_their_share(tmp_path: Path) -> None:
    main = write(tmp_path / "a.csv", ROWS[:10])
    texts = [{"question": f"Colour {n}?", "answer": "red"} for n in range(8)]
    more = [
        {"source": str(write(tmp_path / "b.jsonl", texts)), "domain": "text", "weight": 0.5},
        {"train": "synthetic_math", "weight": 0.001},
    ]
    made = prepared(main, validation=0, more=more)
    assert {row["domain"] for row in made["test"]} == {"math"}
    by_set = [row["id"].split("/")[0] for row in made["train"]]
    assert {name: by_set.count(name) for name in set(by_set)} == {
        "file": 8,
        "file2": 4,
        "synthetic_math": by_set.count("synthetic_math"),
    }


def test_a_set_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROWS)
    with pytest.raises(UserError, match=r"a\.csv row 2: .*'question': expected another question"):
        prepared(path, more=[{"source": str(path)}])


# The Hub.


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the Hub's cache has of a/b, on a machine without a network."""
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "datasets--a--b" / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (folder.parent.parent / "refs").mkdir()
    (folder.parent.parent / "refs" / "main").write_text(folder.name)
    return folder


def test_a_hub_data_set_is_read_by_its_splits(cached: Path) -> None:
    for split, some in (("train", ROWS[:15]), ("test", ROWS[15:])):
        write(cached / f"{split}.jsonl", some)
    parts = {part.split: list(part.records) for part in Where("a/b").hub_parts()}
    assert {split: len(rows) for split, rows in parts.items()} == {"train": 15, "test": 5}
    assert parts["test"][4].place == "a/b (default, test) row 5"
    assert parts["test"][4].data == ROWS[19]


def test_a_hub_data_sets_splits_may_be_named(cached: Path) -> None:
    for split in ("train", "test"):
        write(cached / f"{split}.jsonl", ROWS)
    where = Where("a/b", names=SplitNames(train="test", test="train"))
    assert [one.place for one in where.hub_parts()] == [
        f"a/b (default, {s})" for s in ("test", "train")
    ]


@pytest.mark.slow
def test_without_a_network_the_error_is_one_line(tmp_path: Path) -> None:
    """In a child: the Hub library reads its variables at import."""
    code = (
        "from tasks.errors import UserError\n"
        "from tasks.problems.loading import prepare_splits\n"
        "from tasks.settings import DataSettings\n"
        "try: prepare_splits(DataSettings(train='file', source='nobody/nothing'))\n"
        "except UserError as error: print(error)\n"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.count("\n") == 1 and done.stderr == ""
    assert done.stdout.startswith("data.source: nobody/nothing is no file here and could not be")
