"""A data set's card cannot have other files read than its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.errors import UserError
from tasks.hub import Repository
from tasks.problems.hub import foreign_files, hub_data
from tasks.problems.own.places import Where

CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: "{path}"
---
"""


COMMIT = "0123456789" * 4


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the Hub's cache has of a/b, on a machine without a network."""
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "secret.jsonl").write_text('{"question": "q", "answer": "of the test"}\n')
    folder = tmp_path / "hub" / "datasets--a--b" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (tmp_path / "hub" / "datasets--a--b" / "refs").mkdir()
    (tmp_path / "hub" / "datasets--a--b" / "refs" / "main").write_text(COMMIT)
    (folder / "own.jsonl").write_text('{"question": "q", "answer": "1"}\n')
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    return folder


@pytest.mark.parametrize("path", ["{outside}/secret.jsonl", "{outside}/*.jsonl", "link.jsonl"])
def test_a_card_that_names_files_of_this_machine_is_refused(
    data: Path, tmp_path: Path, path: str
) -> None:
    (data / "README.md").write_text(CARD.format(path=path.format(outside=tmp_path)))
    with pytest.raises(UserError, match="no file of its own"):
        hub_data(Repository("a/b", kind="dataset")).see_own_files(None)
    with pytest.raises(UserError, match=r"^data\.source: .*no file of its own"):
        list(Where("a/b").hub_parts())


def test_a_card_that_names_its_own_files_is_read(data: Path) -> None:
    (data / "README.md").write_text(CARD.format(path="own.jsonl"))
    [part] = Where("a/b").hub_parts()
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
