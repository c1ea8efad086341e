"""Exported rows, samples and pairs are those of the store, as `datasets` reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flows.api.export import data as writing
from flows.api.export.export import export
from flows.api.export.source import read_source
from tasks.dag.shard_inputs import shards_of
from tasks.rows import ROWS_FILE, read_rows, text_digest
from tests.flows.conftest import Restem


def loaded(place: Path, tmp_path: Path) -> Any:
    """The export as `datasets` reads it."""
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(str(place), cache_dir=str(tmp_path / "cache"))["train"]


def test_rows_of_an_iteration_are_what_it_trained_on(there: Restem, tmp_path: Path) -> None:
    place = Path(export("latest:2", str(tmp_path / "rows"), data="rows"))
    source = read_source("latest:2")
    [(_, _, ref)] = source.selections()
    stored = list(read_rows(source.store.path(ref) / ROWS_FILE))
    found = loaded(place, tmp_path)
    for name in ("prompt", "completion", "problem_id", "index", "samples"):
        assert list(found[name]) == [row[name] for row in stored]
    assert set(found["iteration"]) == {2}


def test_every_sample_is_there_with_verdict_seed_and_digests(there: Restem, tmp_path: Path) -> None:
    place = Path(export("latest", str(tmp_path / "samples"), data="samples"))
    source = read_source("latest")
    stored = [
        (iteration, row["problem_id"], row["index"], row["text"], row["status"], row["seed"])
        for iteration, _, ref in source.selections()
        for shard in shards_of(source.store.manifest(ref).provenance.inputs)
        for row in shard.rows(source.store)
    ]
    found = loaded(place, tmp_path)
    names = ("iteration", "problem_id", "index", "completion", "status", "seed")
    columns = [list(found[name]) for name in names]
    assert list(zip(*columns, strict=True)) == stored
    assert len(stored) == 2 * 192 * 8
    made = {(row["iteration"], row["policy"]) for row in found}
    assert made == {(n + 1, source.policy(n).digest) for n in (0, 1)}
    assert all(text_digest(row["prompt"]) == row["prompt_digest"] for row in found)


def test_pairs_of_a_run_that_trained_on_rows_are_those_of_dpo(
    there: Restem, tmp_path: Path
) -> None:
    found = loaded(Path(export("latest:1", str(tmp_path / "pairs"), data="pairs")), tmp_path)
    samples = loaded(Path(export("latest:1", str(tmp_path / "all"), data="samples")), tmp_path)
    status = {(row["problem_id"], row["index"]): row["status"] for row in samples}
    sides = Counter(
        (status[row["problem_id"], row["index"]], status[row["problem_id"], row["rejected_index"]])
        for row in found
    )
    assert sides.total() == len(found) > 0
    assert {chosen for chosen, _ in sides} == {"correct"}
    assert {rejected for _, rejected in sides} <= {"wrong_answer", "no_answer"}


@pytest.mark.parametrize("most", [100, 192 * 8])
def test_many_rows_lie_in_several_files(
    there: Restem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(writing, "FILE_ROWS", most)
    place = Path(export("latest:1", str(tmp_path / "samples"), data="samples"))
    assert len(list((place / "data").iterdir())) == -(-192 * 8 // most)
    assert len(loaded(place, tmp_path)) == 192 * 8


def test_the_card_of_data_names_every_column(there: Restem, tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    place = Path(export("latest", str(tmp_path / "samples"), data="samples"))
    card = DatasetCard.load(place / "README.md")
    assert card.data.license == "apache-2.0"
    for name in loaded(place, tmp_path).column_names:
        assert f"| {name} |" in card.text


def test_the_same_thing_is_exported_to_the_same_bytes(there: Restem, tmp_path: Path) -> None:
    def content(name: str) -> list[bytes]:
        place = Path(export("latest:1", str(tmp_path / name / "x"), data="samples"))
        return [path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()]

    assert content("one") == content("two")
