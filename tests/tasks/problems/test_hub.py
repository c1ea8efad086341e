"""A data set's card cannot have other files read than its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.errors import UserError
from tasks.problems.hub import foreign_files, see_own_files
from tasks.problems.own.places import Where

CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: "{path}"
---
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "secret.jsonl").write_text('{"question": "q", "answer": "of the test"}\n')
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "own.jsonl").write_text('{"question": "q", "answer": "1"}\n')
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    return folder


@pytest.mark.parametrize("path", ["{outside}/secret.jsonl", "{outside}/*.jsonl", "link.jsonl"])
def test_a_card_that_names_files_of_this_machine_is_refused(
    data: Path, tmp_path: Path, path: str
) -> None:
    (data / "README.md").write_text(CARD.format(path=path.format(outside=tmp_path)))
    with pytest.raises(UserError, match="no file of its own"):
        see_own_files(str(data), None)
    with pytest.raises(UserError, match=r"^data\.source: .*no file of its own"):
        list(Where(str(data)).hub_parts())


def test_a_card_that_names_its_own_files_is_read(data: Path) -> None:
    (data / "README.md").write_text(CARD.format(path="own.jsonl"))
    [part] = Where(str(data)).hub_parts()
    assert [row.data["answer"] for row in part.records] == ["1"]


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("hf://datasets/a/b@0123/train.parquet", True),
        ("zip://x.csv::hf://datasets/a/b@0123/data.zip", True),
        ("hf://datasets/a/other@0123/train.parquet", False),
        ("hf://datasets/a/b@0123/../../c/d@0/x.parquet", False),
        ("hf://datasets/a/b@0123/x::/etc/passwd", False),
        ("https://evil.example/train.parquet", False),
        ("/etc/passwd", False),
    ],
)
def test_files_of_the_repository_alone(file: str, own: bool) -> None:
    builder = SimpleNamespace(config=SimpleNamespace(data_files={"train": [file]}))
    assert (foreign_files(builder, "a/b") == []) is own
