"""A store on an S3-compatible server: a real HTTP server in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.store.store import MANIFEST, Damage, Store
from tests.s3 import BUCKET, S3, filesystem, s3_server

pytestmark = pytest.mark.usefixtures("s3_named")

KEY = "0123456789abcdef"
MEGABYTES = 6


@pytest.fixture
def address() -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}/deep"


def put(store: Store, key: str = KEY, text: str = "payload") -> None:
    with store.draft("model", key) as draft:
        (draft.path / "a.txt").write_text(text)
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "b.bin").write_bytes(bytes(range(256)) * 4096 * MEGABYTES)
        (draft.path / "seconds.txt").write_text(str(time.time()))
        draft.volatile = {"seconds.txt"}


def objects(s3: S3, address: str) -> list[str]:
    return [str(name) for name in filesystem(s3).find(address)]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def test_what_one_machine_commits_another_finds_and_reads(address: str, tmp_path: Path) -> None:
    put(Store(address, cache=tmp_path / "one"))
    other = Store(address, cache=tmp_path / "two")
    ref = other.lookup("model", KEY)
    assert ref is not None
    assert (other.path(ref) / "deep" / "b.bin").stat().st_size == MEGABYTES * 2**20
    assert list(other.entries()) == [("model", KEY)]


def test_a_digest_is_that_of_a_local_store(address: str, tmp_path: Path) -> None:
    stores = Store(address, cache=tmp_path / "one"), Store(str(tmp_path / "s"), cache=tmp_path)
    digests = []
    for store in stores:
        put(store)
        ref = store.lookup("model", KEY)
        digests.append(ref and ref.digest)
    assert digests[0] == digests[1] is not None


def test_a_lookup_downloads_nothing(address: str, tmp_path: Path) -> None:
    put(Store(address, cache=tmp_path / "one"))
    other = Store(address, cache=tmp_path / "two")
    ref = other.lookup("model", KEY)
    assert ref is not None and not list((tmp_path / "two").rglob("*.bin"))
    other.path(ref)
    assert len(list((tmp_path / "two").rglob("*.bin"))) == 1


def test_who_made_it_does_not_download_it(address: str, s3: S3, tmp_path: Path) -> None:
    store = Store(address, cache=tmp_path / "one")
    put(store)
    filesystem(s3).rm(address, recursive=True)
    ref = store.lookup("model", KEY)
    assert ref is not None and (store.path(ref) / "a.txt").read_text() == "payload"


_READ = """
import sys
from pathlib import Path
from tasks.store.store import Store
from tasks.store import remote
fetch = remote.Remote.download
def told(self, place, names, folder):
    print("downloads", flush=True)
    fetch(self, place, names, folder)
remote.Remote.download = told
store = Store(sys.argv[1], cache=Path(sys.argv[2]))
ref = store.lookup("model", sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
print((store.path(ref) / "deep" / "b.bin").stat().st_size)
"""


def test_processes_that_need_a_model_at_once_download_it_once(address: str, tmp_path: Path) -> None:
    put(Store(address, cache=tmp_path / "one"))
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READ, address, str(tmp_path / "two"), KEY],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for reader in readers:
        assert reader.stdout and reader.stdout.readline() == "ready\n"
    for reader in readers:
        assert reader.stdin
        reader.stdin.write("\n")
        reader.stdin.flush()
    said = "".join(reader.communicate()[0] for reader in readers)
    assert said.split().count("downloads") == 1
    assert said.split().count(str(MEGABYTES * 2**20)) == 3
    assert [p.name for p in (tmp_path / "two" / "drafts").glob("*")] == []


_UPLOAD = """
import os, signal, sys, threading, time
from pathlib import Path
from tasks.store.store import Store
from tasks.store import remote
store = Store(sys.argv[1], cache=Path(sys.argv[2]))
def kill():
    while not store._remote.files("model"):
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
# Nothing counts before the manifest, which is sent last: the kill comes before, however late it is.
write = remote.Remote.write
def held(self, name, content):
    if name.endswith("manifest.json"):
        threading.Event().wait()
    write(self, name, content)
remote.Remote.write = held
with store.draft("model", "k") as draft:
    for number in range(400):
        (draft.path / f"{number}.bin").write_bytes(bytes(100_000))
"""


def test_a_kill_amid_an_upload_leaves_nothing_that_counts(
    address: str, s3: S3, tmp_path: Path
) -> None:
    assert python(_UPLOAD, address, str(tmp_path / "one")).wait() == -signal.SIGKILL
    left = objects(s3, address)
    assert any(name.endswith(".bin") for name in left)
    assert not any(name.endswith(MANIFEST) for name in left)
    store = Store(address, cache=tmp_path / "one")
    assert store.lookup("model", "k") is None
    assert store.unfinished("model", "k")
    assert store.sweep_drafts() == 1
    put(store, "k")
    other = Store(address, cache=tmp_path / "two")
    ref = other.lookup("model", "k")
    assert ref is not None
    assert sorted(p.name for p in other.path(ref).iterdir()) == ["a.txt", "deep", "seconds.txt"]


@pytest.mark.parametrize("how", ["flip", "shorten", "remove", "flip manifest", "remove manifest"])
def test_damage_is_found_and_built_again(address: str, s3: S3, tmp_path: Path, how: str) -> None:
    put(Store(address, cache=tmp_path / "one"))
    name = MANIFEST if how.endswith(MANIFEST[:8]) else "deep/b.bin"
    (victim,) = [path for path in objects(s3, address) if path.endswith(name)]
    whole = filesystem(s3).cat_file(victim)
    if how.startswith("remove"):
        filesystem(s3).rm_file(victim)
    else:
        damaged = whole[:-1] if how == "shorten" else whole[:100] + b"~" + whole[101:]
        filesystem(s3).pipe_file(victim, damaged)
    store = Store(address, cache=tmp_path / "two")
    if how == "remove manifest":
        assert store.lookup("model", KEY) is None
    else:
        with pytest.raises(Damage, match=name):
            store.lookup("model", KEY)
        store.discard("model", KEY)
    put(store)
    third = Store(address, cache=tmp_path / "three")
    ref = third.lookup("model", KEY)
    assert ref is not None
    assert (third.path(ref) / "deep" / "b.bin").read_bytes() == bytes(range(256)) * 4096 * MEGABYTES


def test_an_object_written_again_as_it_was_is_no_damage(
    address: str, s3: S3, tmp_path: Path
) -> None:
    """A copy of a bucket may have other ETags: then the content decides."""
    put(Store(address, cache=tmp_path / "one"))
    (victim,) = [path for path in objects(s3, address) if path.endswith("b.bin")]
    far = filesystem(s3)
    content = far.cat_file(victim)
    before = far.info(victim)["ETag"]
    with far.open(victim, "wb", block_size=5 * 2**20) as file:  # in parts, so with another ETag
        file.write(content)
    assert far.info(victim)["ETag"] != before
    assert Store(address, cache=tmp_path / "two").lookup("model", KEY) is not None


_MAKE = """
import sys
from pathlib import Path
from tasks.store.store import Store
with Store(sys.argv[1], cache=Path(sys.argv[2])).draft("model", sys.argv[3]) as draft:
    (draft.path / "a.txt").write_text("from another machine")
"""


def test_no_listing_hides_what_another_machine_made(address: str, tmp_path: Path) -> None:
    store = Store(address, cache=tmp_path / "one")
    put(store)
    for number in range(3):
        key = f"later{number}"
        assert store.lookup("model", key) is None
        before = list(store.entries())
        assert python(_MAKE, address, str(tmp_path / "two"), key).wait() == 0
        ref = store.lookup("model", key)
        assert ref is not None
        assert (store.path(ref) / "a.txt").read_text() == "from another machine"
        assert list(store.entries()) == sorted([*before, ("model", key)])


def test_two_machines_that_make_one_artifact_leave_one(
    address: str, s3: S3, tmp_path: Path
) -> None:
    first, second = (Store(address, cache=tmp_path / name) for name in ("one", "two"))
    with first.draft("model", KEY) as draft:
        (draft.path / "a.txt").write_text("payload")
        with second.draft("model", KEY) as other:
            (other.path / "a.txt").write_text("payload")
    assert len([path for path in objects(s3, address) if path.endswith("a.txt")]) == 1
    for store in (first, second, Store(address, cache=tmp_path / "three")):
        ref = store.lookup("model", KEY)
        assert ref is not None and (store.path(ref) / "a.txt").read_text() == "payload"


def test_a_server_that_is_away_for_a_while_is_waited_for(
    address: str, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.store.remote.STORE_AWAY_SECONDS", 600.0)
    store = Store(address, cache=tmp_path / "one")
    s3.door.shut()
    back = threading.Timer(5.0, s3.door.open)
    back.start()
    try:
        put(store)
        other = Store(address, cache=tmp_path / "two")
        assert other.lookup("model", KEY) is not None
    finally:
        back.join()


def test_a_wrong_bucket_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^resources\.store: s3://nobody/x: no such bucket.*$"):
        Store("s3://nobody/x", cache=tmp_path).prepare()


def test_wrong_credentials_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="100") as strict:
        # From now on it looks at credentials.
        place, plain = f"{strict.direct}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(place, b"0", plain)).close()
        monkeypatch.setenv("AWS_ENDPOINT_URL", strict.address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        with pytest.raises(UserError, match=r"^resources\.store: s3://[^\n]*refused[^\n]*$"):
            Store(f"s3://{BUCKET}/x", cache=tmp_path)


@pytest.mark.parametrize("address", ["nothing://x/y", "s4://bucket/prefix"])
def test_an_address_that_nothing_speaks_is_one_line(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match=r"^resources\.store: [^\n]*expected a folder[^\n]*$"):
        Store(address, cache=tmp_path)
