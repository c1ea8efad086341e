"""Data sets: real counts, every layout, every malformed row, and splits that stay apart."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.problems.loading import load_split
from tasks.problems.math import last_boxed
from tasks.rows import PROBLEM, read_rows, write_rows
from tasks.score.math.grade import grade

CASES = json.loads((Path(__file__).parent / "problem_rows.json").read_text())
GOOD = {
    "gsm8k": {"question": "Two and two?", "answer": "2+2=4 #### 4"},
    "svamp": {"question": "Two and two?", "answer": 4.0, "type": "Addition"},
    "math": {"problem": "What is $2+2$?", "solution": r"It is $\boxed{4}$.", "level": "Level 1"},
}
real_data = pytest.mark.skipif(
    "RESTEM_DATA" not in os.environ, reason="RESTEM_DATA is not set, so there are no real data"
)


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEM_DATA", raising=False)


def write_lines(path: Path, rows: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_math(root: Path) -> Path:
    """The original layout, with problems of our own."""
    for split, base in (("train", 0), ("test", 100)):
        for subject in ("algebra", "number_theory"):
            for number in (2, 10, 1):
                row = {
                    "problem": f"What is ${number}+{base}$ in {subject}?",
                    "level": f"Level {1 + number % 5}",
                    "type": "Number Theory" if subject == "number_theory" else "Algebra",
                    "solution": rf"Adding gives $\boxed{{{number + base}}}$.",
                }
                path = root / split / subject / f"{number}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(row, indent=2))
    return root


@real_data
@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("gsm8k", "train", 7473),
        ("gsm8k", "test", 1319),
        ("svamp", "train", 700),
        ("svamp", "test", 300),
    ],
)
def test_real_data_have_their_published_size(name: str, split: str, count: int, tmp_path) -> None:
    rows = list(load_split(name, split))
    assert len(rows) == count == len({row["id"] for row in rows})
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", row["reference"]) for row in rows)
    assert all(row["question"] and row["split"] == split for row in rows)
    write_rows(tmp_path / "p.parquet", PROBLEM, rows)
    assert list(read_rows(tmp_path / "p.parquet")) == rows


@real_data
def test_real_references_are_those_of_the_packaged_field() -> None:
    path = Path(os.environ["RESTEM_DATA"]) / "gsm8k_train.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        final = [json.loads(line)["final_answer"].replace(",", "") for line in file]
    assert [row["reference"] for row in load_split("gsm8k", "train")] == final


def test_gsm8k_solutions_are_those_of_a_person(tmp_path: Path) -> None:
    told = "It is $<<2+2=4>>4.\n\nThat is all.\n#### 4"
    path = write_lines(tmp_path / "g.jsonl", [{**GOOD["gsm8k"], "answer": told}])
    (row,) = load_split("gsm8k", "train", source=str(path))
    assert row["solution"] == "It is $4.\nThat is all.\n#### 4"
    assert grade(row["reference"], row["solution"]).reward == 1.0


@real_data
def test_real_gsm8k_solutions_pass_the_checker() -> None:
    rows = list(load_split("gsm8k", "train"))
    assert not any("<<" in row["solution"] or "\n\n" in row["solution"] for row in rows)
    for row in rows[::5]:
        assert grade(row["reference"], row["solution"]).reward == 1.0, row["id"]


def test_math_in_the_original_layout(tmp_path: Path, no_data: None) -> None:
    root = write_math(tmp_path / "MATH")
    rows = list(load_split("math", "train", source=str(root)))
    assert [row["id"] for row in rows[:3]] == [f"math/train/algebra/{n}" for n in (1, 2, 10)]
    assert rows[-1] == {
        "id": "math/train/number_theory/10",
        "domain": "math",
        "question": "What is $10+0$ in number_theory?",
        "reference": "10",
        "solution": r"Adding gives $\boxed{10}$.",
        "level": "1",
        "subject": "number_theory",
        "split": "train",
    }
    above = list(load_split("math", "train", source=str(tmp_path)))
    assert above == rows


def test_math_layout_is_found_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_math(tmp_path / "MATH")
    monkeypatch.setenv("RESTEM_DATA", str(tmp_path))
    assert len(list(load_split("math", "test"))) == 6


def test_math_lines_with_optional_fields(tmp_path: Path) -> None:
    rows = [
        GOOD["math"],
        {**GOOD["math"], "split": "test", "unique_id": "test/algebra/7.json", "level": 3},
        {**GOOD["math"], "answer": "four", "subject": "Counting & Probability"},
        {**GOOD["math"], "level": "Level ?"},
        {**GOOD["math"], "solution": r"An empty box: $\boxed{}$."},
    ]
    path = str(write_lines(tmp_path / "m.jsonl", rows))
    train = list(load_split("math", "train", source=path))
    assert [row["id"] for row in train] == [f"math/train/row-{n}" for n in (1, 3, 4)]
    assert [row["reference"] for row in train] == ["4", "four", "4"]
    assert [row["level"] for row in train] == ["1", "1", ""]
    assert train[1]["subject"] == "counting_and_probability"
    tests = {row["id"]: row["level"] for row in load_split("math", "test", source=path)}
    assert tests["math/test/algebra/7"] == "3"


def test_math500_has_no_training_split() -> None:
    with pytest.raises(UserError, match="math500: it has only a test split"):
        load_split("math500", "train")


@pytest.mark.parametrize(("text", "expected"), CASES["boxed"])
def test_last_boxed(text: str, expected: str | None) -> None:
    assert last_boxed(text) == expected


def test_svamp_question_has_the_story_in_it(tmp_path: Path) -> None:
    rows = [
        {"ID": "chal-1", "Body": "Ann has 3 figs", "Question": "How many figs?", "Answer": "3.0"},
        {"ID": "chal-2", "Body": "If Bo has 1,", "Question": "how many?", "Answer": 2.5},
    ]
    path = write_lines(tmp_path / "svamp.jsonl", rows)
    found = list(load_split("svamp", "test", source=str(path)))
    assert [row["question"] for row in found] == [
        "Ann has 3 figs. How many figs?",
        "If Bo has 1, how many?",
    ]
    assert [row["reference"] for row in found] == ["3", "2.5"]
    assert found[0]["id"] == "svamp/test/chal-1"
    programs = list(load_split("svamp_code", "test", source=str(path)))
    assert [row["question"] for row in programs] == [row["question"] for row in found]
    assert programs[0]["id"] == "svamp_code/test/chal-1"


@pytest.mark.parametrize("case", CASES["malformed"], ids=lambda c: f"{c['set']}: {c['why']}")
def test_a_malformed_row_names_file_line_and_field(case: dict, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [GOOD[case["set"]], "", case["row"]])
    with pytest.raises(UserError) as caught:
        list(load_split(case["set"], "train", source=str(path)))
    message = str(caught.value)
    assert message.startswith(f"{path} line 3: field {case['field']!r}: expected ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"question": "Q', "line 2: expected a JSON object"),
        (b"[1, 2]", "line 2: expected a JSON object, not [1, 2]"),
        (b'{"question": "\xff"}', "line 2: expected UTF-8 text"),
        (b"[" * 100_000, "line 2: expected a JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(GOOD["gsm8k"]).encode() + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=re.escape(expected)):
        list(load_split("gsm8k", "train", source=str(path)))


def test_a_truncated_archive_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    rows = [{"question": f"Q {i}?", "answer": f"{i * 7919} #### {i}"} for i in range(2000)]
    whole = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"rows.jsonl.gz line \d+: cannot be read"):
        list(load_split("gsm8k", "train", source=str(path)))


def test_bad_json_in_the_folder_layout_names_its_line(tmp_path: Path) -> None:
    root = write_math(tmp_path)
    bad = root / "train" / "algebra" / "2.json"
    bad.write_text('{\n "problem": "P",\n "level" 3\n}')
    with pytest.raises(UserError, match=r"2\.json line 3: expected a JSON object"):
        list(load_split("math", "train", source=str(root)))


def test_duplicate_ids_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "r.jsonl", [{**GOOD["gsm8k"], "id": "train/5"}] * 2)
    with pytest.raises(UserError, match="'gsm8k/train/5' comes twice"):
        list(load_split("gsm8k", "train", source=str(path)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["gsm8k", "svamp", "math", "math500", "apps", "humaneval", "bbh", "hungarian"]
)
def test_without_a_network_the_error_is_one_line(name: str, tmp_path: Path) -> None:
    """In a child: the Hub library reads its variables at import."""
    code = (
        "from tasks.errors import UserError\n"
        "from tasks.problems.loading import load_split\n"
        f"try: list(load_split({name!r}, 'test'))\n"
        "except UserError as error: print(error)\n"
    )
    here = str(tmp_path)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "RESTEM_DATA": here, "HF_HOME": here}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.count("\n") == 1 and done.stderr == ""
    assert f"{name}: no test split found" in done.stdout
    assert f"in {tmp_path}" in done.stdout and "on the Hub" in done.stdout
    assert "Set data.source" in done.stdout


@pytest.mark.parametrize("source", ["nowhere/at/all", "rows.csv"])
def test_a_source_that_is_not_there_is_named(source: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"looked for the path {source}")):
        list(load_split("gsm8k", "train", source=source))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.csv", ["a,b"])
    with pytest.raises(UserError, match=r"expected a folder, a \.jsonl or a \.jsonl\.gz file"):
        list(load_split("gsm8k", "train", source=str(path)))


@pytest.mark.parametrize(("name", "split"), [("nothing", "train"), ("gsm8k", "dev")])
def test_unknown_names_are_refused(name: str, split: str) -> None:
    with pytest.raises(UserError, match="expected one of"):
        load_split(name, split)
