"""A data set of the Hub is one commit of it, noted, and found where there is no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dag.step import perform
from tasks.errors import UserError
from tasks.hub import Repository, noting_commits
from tasks.problems.hub import fetch_file
from tasks.problems.step import benchmark_call, load_splits, problems_call
from tasks.settings import DataSettings, MoreData
from tasks.store.store import ArtifactRef
from tests.flows.api.hub_server import Hub
from tests.tasks.hub.hub_parts import DATA, Home, data_files, reading

pytestmark = pytest.mark.engine

OLD, NEW = data_files("1 and 6", "2 and 5", "6 and 1"), data_files("1 and 6", "5 and 2", "4 and 3")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with reading(tmp_path / "cache", monkeypatch) as found:
        yield found


class Problems(Home):
    """Reads problems into a store of its own."""

    def read(self, **data: object) -> ArtifactRef:
        settings = DataSettings.model_validate({"validation": 0, **data})
        return perform(problems_call(settings), self.runtime)

    def commits(self, ref: ArtifactRef) -> dict[str, str] | None:
        return self.store.manifest(ref).stats.commits

    def asked(self, ref: ArtifactRef, split: str = "train") -> set[str]:
        return {row["question"] for row in load_splits(self.store.path(ref))[split]}


OWN, NAMED = {"train": "file"}, {"train": "gsm8k"}


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (OWN | {"source": "me/sums"}, "main"),
        (OWN | {"source": "me/sums@v1"}, "v1"),
        (OWN | {"source": "me/sums", "revision": "v1"}, "v1"),
        (NAMED | {"source": "me/sums@v1"}, "v1"),
        (NAMED | {"source": "me/sums"}, "main"),
    ],
    ids=str,
)
def test_the_commit_that_was_read_is_noted(
    hub: Hub, tmp_path: Path, data: dict[str, str], label: str
) -> None:
    commits = {"v1": hub.release(DATA, OLD, "v1"), "main": hub.release(DATA, NEW, "main")}
    home = Problems(tmp_path)
    ref = home.read(**data)
    assert home.commits(ref) == {f"datasets/me/sums@{label}": commits[label]}
    assert ("2 and 5?" in home.asked(ref)) == (label == "v1")


def test_train_test_and_further_sets_may_each_name_a_revision(hub: Hub, tmp_path: Path) -> None:
    old, new = hub.release(DATA, OLD, "v1"), hub.release(DATA, NEW, "main")
    other = hub.release("datasets/me/more", data_files("7 and 0"), "v2")
    home = Problems(tmp_path)
    more = MoreData(source="me/more@v2").model_dump()
    ref = home.read(**OWN, source="me/sums@v1", more=[more])
    assert home.commits(ref) == {"datasets/me/sums@v1": old, "datasets/me/more@v2": other}
    ref = home.read(**NAMED, source="me/sums", test="file", test_source="me/sums@v1")
    assert home.commits(ref) == {"datasets/me/sums@main": new, "datasets/me/sums@v1": old}


def test_a_benchmark_may_name_a_revision(hub: Hub, tmp_path: Path) -> None:
    commit = hub.release(DATA, OLD, "v1")
    home = Problems(tmp_path)
    ref = perform(benchmark_call("gsm8k", "me/sums@v1", 0, 0), home.runtime)
    assert home.commits(ref) == {"datasets/me/sums@v1": commit}


def test_one_file_of_a_data_set_is_of_the_commit_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repository("me/sums", "v1", "dataset")
    with reading(tmp_path / "cache", monkeypatch) as hub:
        commit = hub.release(DATA, OLD, "v1")
        hub.release(DATA, NEW, "main")
        with noting_commits() as commits:
            assert Path(fetch_file(repo, "train.jsonl")).read_bytes() == OLD["train.jsonl"]
        assert commits == {repo.label: commit}
    assert Path(fetch_file(repo, "train.jsonl")).read_bytes() == OLD["train.jsonl"]


def test_keys_hold_what_they_held(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTEM_DATA", raising=False)
    call = problems_call(DataSettings(train="file", source="me/sums", revision="v1"))
    assert call.settings["sources"] == ["hub:me/sums", "hub:"]
    assert call.settings["revision"] == "v1"


def test_the_id_and_the_field_cannot_name_two_revisions(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.source: me/sums@v1 names .* data\.revision \(v2"):
        Problems(tmp_path).read(**OWN, source="me/sums@v1", revision="v2")


@pytest.mark.parametrize("data", [OWN, NAMED], ids=str)
def test_a_node_without_a_network_reads_the_commit_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, str]
) -> None:
    online, offline = Problems(tmp_path / "one"), Problems(tmp_path / "two")
    with reading(tmp_path / "cache", monkeypatch) as hub:
        old, new = hub.release(DATA, OLD, "v1"), hub.release(DATA, NEW, "main")
        refs = [online.read(**data, source=f"me/sums{named}") for named in ("@v1", "")]
    for named, commit, ref in (("@v1", old, refs[0]), ("", new, refs[1]), (f"@{old}", old, None)):
        found = offline.read(**data, source=f"me/sums{named}")
        assert [*(offline.commits(found) or {}).values()] == [commit]
        assert ref is None or found == ref


def test_neither_hub_nor_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(tmp_path / "cache", monkeypatch):
        pass
    with pytest.raises(UserError, match=r"^data\.source: me/sums.* could not be read") as caught:
        Problems(tmp_path).read(**OWN, source="me/sums@v1")
    assert "\n" not in str(caught.value)
