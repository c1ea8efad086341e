"""Signed manifests: what the key's holders made is taken, all else is refused and left alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import uuid
from pathlib import Path

import pytest

from flows.runs.garbage import collect
from flows.runs.sign_store import sign_store
from flows.runs.store import listing, verify_store
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, find_artifact, perform, step
from tasks.errors import UserError
from tasks.settings import Resources
from tasks.store.signing import KEY_FILE
from tasks.store.store import Damage, Draft, Store
from tasks.store.untrusted import Refused
from tests.tasks.store.hostile import KEY, KIND, Site, put


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    folder = request.param == "folder"
    return str(tmp_path / "store") if folder else f"memory://restem-{uuid.uuid4().hex}"


def key_file(tmp_path: Path, name: str) -> str:
    path = tmp_path / name
    path.write_text(secrets.token_hex(32) + "\n")
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def ours(tmp_path: Path) -> str:
    return key_file(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    return key_file(tmp_path, "theirs")


def use(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_FILE, key) if key else monkeypatch.delenv(KEY_FILE, raising=False)


def store(address: str, tmp_path: Path) -> Store:
    return Store(address, cache=tmp_path / uuid.uuid4().hex / "cache")


def is_taken(address: str, tmp_path: Path) -> bool:
    try:
        return store(address, tmp_path).lookup(KIND, KEY) is not None
    except Refused:
        return False


def test_what_a_key_signed_is_taken_with_it_and_without(
    address: str, tmp_path: Path, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(ours, monkeypatch)
    put(store(address, tmp_path))
    assert is_taken(address, tmp_path)
    use("", monkeypatch)
    assert is_taken(address, tmp_path)
    use(theirs, monkeypatch)
    assert not is_taken(address, tmp_path)


def test_a_signature_changes_no_digest_and_no_other_field(
    tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, signed = (str(tmp_path / name) for name in ("plain", "signed"))
    put(store(plain, tmp_path))
    use(ours, monkeypatch)
    put(store(signed, tmp_path))
    found = Site(signed).manifest()
    assert found.pop("signature").startswith("hmac-sha256:")
    assert found == Site(plain).manifest()


FORGERIES = {
    "without a signature": lambda m: m.pop("signature"),
    "of another type": lambda m: m.update(signature=1),
    "no letters": lambda m: m.update(signature="é"),
    "of other rows": lambda m: m.update(rows=7),
    "of another file": lambda m: m["files"][0].update(sha256="0" * 64),
    "of another volatile file": lambda m: m["files"][2].update(sha256="0" * 64),
    "of another origin": lambda m: m["stats"].update(source="elsewhere"),
    "with one field more": lambda m: m.update(later=1),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_manifest_is_refused_whatever_its_own_hash(
    address: str, tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    use(ours, monkeypatch)
    put(store(address, tmp_path))
    Site(address).change(FORGERIES[how])
    with pytest.raises(Refused, match=f"{KEY}.* is not signed by the key of"):
        store(address, tmp_path).lookup(KIND, KEY)


def test_a_signed_manifest_in_another_place_is_damage(
    address: str, tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(ours, monkeypatch)
    put(store(address, tmp_path))
    site = Site(address)
    for name in [name for name in site.names() if name.startswith(f"{KIND}/{KEY}/")]:
        site.write(name.replace(KEY, "ff"), site.fs.cat_file(f"{site.root}/{name}"))
    with pytest.raises(Damage, match=f"key: '{KEY}'; expected that of its place, ff"):
        store(address, tmp_path).lookup(KIND, "ff")


@step("made", KIND)
def made(call: Call, draft: Draft, runtime: Runtime) -> None:
    (draft.path / "a.txt").write_text("ours")


def runtime(store: Store, tmp_path: Path) -> Runtime:
    def unasked(*_: object) -> None:
        raise AssertionError

    return Runtime(
        store=store,
        logs=tmp_path,
        resources=Resources(),
        engine=unasked,
        grader=unasked,
        progress=lambda *_: None,
    )


def test_a_run_neither_takes_nor_replaces_what_is_not_signed(
    address: str, tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another group's work: one line says so, and it stays as it is."""
    call = Call(made, "made 1", {})
    put(store(address, tmp_path), KIND, call.key)
    before = Site(address).names()
    use(ours, monkeypatch)
    opened = store(address, tmp_path)
    with pytest.raises(UserError, match=r"not signed by .*no run takes or replaces it \(made 1\)"):
        find_artifact(call, opened, print)
    with pytest.raises(Refused):
        perform(call, runtime(opened, tmp_path))
    with pytest.raises(Refused), opened.draft(KIND, call.key) as draft:
        (draft.path / "a.txt").write_text("ours")
    assert set(before) <= set(Site(address).names())
    use("", monkeypatch)
    ref = store(address, tmp_path).lookup(KIND, call.key)
    assert ref is not None
    assert (store(address, tmp_path).path(ref) / "a.txt").read_text() == "payload"


def test_what_is_there_is_signed_after_it_was_verified(
    address: str, tmp_path: Path, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a1", "b2", "c3"):
        put(store(address, tmp_path), KIND, name)
    site = Site(address)
    [victim] = [n for n in site.names() if n.startswith(f"{KIND}/b2/") and n.endswith("a.txt")]
    site.write(victim, b"PAYLOAD")
    use(ours, monkeypatch)
    assert len(verify_store(address).damaged) == 3
    assert {row.label for row in listing(address)} == {"refused"}
    found = sign_store(address)
    assert (found.signed, found.before, found.otherwise) == (2, 0, [])
    assert len(found.damaged) == 1 and "a.txt does not match" in found.damaged[0]
    assert sign_store(address).before == 2
    assert verify_store(address).whole == 2
    use(theirs, monkeypatch)
    assert sorted(sign_store(address).otherwise) == [f"{KIND}/a1", f"{KIND}/c3"]
    assert verify_store(address).whole == 0
    assert sign_store(address, again=True).signed == 2
    assert verify_store(address).whole == 2


def test_cleaning_with_a_key_takes_no_more_than_without(
    address: str, tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store(address, tmp_path))
    before = collect([], False, address)
    use(ours, monkeypatch)
    assert collect([], False, address) == before


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"k" * 64, 0o644, "others may read it (mode 644); expected 600"),
        (b"k" * 64, 0o660, "others may read it (mode 660); expected 600"),
        (b"k" * 31, 0o600, "expected a file of 32 to 4,096 bytes"),
        (b"", 0o600, "expected a file of 32 to 4,096 bytes"),
        (b"k" * 5000, 0o600, "expected a file of 32 to 4,096 bytes"),
        (None, 0o600, "No such file"),
    ],
)
def test_a_key_that_is_none_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    mode: int,
    said: str,
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        os.chmod(path, mode)
    monkeypatch.setenv(KEY_FILE, str(path))
    with pytest.raises(UserError) as found:
        store(str(tmp_path / "store"), tmp_path)
    assert said in str(found.value) and "\n" not in str(found.value)


def test_to_sign_without_a_key_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{KEY_FILE}: it is not set"):
        sign_store()


def test_the_signature_is_the_one_that_the_documents_describe(
    tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, so that another program can check it."""
    use(ours, monkeypatch)
    address = str(tmp_path / "store")
    put(store(address, tmp_path))
    found = Site(address).manifest()
    signature = found.pop("signature")
    text = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
    secret = Path(ours).read_bytes().removesuffix(b"\n")
    mac = hmac.new(secret, b"restem manifest 1\n" + text, hashlib.sha256).hexdigest()
    assert signature == f"hmac-sha256:{mac}"
