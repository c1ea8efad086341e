"""`restem doctor`: each thing that is wrong is said, and looking changes nothing."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.server.access import secret_file
from flows.station.doctor import machine, services, variables
from flows.station.doctor.doctor import CHECKS, ready
from flows.station.doctor.finding import Check, Finding, examine
from tasks.paths import ROOT
from tests.upgrade.old_home import unpack

# The verb, with as much time for a look as a machine needs that is busy with other tests.
PATIENT = """
import sys
from dataclasses import replace
from flows.station.doctor import doctor, packages
doctor.CHECKS = [replace(check, seconds=300.0) for check in doctor.CHECKS]
packages.TORCH_SECONDS = 300.0
from flows.cli.main import main
sys.argv = ["restem", "doctor", "--json"]
main()
"""


def run(**env: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """The verb: its exit code, the findings by name, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PATIENT],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    said = json.loads(done.stdout)
    assert said["ready"] == (done.returncode == 0)
    return done.returncode, {one["name"]: one for one in said["findings"]}, done.stdout


@pytest.mark.slow
def test_all_is_looked_at_and_a_machine_that_works_is_ready(home: Path) -> None:
    code, found, _ = run()
    assert code == 0, found
    assert {check.name for check in CHECKS} <= set(found)
    assert found["torch"]["state"] == found["packages"]["state"] == "ok"
    assert not home.exists()


@pytest.mark.slow
def test_what_would_fail_ends_with_1_and_no_key_is_shown(home: Path) -> None:
    unpack(home)
    (home / "prefect" / "prefect.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    code, found, out = run(OPENAI_API_KEY="sk-hidden-word", RESTEM_PATH="/nowhere")
    assert code == 1
    assert found["prefect database"]["state"] == "fails"
    assert "OPENAI_API_KEY" in out and "hidden-word" not in out
    assert "RESTEM_PATHS" in found["RESTEM_PATH"]["todo"]


def test_checks_run_at_once_and_none_holds_the_others_up() -> None:
    stop, meet = threading.Event(), threading.Barrier(2, timeout=300)

    def met() -> list[Finding]:
        meet.wait()
        return [Finding("met", "ok", "")]

    def fail() -> list[Finding]:
        raise ValueError("a\nreason")

    def hang() -> list[Finding]:
        stop.wait()
        return []

    checks = [
        Check("one", met, 300.0),
        Check("two", met, 300.0),
        Check("hangs", hang, 0.1, needed=True),
        Check("breaks", fail, 300.0),
    ]
    found = examine(checks)
    stop.set()
    assert [(one.name, one.state) for one in found] == [
        ("met", "ok"),
        ("met", "ok"),
        ("hangs", "fails"),
        ("breaks", "warning"),
    ]
    assert found[-1].value == "ValueError: a reason"
    assert not ready(found)


def _other_can_read(home: Path) -> None:
    secret_file().write_text("restem:word")
    secret_file().chmod(0o644)


def _newer(home: Path) -> None:
    with sqlite3.connect(home / "prefect" / "prefect.db") as database:
        database.execute("update alembic_version set version_num = 'ffffffffffff'")
    database.close()


def _torn(home: Path) -> None:
    path = home / "prefect" / "prefect.db"
    raw = bytearray(path.read_bytes())
    raw[8192:100_000] = b"x" * (100_000 - 8192)
    path.write_bytes(raw)


def _no_database(home: Path) -> None:
    (home / "prefect" / "prefect.db").write_text("no database")


@pytest.mark.parametrize(
    ("break_it", "look", "said"),
    [
        (_other_can_read, services.secret, "others may read it"),
        (_newer, services.database, "newer Prefect"),
        (_torn, services.database, "MB: "),
        (_no_database, services.database, "not a database"),
    ],
)
def test_what_is_broken_in_the_home_fails(
    home: Path,
    break_it: Callable[[Path], None],
    look: Callable[[], list[Finding]],
    said: str,
) -> None:
    unpack(home)
    assert look()[0].state == "ok"
    break_it(home)
    [found] = look()
    assert found.state == "fails" and said in found.value and found.todo


def test_a_home_that_cannot_be_written_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOME", "/proc/restem")
    home, _, temporary = machine.disks()
    assert home.state == "fails" and "RESTEM_HOME" in home.todo
    assert temporary.state != "fails"


def test_who_has_a_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(services, "UI_PORT", port)
        found = next(one for one in services.ports() if one.name == f"port {port}")
    assert found.state == "warning" and f"process {os.getpid()}" in found.value


def test_few_open_files_are_said() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        [found] = machine.open_files()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found.state == "warning" and "ulimit" in found.todo


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [
        ("RESTEM_HOSTS", "a@b", "fails"),
        ("RESTEM_DATA", "/nowhere/at/all", "warning"),
        ("RESTEM_PATHS", "/:/nowhere/at/all", "warning"),
        ("RESTEM_HOSTSS", "gpu1", "warning"),
    ],
)
def test_a_variable_that_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, state: str
) -> None:
    monkeypatch.delenv("RESTEM_DATA", raising=False)
    assert [one.state for one in variables.variables()] == ["ok"]
    monkeypatch.setenv(name, value)
    [found] = variables.variables()
    assert (found.name, found.state) == (name, state)
