"""Rollouts of other tools: what each form gives, and the line that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.api.imports.forms import rollouts_of
from flows.api.imports.imports import PROBLEMS_LINES, Imported, import_rollouts
from tasks.errors import UserError
from tasks.problems.source import Record
from tasks.rows import ROLLOUTS_FILE, read_rows

CASES = json.loads((Path(__file__).parent / "rollout_lines.json").read_text())
LINE = {"question": "2+3?", "completion": "5", "reference": "5", "score": 1.0}


def named(case: dict[str, Any]) -> str:
    return case["what"]


def lines(folder: Path, *rows: Any) -> Path:
    path = folder / "rollouts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("case", CASES["read"], ids=named)
def test_a_line_gives_its_rollouts(case: dict[str, Any]) -> None:
    form, found = rollouts_of(Record(case["line"], "x.jsonl", 1))
    assert form == case["form"]
    assert len(found) == len(case["rollouts"])
    for one, wanted in zip(found, case["rollouts"], strict=True):
        assert {name: getattr(one, name) for name in wanted} == wanted


@pytest.mark.parametrize("case", CASES["refused"], ids=named)
def test_a_malformed_line_is_said_with_file_line_and_field(
    case: dict[str, Any], tmp_path: Path, home: Path
) -> None:
    path = lines(tmp_path, LINE, case["line"])
    with pytest.raises(UserError) as said:
        import_rollouts(path, "mine")
    assert f"{path} line 2: field '{case['field']}': expected" in str(said.value)
    assert case["expected"] in str(said.value)
    assert list((home / "imports").iterdir()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "output", "input", "question"])
            | st.text(max_size=2),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("question", "prompt", "completion", "completions", "score", "scores", "reference", "id"),
        *("doc", "resps", "metrics", "target", "responses_create_params", "response", "finish"),
    ]
)


@given(st.dictionaries(FIELDS, JSON, max_size=8))
def test_any_object_is_read_or_refused_in_a_line(row: dict[str, Any]) -> None:
    try:
        _, found = rollouts_of(Record(row, "x.jsonl", 1))
    except UserError as error:
        assert str(error).startswith("x.jsonl line 1: field ")
    else:
        assert all(one.question.strip() for one in found)


def test_what_is_imported_is_kept_with_its_problems(tmp_path: Path, home: Path) -> None:
    again = {"question": " 2+3?\n", "completion": "6", "score": 0}
    other = {"question": "What else?", "completions": ["a", "b"]}
    found = import_rollouts(lines(tmp_path, LINE, again, other), "mine")
    assert (found.rollouts, found.questions, found.scores, found.problems) == (4, 2, 2, 1)
    rows = list(read_rows(home / "imports" / "mine" / ROLLOUTS_FILE))
    assert [row["text"] for row in rows] == ["5", "6", "a", "b"]
    assert rows[0]["key"] == rows[1]["key"] != rows[2]["key"]
    [problem] = (home / "imports" / "mine" / PROBLEMS_LINES).read_text().splitlines()
    assert json.loads(problem)["reference"] == "5"


def test_answers_that_lm_eval_wrote_for_two_filters_count_once(tmp_path: Path) -> None:
    row = {"doc_id": 1, "doc": {"question": "2+3?"}, "resps": [["5"]], "target": "5"}
    strict, loose = ({**row, "filter": name} for name in ("strict-match", "flexible-extract"))
    found = import_rollouts(lines(tmp_path, strict, loose), "mine")
    assert (found.rollouts, found.repeated) == (1, 1)


def test_the_same_import_again_is_no_mistake_and_another_one_is(tmp_path: Path, home: Path) -> None:
    first = import_rollouts(lines(tmp_path, LINE), "mine")
    assert import_rollouts(lines(tmp_path, LINE), "mine") == first
    with pytest.raises(UserError, match="expected another one"):
        import_rollouts(lines(tmp_path, LINE, LINE), "mine")
    assert Imported.read(home / "imports" / "mine") == first


@pytest.mark.parametrize("score", [None, 1.5, -1])
def test_scores_that_are_kept_are_rewards(tmp_path: Path, score: float | None) -> None:
    path = lines(tmp_path, {**LINE, "score": score})
    import_rollouts(path, "graded-again")
    with pytest.raises(UserError, match="line 1: field 'score': expected a score from 0 to 1"):
        import_rollouts(path, "kept", keep_scores=True)


@pytest.mark.parametrize("name", ["", "Mine", "../mine", "a/b", "a:b", "-x", "x" * 65])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="expected a name"):
        import_rollouts(lines(tmp_path, LINE), name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"a,b", "expected a .jsonl"),
        ("none.jsonl", None, "expected a .jsonl"),
        ("x.jsonl", b"", "it has no rollout"),
        ("x.jsonl", b"{", "line 1: expected a JSON object"),
        ("x.jsonl", b"\xff\xfe", "line 1: expected UTF-8"),
        ("x.jsonl.gz", b"no gzip", "cannot be read"),
        ("x.parquet", b"no parquet", "it is no Parquet file"),
    ],
)
def test_a_file_that_is_none_is_said(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        import_rollouts(tmp_path / name, "mine")
