"""The store: whole and verified, or not there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.paths import ROOT
from tasks.store.manifest import (
    ArtifactRef,
    FileEntry,
    Manifest,
    Provenance,
    Stats,
    digest_of,
    step_key,
)
from tasks.store.remote import Remote
from tasks.store.store import Damage, Store

KEY = "0123456789abcdef"


def make(address: str, cache: Path) -> Store:
    return Store(address, cache=cache)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make(str(tmp_path / "store"), tmp_path / "cache")


def put(store: Store, key: str = KEY, text: str = "payload", **stats: Any) -> None:
    with store.draft("kind", key) as draft:
        (draft.path / "a.txt").write_text(text)
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "b.bin").write_bytes(bytes(range(256)))
        (draft.path / "seconds.txt").write_text(str(stats))
        draft.volatile = {"seconds.txt"}
        draft.rows = 3
        draft.stats = Stats(**stats)


def test_what_is_committed_is_found_by_another_process_view(store: Store, tmp_path: Path) -> None:
    put(store)
    ref = make(str(tmp_path / "store"), tmp_path / "cache").lookup("kind", KEY)
    assert ref is not None
    assert (store.path(ref) / "a.txt").read_text() == "payload"
    assert ref.rows == 3


def test_equal_payloads_have_equal_digests_whatever_the_times(store: Store) -> None:
    put(store, "a", seconds=1.0)
    put(store, "b", seconds=2.0)
    put(store, "c", text="other")
    a, b, c = (store.lookup("kind", key) for key in "abc")
    assert a and b and c
    assert a.digest == b.digest != c.digest


def far_side(store: Store) -> Remote:
    assert store._remote is not None
    return store._remote


FILES = ["a.txt", "deep/b.bin", "seconds.txt", "manifest.json"]


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_found(store: Store, tmp_path: Path, name: str) -> None:
    put(store)
    path = tmp_path / "store" / "kind" / KEY / name
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 16)):
        broken = bytearray(whole)
        broken[position] ^= 1
        path.write_bytes(bytes(broken))
        with pytest.raises(Damage, match=name):
            make(str(tmp_path / "store"), tmp_path / "cache").lookup("kind", KEY)


@pytest.mark.parametrize("name", FILES)
def test_every_removed_file_is_found(store: Store, tmp_path: Path, name: str) -> None:
    put(store)
    (tmp_path / "store" / "kind" / KEY / name).unlink()
    with pytest.raises(Damage, match=name):
        make(str(tmp_path / "store"), tmp_path / "cache").lookup("kind", KEY)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("rows", None, "rows: None; expected int"),
        ("rows", "3", "rows: '3'; expected int"),
        ("files", {}, "files: {}; expected tuple"),
        ("files", ["a.txt"], "files: 0: 'a.txt'; expected FileEntry"),
        ("stats", {"tokens": 1.5}, "stats: tokens: 1.5; expected int"),
        ("stats", {"provenance": {"step": "score"}}, "stats: provenance: version is missing"),
    ],
)
def test_a_malformed_manifest_names_its_field(
    store: Store, tmp_path: Path, field: str, value: object, said: str
) -> None:
    put(store)
    path = tmp_path / "store" / "kind" / KEY / "manifest.json"
    raw = json.loads(path.read_bytes())
    del raw["check"]
    raw[field] = value
    path.write_text(json.dumps({**raw, "check": digest_of(raw)}))
    with pytest.raises(Damage, match=f"{KEY}: manifest.json: {re.escape(said)}"):
        make(str(tmp_path / "store"), tmp_path / "cache").lookup("kind", KEY)


def test_a_manifest_is_read_as_it_was_written() -> None:
    ref = ArtifactRef("samples", KEY, "d", 2)
    made = Provenance("score", 3, "score 1", {"a": [1]}, {"samples": ref}, {"problems": ref}, {})
    stats = Stats(seconds=1.0, tokens=0, parts={"start": 0.5}, provenance=made)
    files = (FileEntry("a", 1, "00", False), FileEntry("b", 0, "01", True, etag=""))
    manifest = Manifest("verdicts", KEY, "e", 2, files, stats, part="p")
    assert Manifest.from_bytes(manifest.to_bytes(), "x") == manifest
    raw = json.loads(manifest.to_bytes())
    assert set(raw["stats"]) == {"seconds", "tokens", "parts", "provenance"}
    assert "etag" not in raw["files"][0] and raw["files"][1]["etag"] == ""


def test_a_failed_draft_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), store.draft("kind", KEY) as draft:
        (draft.path / "a.txt").write_text("half")
        raise RuntimeError
    assert store.lookup("kind", KEY) is None
    assert list((tmp_path / "store" / ".drafts").iterdir()) == []


def test_a_killed_writer_leaves_a_draft_that_is_swept(store: Store, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tasks.store.store import Store\n"
        "with Store(sys.argv[1], cache=Path(sys.argv[1])).draft('kind', 'k') as d:\n"
        "    (d.path / 'a').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    address = str(tmp_path / "store")
    done = subprocess.run([sys.executable, "-c", code, address], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "store" / ".drafts").iterdir())) == 1
    assert store.lookup("kind", "k") is None
    assert store.sweep_drafts() == 1
    assert list((tmp_path / "store" / ".drafts").iterdir()) == []


def test_a_draft_at_work_is_not_swept(store: Store) -> None:
    with store.draft("kind", KEY) as draft:
        assert store.sweep_drafts() == 0
        assert draft.path.is_dir()


def test_two_writers_of_one_key_leave_one_whole_artifact(store: Store) -> None:
    with store.draft("kind", KEY) as first:
        (first.path / "a.txt").write_text("payload")
        with store.draft("kind", KEY) as second:
            (second.path / "a.txt").write_text("payload")
    ref = store.lookup("kind", KEY)
    assert ref is not None and os.listdir(store.path(ref)).count("a.txt") == 1


def test_a_damaged_artifact_is_replaced(store: Store, tmp_path: Path) -> None:
    put(store)
    (tmp_path / "store" / "kind" / KEY / "a.txt").write_text("damaged")
    again = make(str(tmp_path / "store"), tmp_path / "cache")
    put(again)
    assert make(str(tmp_path / "store"), tmp_path / "cache").lookup("kind", KEY) is not None


def test_a_store_without_renames_commits_by_its_manifest(tmp_path: Path) -> None:
    address = f"memory://restem-{tmp_path.name}"
    store = make(address, tmp_path / "cache")
    put(store)
    other = make(address, tmp_path / "other-cache")
    ref = other.lookup("kind", KEY)
    assert ref is not None
    assert (other.path(ref) / "deep" / "b.bin").read_bytes() == bytes(range(256))
    far_side(store).remove(f"kind/{KEY}/manifest.json")
    assert make(address, tmp_path / "third-cache").lookup("kind", KEY) is None


def test_a_remote_payload_that_lost_a_file_is_found(tmp_path: Path) -> None:
    address = f"memory://restem-lost-{tmp_path.name}"
    store = make(address, tmp_path / "cache")
    put(store)
    (part,) = far_side(store).folders(f"kind/{KEY}")
    far_side(store).remove(f"kind/{KEY}/{part}/a.txt")
    with pytest.raises(Damage, match=r"a\.txt is missing"):
        make(address, tmp_path / "fresh-cache").lookup("kind", KEY)


def test_keys_depend_on_everything_that_counts_and_nothing_else() -> None:
    base = step_key("s", 1, {"a": 1, "b": 2}, {"x": "d"})
    assert base == step_key("s", 1, {"b": 2, "a": 1}, {"x": "d"})
    others = {
        step_key("t", 1, {"a": 1, "b": 2}, {"x": "d"}),
        step_key("s", 2, {"a": 1, "b": 2}, {"x": "d"}),
        step_key("s", 1, {"a": 1, "b": 3}, {"x": "d"}),
        step_key("s", 1, {"a": 1, "b": 2}, {"x": "e"}),
        step_key("s", 1, {"a": 1, "b": 2}, {"y": "d"}),
    }
    assert base not in others and len(others) == 5
