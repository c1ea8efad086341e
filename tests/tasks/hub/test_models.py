"""A base policy of the Hub is one commit of it, noted, and found where there is no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dag.step import perform
from tasks.errors import UserError
from tasks.hub import moved_since
from tasks.policy.step import base_call
from tasks.settings import ModelSettings
from tasks.store.store import ArtifactRef
from tests.flows.api.hub_server import Hub
from tests.tasks.hub.hub_parts import MODEL, Home, model_files, reading

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return model_files(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with reading(tmp_path / "cache", monkeypatch) as found:
        yield found


class Models(Home):
    """Brings base policies into a store of its own."""

    def made(self, base: str, **settings: str) -> ArtifactRef:
        return perform(base_call(ModelSettings(base=base, **settings)), self.runtime)

    def commits(self, ref: ArtifactRef) -> dict[str, str] | None:
        return self.store.manifest(ref).stats.commits


def test_the_commit_of_a_branch_is_noted_and_the_key_holds_its_name(
    hub: Hub, files: dict[str, bytes], tmp_path: Path
) -> None:
    commit = hub.release(MODEL, files, "main")
    call = base_call(ModelSettings(base="me/tiny"))
    assert call.settings == {"base": "me/tiny", "source": "hub:me/tiny@main"}  # as ever
    home = Models(tmp_path)
    ref = perform(call, home.runtime)
    assert home.commits(ref) == {"me/tiny@main": commit}
    there = {one.name for one in home.store.path(ref).iterdir()}
    assert {"config.json", "model.safetensors", "notes.txt"} <= there
    assert "README.md" not in there
    resolved = [path for path in hub.asked if "/resolve/" in path]
    assert resolved and all(f"/resolve/{commit}/" in path for path in resolved)


@pytest.mark.parametrize(
    "named",
    [{"base": "me/tiny@v1"}, {"base": "me/tiny", "revision": "v1"}],
    ids=["in the id", "in the field"],
)
def test_a_revision_may_stand_behind_the_id_or_in_its_field(
    hub: Hub, files: dict[str, bytes], tmp_path: Path, named: dict[str, str]
) -> None:
    commit = hub.release(MODEL, files, "v1")
    hub.release(MODEL, files | {"notes.txt": b"newer"}, "main")
    assert base_call(ModelSettings(**named)).settings["source"] == "hub:me/tiny@v1"
    home = Models(tmp_path)
    assert home.commits(home.made(**named)) == {"me/tiny@v1": commit}


def test_a_commit_may_be_named_itself(hub: Hub, files: dict[str, bytes], tmp_path: Path) -> None:
    commit = hub.release(MODEL, files, "main")
    hub.release(MODEL, files | {"notes.txt": b"newer"}, "main")
    home = Models(tmp_path)
    ref = home.made(f"me/tiny@{commit}")
    assert home.commits(ref) == {f"me/tiny@{commit}": commit}
    assert (home.store.path(ref) / "notes.txt").read_bytes() == b""
    assert moved_since({f"me/tiny@{commit}": commit}) == []


def test_two_revisions_at_once_are_refused() -> None:
    with pytest.raises(UserError, match=r"^model\.base: me/tiny@v1 names .* model\.revision \(v2"):
        base_call(ModelSettings(base="me/tiny@v1", revision="v2"))


def test_a_branch_that_moved_is_said_and_changes_nothing(
    hub: Hub, files: dict[str, bytes], tmp_path: Path
) -> None:
    before = hub.release(MODEL, files, "main")
    home = Models(tmp_path)
    ref = home.made("me/tiny")
    assert moved_since(home.commits(ref) or {}) == []
    now = hub.release(MODEL, files | {"notes.txt": b"newer"}, "main")
    assert home.made("me/tiny") == ref
    [said] = moved_since(home.commits(ref) or {})
    assert said.startswith(f"me/tiny@main was {before} when it was read, and is {now} now")
    assert f"me/tiny@{now}" in said


def test_a_revision_that_the_hub_has_not_is_one_line(
    hub: Hub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.release(MODEL, files, "main")
    with pytest.raises(UserError, match=r"^model\.base: me/tiny@v9: the Hub has no such revision"):
        Models(tmp_path).made("me/tiny@v9")


def test_a_node_without_a_network_takes_what_the_cache_has(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online, offline = Models(tmp_path / "one"), Models(tmp_path / "two")
    with reading(tmp_path / "cache", monkeypatch) as hub:
        commit = hub.release(MODEL, files, "main")
        ref = online.made("me/tiny")
    found = offline.made("me/tiny")  # nobody listens there any more
    assert found == ref
    assert offline.commits(found) == {"me/tiny@main": commit}
    named = offline.made(f"me/tiny@{commit}")
    assert named.digest == ref.digest


def test_what_another_program_put_into_the_cache_serves_too(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import snapshot_download

    with reading(tmp_path / "cache", monkeypatch) as hub:
        commit = hub.release(MODEL, files, "main")
        snapshot_download("me/tiny")
    home = Models(tmp_path)
    assert home.commits(home.made("me/tiny")) == {"me/tiny@main": commit}


@pytest.mark.parametrize("lacking", ["model.safetensors", "config.json"])
def test_half_a_model_in_the_cache_is_refused(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    from huggingface_hub import snapshot_download

    with reading(tmp_path / "cache", monkeypatch) as hub:
        hub.release(MODEL, files, "main")
        folder = Path(snapshot_download("me/tiny"))
    (folder / lacking).unlink()
    shutil.rmtree(tmp_path / "cache" / "hub" / "models--me--tiny" / "trees", ignore_errors=True)
    with pytest.raises(UserError, match=r"^model\.base: me/tiny@") as caught:
        Models(tmp_path).made("me/tiny")
    assert "hf download me/tiny" in str(caught.value) and "\n" not in str(caught.value)


def test_neither_hub_nor_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(tmp_path / "cache", monkeypatch):
        pass
    with pytest.raises(
        UserError, match=r"^model\.base: me/tiny@main could not be loaded"
    ) as caught:
        Models(tmp_path).made("me/tiny")
    assert "hf download" in str(caught.value) and "\n" not in str(caught.value)
