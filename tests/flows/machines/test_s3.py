"""Whole runs whose artifacts lie on an S3-compatible server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.recovery.resume import digests
from tests.flows.conftest import Restem
from tests.s3 import BUCKET, S3, filesystem
from tests.small import SMALL

ADDRESS = f"s3://{BUCKET}/shared/store"


@dataclass
class Machine:
    """A home of its own, with the store that machines share."""

    restem: Restem
    s3: S3

    def __call__(self, *arguments: str, code: int = 0) -> str:
        return self.restem(*arguments, code=code, **self.s3.variables)

    def run(self, store: str = ADDRESS, code: int = 0) -> str:
        changes = (*SMALL, f"resources.store={store}")
        return self("demo", *[part for c in changes for part in ("--set", c)], code=code)

    def steps(self) -> list[dict]:
        return json.loads(self("status", "latest", "--json"))["steps"]


@pytest.fixture(scope="module")
def first(s3: S3, server: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine that made a whole run into the bucket."""
    machine = Machine(Restem(tmp_path_factory.mktemp("first"), server), s3)
    machine.run()
    return machine


@pytest.fixture
def second(first: Machine, tmp_path: Path) -> Machine:
    """Another machine, which has done nothing yet."""
    return Machine(Restem(tmp_path / "second", first.restem.api), first.s3)


def test_a_run_gives_the_digests_of_a_local_store(first: Machine, finished: Restem) -> None:
    made = {step["artifact"]: step["digest"] for step in first.steps()}
    assert made == digests(finished.home)
    assert not (first.restem.home / "store").exists()
    assert f"{len(made)} whole, 0 damaged" in first("store", "verify", "--store", ADDRESS)


def test_another_machine_finds_all_and_loads_no_model(second: Machine, first: Machine) -> None:
    said = second.run()
    steps = second.steps()
    assert {step["state"] for step in steps} == {"Cached"} and "steps: 0 run" in said
    found, made = ({s["label"]: s["digest"] for s in of} for of in (steps, first.steps()))
    assert found == made  # in whichever order shards were made side by side
    home = second.restem.home
    assert list(home.glob("runs/*/logs/*")) == []  # an engine or trainer would have one
    assert list((home / "cache" / "copies").rglob("*.safetensors")) == []
    assert list((home / "cache" / "drafts").glob("*")) == []


def test_a_damaged_object_is_found_said_and_built_again(second: Machine, s3: S3) -> None:
    far = filesystem(s3)
    victim = sorted(p for p in far.find(ADDRESS) if str(p).endswith("samples.parquet"))[0]
    content = bytearray(far.cat_file(victim))
    content[len(content) // 2] ^= 1
    far.pipe_file(victim, bytes(content))
    assert "1 damaged" in second("store", "verify", "--quick", "--store", ADDRESS, code=1)
    assert "is built again" in second.run()
    place = "/".join(str(victim).split("/")[-4:-2])
    done = [step["artifact"] for step in second.steps() if step["state"] == "Completed"]
    assert done == [place]
    assert "0 damaged" in second("store", "verify", "--store", ADDRESS)


def test_the_housekeeping_knows_the_store(second: Machine, s3: S3) -> None:
    rows = json.loads(second("store", "list", "--json", "--store", ADDRESS))
    assert {row["kind"] for row in rows} >= {"model", "samples", "verdicts", "rows", "report"}
    assert all(row["bytes"] > 0 for row in rows)
    filesystem(s3).pipe_file(f"{ADDRESS}/samples/beef/0123456789ab/samples.parquet", b"half")
    said = second("store", "verify", "--store", ADDRESS)
    assert "1 unfinished" in said and "samples/beef" in said
    said = second("store", "gc", "--store", ADDRESS, "--delete", code=2)
    assert "other machines" in said and len(said.splitlines()) == 1
    second.run()
    said = second("store", "gc", "--store", ADDRESS, "--delete", "--others")
    assert f"{len(rows)} kept, 0 removed" in said  # what was uploaded a moment ago stays
    said = second("store", "gc", "--store", ADDRESS, "--delete", "--others", "--older-than", "0")
    assert said.splitlines()[0] == "removed samples/beef"
    assert f"{len(rows)} kept, 1 removed" in said


def test_copies_of_what_the_store_lost_are_dropped(second: Machine, s3: S3) -> None:
    second.run()
    second("store", "verify", "--store", ADDRESS)
    copies = sorted((second.restem.home / "cache" / "copies").glob("*/samples/*"))
    assert copies
    gone = copies[0].name
    filesystem(s3).rm(f"{ADDRESS}/samples/{gone}", recursive=True)
    said = second("store", "gc", "--store", ADDRESS, "--delete", "--others")
    assert f"removed copy samples/{gone}" in said
    assert not copies[0].exists() and copies[1].exists()
    second.run()
    assert [s["artifact"] for s in second.steps() if s["state"] == "Completed"] == [
        f"samples/{gone}"
    ]


def test_a_wrong_bucket_is_one_line(second: Machine) -> None:
    said = second.run("s3://nobody/x", code=2)
    assert "resources.store: s3://nobody/x: no such bucket" in said.splitlines()[-1]
