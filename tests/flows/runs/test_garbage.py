"""Cleaning a store that homes share: what any of them needs stays, and no run is cleaned under."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.runs.garbage import collect
from flows.runs.store_use import forget_run
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.store.heal import make_room
from tasks.store.store import Damage, Store
from tasks.store.usage import Lease
from tests.flows.runs.store_parts import DAY, Homes, age, at_work, has_run, journal, put

# A cleaning that kills itself after so many changes, of which the first puts an artifact aside.
_CLEAN = """
import os, signal, sys
from flows.runs.garbage import collect
left, begun = int(sys.argv[2]), False
def count(event, given):
    global left, begun
    if event in ("os.rename", "os.remove", "os.rmdir"):
        begun = begun or "/.trash/" in str(given[1])
        left -= begun
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
collect([], True, sys.argv[1], others=True)
"""
KEYS = [f"{number:032x}" for number in range(10)]


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    return Homes(tmp_path, monkeypatch)


@pytest.fixture
def shared(tmp_path: Path) -> str:
    return str(tmp_path / "shared" / "store")


def open_shared(address: str, name: str = "a") -> Store:
    store = Store(address, cache=Path(address).parent / f"cache-{name}")
    store.prepare()
    return store


def locations(address: str) -> list[str]:
    return [f"{kind}/{key}" for kind, key in open_shared(address).entries()]


def test_what_another_home_needs_stays(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    samples = put(store, "samples", KEYS[0])
    has_run(store, "run-a", put(store, "model", KEYS[1], samples).location)
    age(Path(shared))
    homes.use("b")
    found = collect([], True, shared, others=True)
    assert found.garbage == [] and found.kept == 2
    assert locations(shared) == [f"model/{KEYS[1]}", f"samples/{KEYS[0]}"]
    assert [(one.runs, Path(one.path).name) for one in found.homes] == [(1, "a")]


def test_a_home_that_only_reads_keeps_what_it_reads(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    has_run(store, "run-a", put(store, "samples", KEYS[0]).location)
    homes.use("b")
    has_run(store, "run-b", f"samples/{KEYS[0]}")
    age(Path(shared))
    home = homes.use("a")
    shutil.rmtree(home / "runs" / "run-a")
    assert collect([], True, shared).garbage == []
    assert locations(shared) == [f"samples/{KEYS[0]}"]


def test_what_no_run_needs_any_more_goes_with_its_records(homes: Homes, shared: str) -> None:
    store, home = open_shared(shared), homes.use("a")
    has_run(store, "run-1", put(store, "samples", KEYS[0]).location)
    has_run(store, "run-2", put(store, "samples", KEYS[1]).location)
    age(Path(shared))
    for key in KEYS[:2]:
        (home / "results").mkdir(exist_ok=True)
        (home / "results" / f"import samples-{key}").touch()
    shutil.rmtree(home / "runs" / "run-1")
    found = collect([], True, shared)
    assert found.garbage == [f"samples/{KEYS[0]}"]
    assert locations(shared) == [f"samples/{KEYS[1]}"]
    assert [path.name for path in (home / "results").iterdir()] == [f"import samples-{KEYS[1]}"]
    roots = [path.stem for path in Path(shared).glob(".roots/*/*.json")]
    assert roots == ["run-2"]


def test_a_run_that_is_not_kept_keeps_nothing(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    has_run(store, "run-1", put(store, "samples", KEYS[0]).location)
    has_run(store, "run-2", put(store, "samples", KEYS[1]).location)
    age(Path(shared))
    assert collect(["run-2"], True, shared).garbage == [f"samples/{KEYS[0]}"]


def test_runs_of_before_are_noted_at_the_first_use(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    journal("old", shared, put(store, "samples", KEYS[0]).location)
    has_run(store, "new", put(store, "samples", KEYS[1]).location)
    age(Path(shared))
    homes.use("b")
    assert collect([], True, shared, others=True).garbage == []


def test_what_nobody_knows_is_asked_for(homes: Homes, shared: str) -> None:
    put(open_shared(shared), "samples", KEYS[0])
    age(Path(shared))
    homes.use("b")
    with pytest.raises(UserError, match=r"nothing says whose samples/.* --others"):
        collect([], True, shared)
    assert locations(shared) == [f"samples/{KEYS[0]}"]
    assert collect([], True, shared, others=True).garbage == [f"samples/{KEYS[0]}"]
    assert locations(shared) == []


def test_a_forgotten_home_keeps_nothing(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    has_run(store, "run-a", put(store, "samples", KEYS[0]).location)
    age(Path(shared))
    homes.use("b")
    [other] = collect([], False, shared).homes
    found = collect([], True, shared, forget=[other.id[:6]])
    assert found.garbage == [f"samples/{KEYS[0]}"] and found.homes == []
    assert not list(Path(shared).glob(".roots/*/*"))
    with pytest.raises(UserError, match="--forget nobody: expected one of"):
        collect([], True, shared, forget=["nobody"])


def test_the_copy_of_a_home_is_a_home_of_its_own(homes: Homes, shared: str) -> None:
    store, home = open_shared(shared), homes.use("a")
    has_run(store, "run-a", put(store, "samples", KEYS[0]).location)
    shutil.copytree(home, homes.use("copy"))
    has_run(store, "run-copy", put(store, "samples", KEYS[1]).location)
    age(Path(shared))
    homes.use("a")
    assert collect([], True, shared).garbage == []
    assert len(collect([], False, shared).homes) == 1


def test_a_roots_file_that_cannot_be_read_stops_a_cleaning(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    has_run(store, "run-a", put(store, "samples", KEYS[0]).location)
    age(Path(shared))
    [file] = Path(shared).glob(".roots/*/*.json")
    whole = file.read_text()
    homes.use("b")
    escape = {**json.loads(whole), "artifacts": ["../../etc/passwd"]}
    for text in ("", "[[", "[" * 100_000, json.dumps({"home": 1}), json.dumps(escape)):
        file.write_text(text)
        with pytest.raises(UserError, match=r"the store's \.roots/.*run-a\.json cannot be read"):
            collect([], True, shared, others=True)
    assert locations(shared) == [f"samples/{KEYS[0]}"]


def test_nothing_younger_than_a_day_goes(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    for number, hours in enumerate((1, 23, 25)):
        put(store, "samples", KEYS[number])
        age(Path(shared) / "samples" / KEYS[number], hours * 3600)
    found = collect([], True, shared, others=True)
    assert found.garbage == [f"samples/{KEYS[2]}"] and found.young == 2
    found = collect([], True, shared, others=True, older_than=2 * 3600)
    assert found.garbage == [f"samples/{KEYS[1]}"] and found.young == 1
    found = collect([], True, shared, others=True, older_than=0)
    assert found.garbage == [f"samples/{KEYS[0]}"] and found.young == 0


def test_a_run_at_work_is_not_cleaned_under(homes: Homes, shared: str) -> None:
    put(open_shared(shared), "samples", KEYS[0])
    age(Path(shared))
    with at_work(homes.use("a"), shared, "run-a") as run:
        assert run.stdout is not None and run.stdout.readline() == "holds\n"
        homes.use("b")
        with pytest.raises(UserError, match=rf"used by run-a \(process {run.pid} on .* since"):
            collect([], True, shared, others=True)
        assert locations(shared) == [f"samples/{KEYS[0]}"]
        assert collect([], False, shared).garbage == [f"samples/{KEYS[0]}"]  # a look is free
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert collect([], True, shared, others=True).garbage == [f"samples/{KEYS[0]}"]
    assert not list(Path(shared).glob(".users/*"))


def test_a_run_that_begins_in_a_cleaning_waits_for_its_end(homes: Homes, shared: str) -> None:
    homes.use("b")
    lease = Lease.of_this_process("cleaning", "restem store gc", "b")
    cleaning = open_shared(shared).place.usage.by_cleaning(lease)
    cleaning.__enter__()
    with at_work(homes.use("a"), shared, "run-a") as run:
        assert run.stdout is not None
        assert "is cleaned" in run.stdout.readline()
        cleaning.__exit__(None, None, None)
        assert run.stdout.readline() == "holds\n"


def test_old_waste_of_this_home_is_found_and_removed(homes: Homes) -> None:
    home = homes.use("a")
    store = Store(str(home / "store"), cache=home / "cache")
    done = put(store, "model", KEYS[0])
    has_run(store, "run-a", done.location)
    stray = home / "store" / "samples" / KEYS[1]
    stray.mkdir(parents=True)
    (stray / "half.txt").write_text("half")
    for path in (
        home / "store" / ".drafts" / "samples~x~elsewhere~1~abcdef01",
        home / "work" / done.key,
        home / "work" / KEYS[2],
        home / "work" / KEYS[3],
    ):
        path.mkdir(parents=True)
        (path / "weights").write_bytes(b"1" * 1000)
    age(home)
    age(home / "work" / KEYS[2], 20 * DAY)
    looked = collect([], False)
    names = ["work/" + done.key, "work/" + KEYS[2]]
    assert [(one.what, one.name, one.bytes) for one in looked.waste] == [
        ("draft", ".drafts/samples~x~elsewhere~1~abcdef01", 1000),
        *(("checkpoints", name, 1000) for name in sorted(names)),
    ]
    found = collect([], True)
    assert found.waste == looked.waste and found.garbage == [f"samples/{KEYS[1]}"]
    assert os.listdir(home / "work") == [KEYS[3]]  # a run may go on from it
    assert os.listdir(home / "store" / ".drafts") == []
    [aside] = (home / "store" / ".quarantine").iterdir()  # nothing says what it was
    assert (aside / "half.txt").read_text() == "half"
    assert [one.what for one in collect([], False, older_than=0).waste] == [
        "quarantine",
        "checkpoints",
    ]
    collect([], True, older_than=0)
    assert os.listdir(home / "store" / ".quarantine") == os.listdir(home / "work") == []


def test_links_are_not_followed(homes: Homes, tmp_path: Path) -> None:
    home = homes.use("a")
    store = Store(str(home / "store"), cache=home / "cache")
    put(store, "samples", KEYS[0])
    outside = tmp_path / "outside"
    (outside / "kind" / KEYS[1]).mkdir(parents=True)
    (outside / "precious").write_text("precious")
    (outside / "kind" / KEYS[1] / "manifest.json").write_text("precious")
    (home / "store" / "linked").symlink_to(outside / "kind")
    (home / "store" / "samples" / KEYS[2]).symlink_to(outside)
    (home / "store" / "samples" / KEYS[0] / "link").symlink_to(outside)
    age(home)
    found = collect([], True)
    assert found.garbage == [f"samples/{KEYS[0]}", f"samples/{KEYS[2]}"] and found.left == []
    assert os.listdir(home / "store" / "samples") == []
    assert (outside / "precious").read_text() == "precious"
    assert (outside / "kind" / KEYS[1] / "manifest.json").exists()
    assert (home / "store" / "linked").is_symlink()


def test_a_probes_roots_go_with_it(homes: Homes, shared: str) -> None:
    store = open_shared(shared)
    homes.use("a")
    has_run(store, "run-probe", put(store, "samples", KEYS[0]).location)
    assert list(Path(shared).glob(".roots/*/run-probe.json"))
    forget_run(store, "run-probe")
    assert not list(Path(shared).glob(".roots/*/*"))


@pytest.mark.slow
def test_a_cleaning_leaves_no_artifact_that_is_half_there(homes: Homes, shared: str) -> None:
    home = homes.use("a")
    store = open_shared(shared)
    ref = put(store, "model", KEYS[0])
    whole = Path(shared).parent / "whole"
    shutil.move(Path(shared) / ref.location, whole)
    for changes in (0, 1, 2, 50, 301):
        for number in range(200):
            copy = Path(shared) / "samples" / f"{number:032x}"
            if not copy.exists():
                shutil.copytree(whole, copy)
        age(Path(shared))
        done = subprocess.run(
            [sys.executable, "-c", _CLEAN, shared, str(changes)],
            cwd=ROOT,
            env={**os.environ, "RESTEM_HOME": str(home), "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        for path in (Path(shared) / "samples").iterdir():
            assert sorted(os.listdir(path)) == ["manifest.json", "payload.txt"]
    collect([], True, shared, others=True)
    assert not list(Path(shared).glob(".trash/*")) and locations(shared) == []


def test_a_damaged_artifact_of_a_run_is_set_aside(homes: Homes) -> None:
    home = homes.use("a")
    store = Store(str(home / "store"), cache=home / "cache")
    ref = put(store, "samples", KEYS[0])
    (home / "store" / ref.location / "payload.txt").write_text("damaged")
    fresh = Store(str(home / "store"), cache=home / "cache")
    with pytest.raises(Damage):
        fresh.lookup("samples", KEYS[0])
    assert make_room(fresh, "samples", KEYS[0]) is None
    [aside] = (home / "store" / ".quarantine").iterdir()
    assert aside.name.startswith(f"samples~{KEYS[0]}~")
    assert (aside / "payload.txt").read_text() == "damaged"
    put(fresh, "samples", KEYS[0])
    assert make_room(fresh, "samples", KEYS[0]) == ref  # whole again: it stays
    assert len(list((home / "store" / ".quarantine").iterdir())) == 1
