"""Cleaning an object store that machines share: a real HTTP server that speaks S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from flows.runs.garbage import collect
from flows.runs.store import in_quarantine
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.store.heal import make_room
from tasks.store.store import Damage, Store
from tests.flows.runs.store_parts import Homes, at_work, has_run, put
from tests.s3 import BUCKET, S3, filesystem

pytestmark = pytest.mark.usefixtures("s3_named")

KEYS = [f"{number:032x}" for number in range(10)]
PART = "0123456789ab"


@pytest.fixture(params=["plain", "[a] b*"])
def address(request: pytest.FixtureRequest) -> str:
    """Once with signs that fsspec takes for a pattern."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}/{request.param}"


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    return Homes(tmp_path, monkeypatch)


def opened(address: str, home: Path) -> Store:
    return Store(address, cache=home / "cache")


def objects(s3: S3, address: str) -> list[str]:
    found = filesystem(s3).find(f"{BUCKET}/{address.split('/')[3]}")
    start = len(address.removeprefix("s3://")) + 1
    return [str(name)[start:] for name in found]


def test_machines_clean_what_none_of_them_needs(homes: Homes, address: str, s3: S3) -> None:
    home = homes.use("a")
    store = opened(address, home)
    samples = put(store, "samples", KEYS[0])
    has_run(store, "run-a", put(store, "model", KEYS[1], samples).location)
    home = homes.use("b")
    store = opened(address, home)
    has_run(store, "run-b", put(store, "samples", KEYS[2]).location)
    put(store, "samples", KEYS[3])
    with pytest.raises(UserError, match="other machines"):
        collect([], True, address, older_than=0)
    assert collect([], True, address, others=True).young == 1
    found = collect([], True, address, others=True, older_than=0)
    assert found.garbage == found.copies == [f"samples/{KEYS[3]}"] and found.kept == 3
    assert not [name for name in objects(s3, address) if KEYS[3] in name]
    for kind, key in (("samples", KEYS[0]), ("model", KEYS[1]), ("samples", KEYS[2])):
        assert opened(address, home).lookup(kind, key) is not None


def test_a_run_of_another_machine_is_not_cleaned_under(
    homes: Homes, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(opened(address, homes.use("b")), "samples", KEYS[0])
    with at_work(homes.use("a"), address, "run-a") as run:
        assert run.stdout is not None and run.stdout.readline() == "holds\n"
        homes.use("b")
        with pytest.raises(UserError, match=r"used by run-a \(process"):
            collect([], True, address, others=True, older_than=0)
        run.kill()
        run.wait()
    with pytest.raises(UserError, match="used by run-a"):  # nothing tells that it is dead
        collect([], True, address, others=True, older_than=0)
    monkeypatch.setattr("tasks.store.usage.LEASE_SECONDS", 1.0)
    deadline = time.monotonic() + 300
    while True:
        try:
            found = collect([], True, address, others=True, older_than=0)
            break
        except UserError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert found.garbage == [f"samples/{KEYS[0]}"]


def test_parts_of_killed_uploads_go(homes: Homes, address: str, s3: S3) -> None:
    store = opened(address, homes.use("a"))
    has_run(store, "run-a", put(store, "samples", KEYS[0]).location)
    before = objects(s3, address)
    far = filesystem(s3)
    for name in ("x.parquet", "deep/y.parquet"):
        far.pipe_file(f"{address}/samples/{KEYS[0]}/{PART}/{name}", b"half")
    assert collect([], False, address).waste == []
    found = collect([], True, address, others=True, older_than=0)
    assert [(w.what, w.name, w.bytes) for w in found.waste] == [
        ("upload", f"samples/{KEYS[0]}/{PART}", 8)
    ]
    assert [name for name in objects(s3, address) if not name.startswith(".")] == [
        name for name in before if not name.startswith(".")
    ]
    assert opened(address, homes.use("a")).lookup("samples", KEYS[0]) is not None


def test_damage_is_set_aside_and_goes_when_it_is_old(homes: Homes, address: str, s3: S3) -> None:
    home = homes.use("a")
    ref = put(opened(address, home), "samples", KEYS[0])
    has_run(opened(address, home), "run-a", ref.location)
    [victim] = [name for name in objects(s3, address) if name.endswith("payload.txt")]
    filesystem(s3).pipe_file(f"{address}/{victim}", b"damaged, and longer than it was before" * 9)
    store = opened(address, home)
    with pytest.raises(Damage):
        store.lookup("samples", KEYS[0])
    assert make_room(store, "samples", KEYS[0]) is None
    [aside] = in_quarantine(address)
    assert aside.name.startswith(f".quarantine/samples~{KEYS[0]}~") and aside.bytes > 300
    put(opened(address, home), "samples", KEYS[0])
    assert make_room(opened(address, home), "samples", KEYS[0]) == ref
    assert collect([], True, address, others=True).waste == []  # neither old nor an upload
    assert victim in objects(s3, address)
    found = collect([], True, address, others=True, older_than=0)
    assert [one.what for one in found.waste] == ["quarantine"]
    assert victim not in objects(s3, address) and in_quarantine(address) == []
    assert opened(address, home).lookup("samples", KEYS[0]) == ref


_CLEAN = """
import sys
from flows.runs.garbage import collect
print("begins", flush=True)
collect([], True, sys.argv[1], others=True, older_than=0)
"""


def test_a_killed_cleaning_leaves_artifacts_whole_or_not_there(
    homes: Homes, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}"
    home = homes.use("a")
    ref = put(opened(address, home), "samples", KEYS[0])
    far = filesystem(s3)
    manifest = json.loads(far.cat_file(f"{address}/{ref.location}/manifest.json"))
    for number in range(1100):  # more than fit into one request
        place = f"{address}/model/{number:032x}"
        far.pipe_file(f"{place}/{manifest['part']}/payload.txt", b"1")
        far.pipe_file(f"{place}/manifest.json", b"{}")
    process = subprocess.Popen(
        [sys.executable, "-c", _CLEAN, address],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )

    def left(what: str) -> set[str]:
        return {name.split("/")[1] for name in objects(s3, address) if f"/{what}" in name}

    while process.poll() is None and len(left("manifest.json")) == 1101:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left("manifest.json") <= left(manifest["part"])  # whole, or without its manifest
    monkeypatch.setattr("tasks.store.usage.LEASE_SECONDS", 0.0)
    collect([], True, address, others=True, older_than=0)
    assert not [name for name in objects(s3, address) if name.startswith(("model", "samples"))]
