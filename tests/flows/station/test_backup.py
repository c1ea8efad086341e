"""`restem backup` and `restem restore`, on a real home: what is kept, and what is refused."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.runs.journal import find_run
from flows.runs.store import verify_store
from flows.server.access import secret_file
from flows.station.backup import backup
from flows.station.restore import restore
from tasks.errors import StepError, UserError
from tasks.settings.secret import write_secret
from tests.upgrade.old_home import RUN, STEPS, unpack

FORMS = ["folder", "archive.tar", "archive.tar.gz", "archive.tgz"]


@pytest.fixture
def old(home: Path) -> Path:
    """A home with a run, at RESTEM_HOME."""
    unpack(home)
    write_secret(secret_file(), "restem:hidden-word")
    return home


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Where a back-up is put; nothing is there."""
    return tmp_path / "new"


def moved(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(home))


def files(folder: Path, *parts: str) -> dict[str, bytes]:
    found = [path for part in parts for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_restored_is_what_was_there(
    old: Path, new: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backup(tmp_path / form, store=True)
    moved(monkeypatch, new)
    assert restore(tmp_path / form) == made
    assert (made.runs, made.artifacts, made.database) == (1, STEPS, True)
    assert files(new, "runs", "results", "store") == files(old, "runs", "results", "store")
    assert verify_store().whole == STEPS and verify_store().damaged == []
    assert find_run("latest").name == RUN


def test_without_store_there_are_no_artifacts(
    old: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backup(tmp_path / "b", store=False)
    moved(monkeypatch, new)
    restore(tmp_path / "b")
    assert made.artifacts == 0 and not (new / "store").exists()


@pytest.mark.parametrize("form", FORMS)
def test_others_cannot_read_it_and_the_secret_is_not_in_it(
    old: Path, tmp_path: Path, form: str
) -> None:
    target = tmp_path / form
    backup(target, store=True)
    assert stat.S_IMODE(target.stat().st_mode) & 0o077 == 0
    whole = target.read_bytes() if target.is_file() else b"".join(files(target, ".").values())
    assert b"hidden-word" not in whole
    assert not list(tmp_path.glob(f".{form}*"))  # no draft is left


def test_artifacts_are_linked_on_the_same_disk(old: Path, tmp_path: Path) -> None:
    backup(tmp_path / "b", store=True)
    name = next((old / "store" / "samples").glob("*/manifest.json")).relative_to(old)
    assert os.path.samefile(old / name, tmp_path / "b" / name)


def test_the_order_of_runs_is_kept(
    old: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = old / "runs" / "a-run-before"
    older.mkdir()
    (older / "run.json").write_text((old / "runs" / RUN / "run.json").read_text())
    os.utime(older / "run.json", (1e9, 1e9))
    os.utime(old / "runs" / RUN / "run.json", (2e9, 2e9))
    for form in FORMS[:2]:
        moved(monkeypatch, old)
        backup(tmp_path / form, store=False)
        moved(monkeypatch, new / form)
        restore(tmp_path / form)
        assert find_run("latest").name == RUN


def test_a_database_that_is_written_to_is_copied_whole(old: Path, tmp_path: Path) -> None:
    database, stop = old / "prefect" / "prefect.db", threading.Event()
    writer = sqlite3.connect(database, check_same_thread=False)
    writer.execute("pragma journal_mode=wal")
    writer.execute("create table pairs (a integer, b integer)")
    writer.commit()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with writer:
                writer.execute("insert into pairs values (?, ?)", (number, number))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        backup(tmp_path / "b", store=False)
    finally:
        stop.set()
        thread.join()
        writer.close()
    copy = sqlite3.connect(tmp_path / "b" / "prefect" / "prefect.db")
    assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    count, last = copy.execute("select count(*), coalesce(max(b), 0) from pairs").fetchone()
    copy.close()
    assert count == last
    assert sorted(p.name for p in (tmp_path / "b" / "prefect").iterdir()) == ["prefect.db"]


def test_a_broken_database_is_said(old: Path, tmp_path: Path) -> None:
    database = old / "prefect" / "prefect.db"
    raw = bytearray(database.read_bytes())
    raw[4096:200_000] = b"x" * (200_000 - 4096)
    database.write_bytes(raw)
    with pytest.raises(StepError, match=r"prefect\.db: "):
        backup(tmp_path / "b", store=False)
    assert not (tmp_path / "b").exists()


def test_a_damaged_artifact_is_left_out_and_said(old: Path, tmp_path: Path) -> None:
    payload = next((old / "store" / "samples").glob("*/samples.parquet"))
    payload.write_bytes(b"other")
    made = backup(tmp_path / "b", store=True)
    assert made.artifacts == STEPS - 1
    assert len(made.left_out) == 1 and "samples.parquet" in made.left_out[0]
    assert not (tmp_path / "b" / payload.parent.relative_to(old)).exists()


def test_a_record_that_is_being_written_is_left_out(old: Path, tmp_path: Path) -> None:
    records = len(list((old / "results").iterdir()))
    (old / "results" / "torn").write_text('{"metadata": {"stor')
    assert backup(tmp_path / "b", store=False).records == records


def test_links_and_odd_names_of_the_home_are_not_followed(old: Path, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("of another")
    (old / "runs" / RUN / "link").symlink_to(tmp_path / "word")
    (old / "runs" / RUN / "new\nline").write_text("")
    made = backup(tmp_path / "b", store=False)
    assert not os.path.lexists(tmp_path / "b" / "runs" / RUN / "link")
    assert len(made.left_out) == 1 and "new\\nline" in made.left_out[0]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("there", "exists already"),
        ("no/such", "no such folder"),
        ("home/b", "inside the home"),
    ],
)
def test_a_bad_target_is_one_line(old: Path, tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match=said):
        backup(tmp_path / target, store=False)


@pytest.mark.parametrize("part", ["store", "runs", "results", "prefect"])
def test_nothing_is_written_over(
    old: Path, new: Path, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(tmp_path / "b", store=True)
    name = "prefect.db" if part == "prefect" else "mine"
    (new / part).mkdir(parents=True)
    (new / part / name).write_text("mine")
    moved(monkeypatch, new)
    with pytest.raises(UserError, match="not empty"):
        restore(tmp_path / "b")
    assert (new / part / name).read_text() == "mine"
    assert {path.name for path in new.iterdir()} <= {part, "prefect"}


Change = Callable[[dict[str, Any], list[tarfile.TarInfo]], None]


def _name(name: str) -> Change:
    def change(manifest: dict[str, Any], members: list[tarfile.TarInfo]) -> None:
        at = members[-1]
        next(f for f in manifest["files"] if f["name"] == at.name)["name"] = name
        at.name = name

    return change


def _kind(kind: bytes) -> Change:
    def change(_: dict[str, Any], members: list[tarfile.TarInfo]) -> None:
        members[-1].type, members[-1].linkname = kind, "/etc/passwd"

    return change


def _facts(**facts: Any) -> Change:
    return lambda manifest, _: manifest.update(facts)


HOSTILE: dict[str, Change] = {
    "a name that leads out": _name("runs/../../out"),
    "an absolute name": _name("/tmp/out"),
    "a name of no part of a home": _name("engines/python"),
    "the secret": _name("prefect/secret"),
    "an empty part of a name": _name("runs//x"),
    "a terminal escape": _name("runs/\x1b[2Jx"),
    "a file below a file": _name(f"runs/{RUN}/run.json/x"),
    "a symbolic link": _kind(tarfile.SYMTYPE),
    "a hard link": _kind(tarfile.LNKTYPE),
    "a device": _kind(tarfile.CHRTYPE),
    "a pipe": _kind(tarfile.FIFOTYPE),
    "a folder": _kind(tarfile.DIRTYPE),
    "another form": _facts(form=2),
    "files that are no list": _facts(files={"a": 1}),
    "a negative size": lambda m, _: m["files"][-1].update(bytes=-1),
    "another size": lambda m, _: m["files"][-1].update(bytes=1),
    "a size beyond the disk": lambda m, _: m["files"][-1].update(bytes=2**60),
    "another hash": lambda m, _: m["files"][-1].update(sha256="0" * 64),
    "a file that it does not name": lambda m, _: m["files"].pop(),
    "a file that is missing": lambda _, members: members.pop() and None,
    "a name twice": lambda m, _: m["files"].append(m["files"][-1]),
    "a file twice": lambda _, members: members.append(members[-1]),
    "no manifest": lambda _, members: members.pop(0) and None,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    old: Path, new: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(tmp_path / "good.tar", store=False)
    with tarfile.open(tmp_path / "good.tar") as good:
        members = good.getmembers()
        content = {m.name: good.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    manifest = json.loads(content["manifest.json"])
    names = {id(m): m.name for m in members}
    HOSTILE[what](manifest, members)
    content["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(tmp_path / "bad.tar", "w") as bad:
        for member in members:
            raw = content[names[id(member)]]
            member.size = len(raw) if member.isreg() else 0
            bad.addfile(member, io.BytesIO(raw))
    moved(monkeypatch, new)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        restore(tmp_path / "bad.tar")
    made = set(tmp_path.rglob("*")) - before
    allowed = {new, new / "prefect", new / "prefect/start.lock", new / "prefect/users.lock"}
    assert made <= allowed


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00" + b"\0" * 99])
def test_no_archive_is_one_line(
    new: Path, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    moved(monkeypatch, new)
    with pytest.raises(UserError, match=r"b\.tar"):
        restore(tmp_path / "b.tar")


def test_a_cut_archive_is_refused(
    old: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for form in FORMS[1:3]:
        backup(tmp_path / form, store=True)
        raw = (tmp_path / form).read_bytes()
        (tmp_path / form).write_bytes(raw[: len(raw) * 2 // 3])
        moved(monkeypatch, new)
        with pytest.raises(UserError):
            restore(tmp_path / form)
        assert not (new / "runs").exists()
        moved(monkeypatch, old)


@pytest.mark.parametrize("how", ["link", "pipe", "nested"])
def test_a_hostile_folder_is_refused(
    old: Path, new: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "b"
    backup(folder, store=False)
    run = folder / "runs" / RUN / "run.json"
    if how == "nested":
        (folder / "manifest.json").write_text("[" * 200_000)
    else:
        content = run.read_bytes()
        run.unlink()
        (tmp_path / "else").write_bytes(content)
        run.symlink_to(tmp_path / "else") if how == "link" else os.mkfifo(run)
    moved(monkeypatch, new)
    with pytest.raises(UserError):
        restore(folder)
    assert not (new / "runs").exists()
