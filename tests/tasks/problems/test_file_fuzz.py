"""Whatever stands in a file: it is read, or refused in one line, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.own.load import OwnProblems
from tasks.rows import PROBLEM, write_rows
from tasks.settings import DataSettings

Rows = list[dict[str, Any]]
UNUSED = re.compile(r"(\d+) of (\d+) validation problems are used")
DOMAINS = ["math", "text", "choice", "code"]
SAID = (
    *("1", "A", "(b)", " ", "nan", r"\boxed{2}", r"\boxed{", "#### 3", "train", "dev", "test"),
    *("assert f(1) == 2", r"assert f('\ud800')", "def check(candidate):\n    assert candidate(1)"),
    *('{"inputs": ["1"], "outputs": ["2"]}', '{"inputs": [[1]], "outputs": [2], "fn_name": "f"}'),
    *('["x", "y"]', '{"text": ["x", "y"], "label": ["1", "2"]}', "[" * 3000),
)
TEXTS = st.text(max_size=20) | st.sampled_from(SAID)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = ["question", "answer", "solution", "tests", "entry_point", "starter_code", "options"]
NAMES += ["level", "subject", "id", "split"]
RIGHT = {"answer": "A", "tests": '["assert f(1) == 2"]', "split": "train"}


def nearly_right(rows: Rows) -> Rows:
    """Rows that are right but for what was drawn, at most one column of each for most."""
    return [{"question": f"q{number}", **RIGHT, **row} for number, row in enumerate(rows)]


ROWS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), VALUES | TEXTS, max_size=2), min_size=2, max_size=6
).map(nearly_right)


def names_in(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def json_lines(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def packed(path: Path, rows: Rows) -> None:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def array(path: Path, rows: Rows) -> None:
    path.write_text(json.dumps(rows))


def table(path: Path, rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        writer = csv.DictWriter(file, names_in(rows))
        writer.writeheader()
        writer.writerows(rows)


def parquet(path: Path, rows: Rows) -> None:
    """With columns of one type each, as Parquet has them; text where values are of several."""
    columns = {}
    for name in names_in(rows):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError):
            columns[name] = pa.array([json.dumps(value) for value in values])
    with contextlib.suppress(pa.ArrowException):  # an object without fields has no form there
        pq.write_table(pa.table(columns), path)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "a.jsonl": json_lines,
    "a.jsonl.gz": packed,
    "a.json": array,
    "a.csv": table,
    "a.parquet": parquet,
}


def read(path: Path, domain: str) -> int | None:
    """How many problems are read, or said to be left; None where the file is refused."""
    own: list[OwnProblems] = []
    asked = {"train": "file", "source": str(path), "domain": domain, "validation": 0}
    try:
        made = prepare_splits(DataSettings.model_validate(asked), own=own)
    except UserError as error:
        assert "\n" not in str(error), error
        return None
    rows = [row for split in made.values() for row in split]
    write_rows(path.with_name("problems.parquet"), PROBLEM, rows)
    # A validation split is cut to data.validation, which here is 0.
    said = [UNUSED.fullmatch(note) for source in own for note in source.notes]
    return len(rows) + sum(int(one[2]) - int(one[1]) for one in said if one)


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", WRITERS)
@given(rows=ROWS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_rows_are_read_all_or_refused(name: str, domain: str, rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        WRITERS[name](path, rows)
        if path.exists():
            assert read(path, domain) in (None, len(rows))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_the_fuzzed_rows_begin_with_is_read(name: str, domain: str, tmp_path: Path) -> None:
    rows = nearly_right([{}] * 5)
    WRITERS[name](tmp_path / name, rows)
    assert read(tmp_path / name, domain) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "a.csv.gz"])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_bytes_of_any_kind_are_read_or_refused(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        read(path, "math")


@pytest.mark.slow
@given(place=st.integers(0, 2000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_changed_byte_of_parquet_is_read_or_refused(place: int, byte: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        parquet(path, [{"question": f"q{n}", "answer": n} for n in range(20)])
        content = bytearray(path.read_bytes())
        content[place % len(content)] = byte
        path.write_bytes(content)
        read(path, "math")
