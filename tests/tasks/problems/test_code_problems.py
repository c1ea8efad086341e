"""APPS and HumanEval: real data, both forms of tests, every layout, every malformed row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.problems.apps import LONG_NUMBER, NO_TESTS
from tasks.problems.loading import load_split, prepare_splits
from tasks.problems.step import source_fingerprint
from tasks.rows import PROBLEM, read_rows, write_rows
from tasks.settings import DataSettings

CASES = json.loads((Path(__file__).parent / "code_rows.json").read_text())
STREAM = {"inputs": ["1\n2\n"], "outputs": ["3\n"]}
CALL = {"fn_name": "add", "inputs": [[1, 2], [3, [4]]], "outputs": [[3], [[7]]]}
GOOD = {
    "apps": {"question": "Add.", "difficulty": "introductory", **STREAM},
    "humaneval": {
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    },
}
MALFORMED = [(name, case) for name in GOOD for case in CASES[name]]


def write_lines(path: Path, rows: list) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" if row else "\n" for row in rows))
    return str(path)


def write_apps(root: Path) -> Path:
    """The original layout, with problems of our own."""
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            place = root / split / f"{number:04d}"
            place.mkdir(parents=True)
            level = "interview" if number == 1 else "introductory"
            (place / "question.txt").write_text(f"Add in {split} {number}.\n")
            (place / "metadata.json").write_text(json.dumps({"difficulty": level, "url": "u"}))
            (place / "input_output.json").write_text(json.dumps(CALL if number == 2 else STREAM))
            (place / "solutions.json").write_text(json.dumps(["\nprint(3)\n\n", "print(1+2)"]))
            if number == 2:
                (place / "starter_code.py").write_text("\ndef add(a, b):\n\t")
    (root / "train" / "0003" / "input_output.json").unlink()
    return root


def test_real_apps(data: Path, tmp_path: Path) -> None:
    rows = list(load_split("apps", "train", source=str(data)))
    assert len(rows) == len({row["id"] for row in rows}) == 274
    assert {row["subject"] for row in rows} == {"call", "input"}
    for row in rows:
        reference = json.loads(row["reference"])
        if row["subject"] == "input":
            assert reference["tests"] and set(reference) == {"tests"}
            for test in reference["tests"]:
                assert isinstance(test["input"], str) and isinstance(test["output"], str)
        else:
            assert reference["cases"] and set(reference) == {"entry_point", "cases"}
            assert reference["entry_point"] in row["question"]
            assert all(set(case) == {"args", "expected"} for case in reference["cases"])
    write_rows(tmp_path / "p.parquet", PROBLEM, rows)
    assert list(read_rows(tmp_path / "p.parquet")) == rows


def test_real_apps_results_are_unwrapped(data: Path) -> None:
    rows = {row["id"]: json.loads(row["reference"]) for row in load_split("apps", "train")}
    case = rows["apps/train/1616"]["cases"][1]
    assert case == {"args": ["one"], "expected": 1}
    assert rows["apps/train/1604"]["tests"][0]["output"] == "1\n"


def test_real_humaneval(data: Path) -> None:
    rows = list(load_split("humaneval", "test", source=str(data)))
    assert len(rows) == len({row["id"] for row in rows}) == 164
    assert rows[0]["id"] == "humaneval/test/0"
    for row in rows:
        reference = json.loads(row["reference"])
        assert set(reference) == {"entry_point", "check", "head"}
        # The whole task as Python: head, body and test fit together.
        compile(f"{row['question']}\n{row['solution']}\n{reference['check']}", row["id"], "exec")
    assert rows[0]["solution"].startswith("    for ")


@pytest.mark.parametrize(("difficulty", "count"), [(None, 100), ("interview", 83), ("all", 274)])
def test_difficulty_is_introductory_unless_said(data: Path, difficulty, count: int) -> None:
    more = {"difficulty": difficulty} if difficulty else {}
    settings = DataSettings(train="apps", test="humaneval", validation=10, **more)
    splits = prepare_splits(settings)
    assert [len(rows) for rows in splits.values()] == [count - 10, 10, 164]


def test_humaneval_is_never_trained_on() -> None:
    with pytest.raises(UserError, match="evaluation only") as caught:
        prepare_splits(DataSettings(train="humaneval"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["", "APPS", "APPS/train"])
def test_apps_in_the_original_layout(place: str, tmp_path: Path) -> None:
    write_apps(tmp_path / "APPS")
    rows = list(load_split("apps", "train", source=str(tmp_path / place)))
    assert [row["id"] for row in rows] == [f"apps/train/000{n}" for n in range(3)]
    assert rows[0] == {
        "id": "apps/train/0000",
        "domain": "code",
        "question": "Add in train 0.",
        "reference": '{"tests": [{"input": "1\\n2\\n", "output": "3\\n"}]}',
        "solution": "print(3)",
        "level": "introductory",
        "subject": "input",
        "split": "train",
    }
    assert rows[2]["question"] == "Add in train 2.\n\nComplete this code:\ndef add(a, b):"
    assert json.loads(rows[2]["reference"]) == {
        "entry_point": "add",
        "cases": [{"args": [1, 2], "expected": 3}, {"args": [3, [4]], "expected": [7]}],
    }


def test_apps_folder_of_one_split_is_not_the_other(tmp_path: Path) -> None:
    write_apps(tmp_path / "APPS")
    with pytest.raises(UserError, match="apps: no test split found"):
        list(load_split("apps", "test", source=str(tmp_path / "APPS" / "train")))


def test_the_fingerprint_tells_an_edit_of_a_question(tmp_path: Path) -> None:
    root = write_apps(tmp_path / "APPS")
    before = source_fingerprint(str(root))
    assert source_fingerprint(str(root)) == before
    (root / "train" / "0000" / "question.txt").write_text("Add in train 0, twice.\n")
    assert source_fingerprint(str(root)) != before


def test_broken_tests_in_the_layout_name_their_file_and_line(tmp_path: Path) -> None:
    root = write_apps(tmp_path)
    bad = root / "train" / "0001" / "input_output.json"
    bad.write_text('{\n "inputs": ["1"],\n "outputs" ["1"]\n}')
    with pytest.raises(UserError, match=r"0001/input_output\.json line 3: expected a JSON object"):
        list(load_split("apps", "train", source=str(root)))


def test_apps_lines_as_on_the_hub(tmp_path: Path) -> None:
    good = {"question": "Add.", "difficulty": "interview", "solutions": '["print(3)"]'}
    rows = [
        {**good, "problem_id": 7, "input_output": json.dumps(STREAM)},
        {**good, "id": 8, "solutions": "", "input_output": CALL},
        {**good, "problem_id": 9, "input_output": ""},
        {**good, "problem_id": 10, "input_output": "{}"},
        {**good, "problem_id": 11, "input_output": '{"inputs": [], "outputs": []}'},
        {**good, "problem_id": 12, "input_output": f'{{"inputs": [[{"9" * 5000}]]}}'},
        {**good, "problem_id": 13, "inputs": [["1", "2"]], "outputs": [["3", "4"]]},
        {**good, "problem_id": 14, "split": "test", **STREAM},
        {**good, "problem_id": 15, "fn_name": "f", "inputs": [[1], [2]], "outputs": [5, [6]]},
    ]
    left_out: Counter[tuple[str, str]] = Counter()
    path = write_lines(tmp_path / "a.jsonl", rows)
    found = list(load_split("apps", "train", source=path, left_out=left_out))
    assert [row["id"][-4:] for row in found] == ["0007", "0008", "0013", "0015"]
    assert [row["solution"] for row in found] == ["print(3)", "", "print(3)", "print(3)"]
    assert found[1]["question"] == "Add.\n\nWrite the function add."
    assert json.loads(found[2]["reference"])["tests"] == [{"input": "1\n2", "output": "3\n4"}]
    assert [case["expected"] for case in json.loads(found[3]["reference"])["cases"]] == [5, 6]
    assert left_out == {("interview", NO_TESTS): 3, ("interview", LONG_NUMBER): 1}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([[1], [2]], [1, 2]),
        ([[[1]], [[]]], [[1], []]),
        ([1, 2], [1, 2]),
        ([[1, 2], []], [[1, 2], []]),
        ([5, [6]], [5, 6]),
        ([5, [[6]]], [5, [6]]),
        ([[1, 2], [6]], [[1, 2], [6]]),
        ([[1, 2], [[6]]], [[1, 2], [6]]),
        ([[], ["a"]], [[], ["a"]]),
        ([-1, [1, 2], [6]], [-1, [1, 2], [6]]),
        ([[[1], [2]], [[3]]], [[[1], [2]], [[3]]]),
        ([[[1], [2]], [[[3]]]], [[[1], [2]], [[3]]]),
        ([None, [None]], [None, None]),
    ],
)
def test_a_list_around_a_result_is_told_from_a_result(
    outputs: list, expected: list, tmp_path: Path
) -> None:
    row = {**GOOD["apps"], "fn_name": "f", "inputs": [[1]] * len(outputs), "outputs": outputs}
    (found,) = load_split("apps", "train", source=write_lines(tmp_path / "a.jsonl", [row]))
    assert [case["expected"] for case in json.loads(found["reference"])["cases"]] == expected


@pytest.mark.parametrize(
    ("name", "case"), MALFORMED, ids=lambda c: c if isinstance(c, str) else c["why"]
)
def test_a_malformed_row_names_file_line_and_field(name: str, case: dict, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [GOOD[name], None, case["row"]])
    with pytest.raises(UserError) as caught:
        list(load_split(name, "train" if name == "apps" else "test", source=path))
    message = str(caught.value)
    assert message.startswith(f"{path} line 3: field {case['field']!r}: expected ")
    assert "\n" not in message


def test_an_absent_difficulty_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [GOOD["apps"]])
    with pytest.raises(UserError, match=r"data\.difficulty: no train problem of apps has .* comp"):
        prepare_splits(DataSettings(train="apps", source=path, difficulty="competition"))
