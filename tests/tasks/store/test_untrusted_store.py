"""A store is data: what others put there is damage, said and healed, and never obeyed."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.store import listing, verify_store
from tasks.store.manifest import digest_of
from tasks.store.store import MANIFEST, ArtifactRef, Damage, Store
from tests.tasks.store.hostile import BROKEN, CLAIMS, KEY, KIND, Claim, Site, escaped, put

OTHER = "fedcba9876543210"


@pytest.fixture(params=["folder", "file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    places = {"folder": tmp_path / "store", "file": f"file://{tmp_path}/store"}
    return str(places.get(request.param, f"memory://restem-{uuid.uuid4().hex}"))


@pytest.fixture
def site(address: str, tmp_path: Path) -> Site:
    """A store with two artifacts, of which a test damages the first."""
    store = Store(address, cache=tmp_path / "maker")
    put(store)
    put(store, KIND, OTHER)
    return Site(address)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """The folder of an artifact in a local store, with a folder outside that must stay whole."""
    store = Store(str(tmp_path / "store"), cache=tmp_path / "maker")
    put(store)
    put(store, KIND, OTHER)
    outside = tmp_path / "outside"
    (outside / KEY).mkdir(parents=True)
    (outside / KEY / "precious").write_text("mine")
    yield tmp_path / "store" / KIND / KEY
    assert (outside / KEY / "precious").read_text() == "mine"


def see_damage_and_healing(address: str, cache: Path, said: str) -> None:
    """The artifact is damage, listings go on to the next one, and a run builds it again."""
    store = Store(address, cache=cache)
    with pytest.raises(Damage, match=said) as found:
        store.path(store.lookup(KIND, KEY) or ArtifactRef(KIND, "none", "", 0))
    text = str(found.value)
    assert KEY in text and text.isprintable() and len(text) < 1000
    verified = verify_store(address)
    assert verified.whole == 1 and len(verified.damaged) == 1
    assert [row.key for row in listing(address) if row.key == OTHER and row.label == ""]
    store.discard(KIND, KEY)
    put(store)
    again = Store(address, cache=cache)
    ref = again.lookup(KIND, KEY)
    assert ref is not None and (again.path(ref) / "a.txt").read_text() == "payload"
    assert verify_store(address).whole == 2


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_false_claim_is_damage(site: Site, address: str, tmp_path: Path, claim: Claim) -> None:
    site.change(claim.change, honest=claim.honest)
    see_damage_and_healing(address, tmp_path / "reader", claim.said)
    assert escaped(tmp_path) == []


def test_a_named_file_outside_is_never_written(tmp_path: Path) -> None:
    """The payload is there and right, so only the name can stop the download."""
    address = f"memory://restem-{uuid.uuid4().hex}"
    put(Store(address, cache=tmp_path / "maker"))
    site = Site(address)
    site.change(lambda m: m["files"][0].update(name="../../../../escaped"))
    site.write(f"{site.payload()}/../../../../escaped", b"payload")
    reader = Store(address, cache=tmp_path / "reader" / "cache")
    with pytest.raises(Damage, match="expected a relative path inside"):
        reader.path(reader.lookup(KIND, KEY) or ArtifactRef(KIND, KEY, "", 0))
    assert escaped(tmp_path) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_manifest_is_damage(site: Site, address: str, tmp_path: Path, name: str) -> None:
    site.write(f"{KIND}/{KEY}/{MANIFEST}", BROKEN[name])
    see_damage_and_healing(address, tmp_path / "reader", MANIFEST)


@pytest.mark.parametrize("name", ["more.txt", "deep/more.bin", ".hidden", "x/y/z", "\x1b[2J"])
def test_a_file_that_no_manifest_names_is_damage(
    site: Site, address: str, tmp_path: Path, name: str
) -> None:
    site.write(f"{site.payload()}/{name}", b"")
    see_damage_and_healing(address, tmp_path / "reader", "is not in its manifest")


def test_a_payload_whose_tags_agree_and_content_does_not_is_built_again(tmp_path: Path) -> None:
    """Sizes and ETags are the writers' word too; what is read is hashed."""
    address = f"memory://restem-{uuid.uuid4().hex}"
    put(Store(address, cache=tmp_path / "maker"))
    site = Site(address)
    reader = Store(address, cache=tmp_path / "reader")
    ref = reader.lookup(KIND, KEY)
    assert ref is not None
    site.write(f"{site.payload()}/a.txt", b"PAYLOAD")
    fresh = Store(address, cache=tmp_path / "fresh")
    with pytest.raises(Damage, match=r"a\.txt does not match"):
        fresh.path(fresh.lookup(KIND, KEY) or ref)
    with pytest.raises(Damage, match=r"a\.txt does not match"):
        Store(address, cache=tmp_path / "fresh").lookup(KIND, KEY)


def test_uploads_beside_the_one_that_counts_are_no_damage(tmp_path: Path) -> None:
    address = f"memory://restem-{uuid.uuid4().hex}"
    put(Store(address, cache=tmp_path / "maker"))
    Site(address).write(f"{KIND}/{KEY}/0123456789ab/half.bin", b"half")
    assert Store(address, cache=tmp_path / "reader").lookup(KIND, KEY) is not None


def test_a_local_store_that_was_copied_far_away_is_whole(tmp_path: Path) -> None:
    put(Store(str(tmp_path / "store"), cache=tmp_path / "maker"))
    address = f"memory://restem-{uuid.uuid4().hex}"
    site = Site(address)
    for path in (tmp_path / "store" / KIND).rglob("*"):
        if path.is_file():
            site.write(str(path.relative_to(tmp_path / "store")), path.read_bytes())
    site.write(f"{KIND}/{KEY}/0123456789ab/half.bin", b"an upload under way")
    reader = Store(address, cache=tmp_path / "reader")
    ref = reader.lookup(KIND, KEY)
    assert ref is not None and (reader.path(ref) / "a.txt").read_text() == "payload"


LINKS = {
    "a payload file": ("a.txt", "outside/KEY/precious"),
    "a folder of the payload": ("deep", "outside"),
    "one more name": ("more", "/etc/passwd"),
    "a loop": ("loop", "loop"),
    "to nothing": ("more", "nowhere"),
    "the manifest": (MANIFEST, "store/model/fedcba9876543210/manifest.json"),
    "a loop for a manifest": (MANIFEST, MANIFEST),
}


@pytest.mark.parametrize("case", LINKS)
def test_a_link_in_an_artifact_is_damage(place: Path, tmp_path: Path, case: str) -> None:
    name, target = LINKS[case]
    path = place / name
    if path.is_dir():
        (path / "b.bin").unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    loop = target == name
    path.symlink_to(target if loop else tmp_path / target.replace("KEY", KEY))
    see_damage_and_healing(str(tmp_path / "store"), tmp_path / "reader", "is a link|cannot be read")


def test_an_artifact_that_is_a_link_is_damage_and_its_target_stays(
    place: Path, tmp_path: Path
) -> None:
    away = tmp_path / "outside" / "whole"
    place.rename(away)
    place.symlink_to(away)
    see_damage_and_healing(str(tmp_path / "store"), tmp_path / "reader", f"{KEY} is a link")
    assert (away / "a.txt").read_text() == "payload"


def test_a_kind_that_is_a_link_is_damage_and_its_target_stays(place: Path, tmp_path: Path) -> None:
    away = tmp_path / "outside" / KIND
    place.parent.rename(away)
    place.parent.symlink_to(away)
    store = Store(str(tmp_path / "store"), cache=tmp_path / "reader")
    with pytest.raises(Damage, match=f"{KIND} is a link"):
        store.lookup(KIND, KEY)
    [line] = verify_store(str(tmp_path / "store")).damaged
    assert f"{KIND} is a link" in line
    assert listing(str(tmp_path / "store")) == []
    store.discard(KIND, KEY)
    put(store)
    assert Store(str(tmp_path / "store"), cache=tmp_path / "x").lookup(KIND, KEY) is not None
    assert sorted(p.name for p in away.iterdir()) == sorted([KEY, OTHER])


@pytest.mark.parametrize("what", ["artifact", "kind"])
def test_a_commit_goes_through_no_link(place: Path, tmp_path: Path, what: str) -> None:
    store = Store(str(tmp_path / "store"), cache=tmp_path / "reader")
    away = tmp_path / "outside" / "away"
    linked = place if what == "artifact" else place.parent
    with store.draft(KIND, KEY) as draft:
        (draft.path / "a.txt").write_text("ours")
        linked.rename(away)
        linked.symlink_to(away)
        before = sorted(away.rglob("*"))
    ref = store.lookup(KIND, KEY)
    assert ref is not None and (store.path(ref) / "a.txt").read_text() == "ours"
    assert sorted(away.rglob("*")) == before and not linked.is_symlink()
    assert list((tmp_path / "store" / ".drafts").iterdir()) == []


def test_a_link_to_outside_is_never_deleted_through(place: Path, tmp_path: Path) -> None:
    (place / "deep" / "out").symlink_to(tmp_path / "outside")
    Store(str(tmp_path / "store"), cache=tmp_path / "reader").discard(KIND, KEY)
    assert not place.exists()


@pytest.mark.parametrize("name", ["a.txt", MANIFEST, "more"])
@pytest.mark.parametrize("what", ["pipe", "socket", "folder"])
def test_what_is_no_plain_file_is_never_opened(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    (place / name).unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(place / name)  # to open it would wait for ever
    elif what == "socket":
        monkeypatch.chdir(place)  # paths of sockets are short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
        monkeypatch.undo()
        monkeypatch.setenv("RESTEM_HOME", str(tmp_path / "home"))
    else:
        (place / name).mkdir()
        (place / name / "x").write_text("x")
    see_damage_and_healing(
        str(tmp_path / "store"),
        tmp_path / "reader",
        "expected a plain file|is not in its manifest|is missing",
    )


@pytest.mark.parametrize("what", ["file", "pipe"])
def test_a_file_in_the_place_of_an_artifact_is_damage(
    place: Path, tmp_path: Path, what: str
) -> None:
    place.rename(tmp_path / "gone")
    place.write_text("x") if what == "file" else os.mkfifo(place)
    see_damage_and_healing(str(tmp_path / "store"), tmp_path / "reader", "expected a folder")


@pytest.mark.parametrize("name", ["a b", "x\x1b[31m", "x~y", "é", "*", "\udcff", "-rf"])
def test_a_folder_of_no_good_name_is_damage_and_goes_alone(
    place: Path, tmp_path: Path, name: str
) -> None:
    address = str(tmp_path / "store")
    (place.parent / name).mkdir()
    (place.parent / name / MANIFEST).write_text("{}")
    found = verify_store(address)
    assert found.whole == 2 and len(found.damaged) == 1 and found.damaged[0].isprintable()
    assert all(row.key.isprintable() for row in listing(address))
    Store(address, cache=tmp_path / "x").discard(KIND, name)
    assert verify_store(address).whole == 2 and not (place.parent / name).exists()


def test_a_far_folder_whose_name_is_a_pattern_goes_alone(tmp_path: Path) -> None:
    address = f"memory://restem-{uuid.uuid4().hex}"
    store = Store(address, cache=tmp_path / "maker")
    put(store)
    site = Site(address)
    site.write(f"{KIND}/*/{MANIFEST}", b"{}")
    assert [len(verify_store(address).damaged), verify_store(address).whole] == [1, 1]
    store.discard(KIND, "*")
    assert verify_store(address).whole == 1
    assert [name for name in site.names() if "*" in name] == []


@pytest.mark.parametrize("kind", ["..", "../outside", "model/..", "", ".", "/etc", "a\0b"])
def test_no_name_of_a_kind_leads_out(place: Path, tmp_path: Path, kind: str) -> None:
    store = Store(str(tmp_path / "store"), cache=tmp_path / "reader")
    for use in (
        lambda: store.lookup(kind, KEY),
        lambda: store.read_manifest(kind, KEY),
        lambda: store.path(ArtifactRef(kind, KEY, "", 0)),
    ):
        with pytest.raises(Damage, match="is no name of a kind"):
            use()
    with pytest.raises(ValueError, match="no name in a store"):
        store.discard(kind, KEY)


def test_a_label_is_listed_without_what_a_terminal_obeys(site: Site, address: str) -> None:
    made = {
        "step": "s",
        "version": 1,
        "label": "\x1b]0;owned\x07\x9b2J\nx",
        "settings": {},
        "inputs": {},
        "context": {},
        "hints": {},
    }
    site.change(lambda m: m["stats"].update(provenance=made))
    [row] = [row for row in listing(address) if row.key == KEY]
    assert row.label == r"\x1b]0;owned\x07\x9b2J\nx"


def test_a_field_that_is_not_known_is_passed_over(site: Site, address: str, tmp_path: Path) -> None:
    site.change(lambda m: m.update(later={"x": [1]}))
    assert Store(address, cache=tmp_path / "reader").lookup(KIND, KEY) is not None


def test_a_manifest_that_nobody_would_read_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.store.signing.MANIFEST_BYTES", 100)
    store = Store(str(tmp_path / "store"), cache=tmp_path / "x")
    with pytest.raises(Exception, match="expected at most 100: take larger shards"):
        put(store)
    assert store.lookup(KIND, KEY) is None


def test_a_manifest_of_before_is_read_byte_for_byte(site: Site, address: str) -> None:
    """What this version writes without a key has the form that it had."""
    found = site.manifest()
    raw = json.dumps({**found, "check": digest_of(found)}, indent=1, sort_keys=True).encode()
    assert site.fs.cat_file(f"{site.root}/{KIND}/{KEY}/{MANIFEST}") == raw
    assert "signature" not in found
