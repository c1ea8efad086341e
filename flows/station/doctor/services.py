"""Docker's engine, the station, its ports, its secret, and Prefect's database."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sqlite3
import time
from pathlib import Path

import psutil

from flows.server.access import API, secret_file
from flows.server.address import read_note, station
from flows.server.local import healthy, is_free
from flows.station.doctor.finding import Finding
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.settings.secret import read_secret

UI_PORT, PAGES_PORT = 4200, 4201
# A database of gigabytes is read in part.
_READ_SECONDS = 4.0
_STEPS = 10_000


def docker() -> list[Finding]:
    """The engine that untrusted programs run in, and the image for it."""
    from sandbox import TAG
    from sandbox.image import find_image
    from sandbox.owner import engine_api
    from sandbox.pool import NoEngine, connect

    name, image = "docker", "sandbox image"
    try:
        client = connect()
    except NoEngine as error:
        return [Finding(name, "missing", "math and text need none", str(error))]
    with contextlib.closing(client):
        info = engine_api(client).info()
        rootless = any("rootless" in one for one in info.get("SecurityOptions") or [])
        value = (
            f"{info.get('ServerVersion', '?')}, cgroup v{info.get('CgroupVersion', '1')}, "
            f"{'rootless' if rootless else 'as root'}"
        )
        found = find_image(client)
    there = Finding(name, "ok", value)
    if found is None:
        return [there, Finding(image, "missing", f"no {TAG}", "restem sandbox build")]
    return [there, Finding(image, "ok", f"{TAG} {found[:19]}")]


def ports() -> list[Finding]:
    """The station, or whether it could have its ports."""
    note = station() if _has_prefect() else None
    if note is not None:
        answers = healthy(note.address)
        again = sum(note.restarts.values())
        value = f"up at {note.address.removesuffix('/api')}, reports at {note.pages}"
        if not answers:
            log = home() / "prefect" / "server.log"
            return [Finding("station", "fails", f"{value}; its server does not answer", str(log))]
        return [Finding("station", "ok", f"{value}, parts started again {again} times")]
    found = [Finding("station", "missing", "not up; a run starts a server of its own", "restem up")]
    for port, flag in ((UI_PORT, "--port"), (PAGES_PORT, "--pages")):
        if not is_free(port):
            todo = f"restem up {flag} with another"
            found.append(Finding(f"port {port}", "warning", f"taken by {_owner(port)}", todo))
        else:
            found.append(Finding(f"port {port}", "ok", "free"))
    return found


def _has_prefect() -> bool:
    """Whether the home has a server's files; to look for them must not make any."""
    return (home() / "prefect").is_dir()


def _owner(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr[1] == port and one.pid:
                return f"process {one.pid} ({psutil.Process(one.pid).name()})"
    return "a process of another user"


def server() -> list[Finding]:
    """Which Prefect server a plain run would use."""
    if given := os.environ.get(API):
        note = read_note() if _has_prefect() else None
        whose = "this home's own" if note and note.address == given.rstrip("/") else "yours"
        return [Finding("prefect server", "ok", f"{whose}, by {API}; it was not asked")]
    return [Finding("prefect server", "ok", "this home's own")]


def database() -> list[Finding]:
    """Whether Prefect's database is whole, and not of a newer Prefect."""
    path, name = home() / "prefect" / "prefect.db", "prefect database"
    if not path.is_file():
        return [Finding(name, "ok", "made at the first run")]
    deadline = time.monotonic() + _READ_SECONDS
    size = f"{path.stat().st_size / 1e6:,.1f} MB"
    todo = f"`restem down`, and move {path} away: the store has the results"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as here:
            revision = here.execute("select version_num from alembic_version").fetchone()[0]
            here.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            said = here.execute("pragma quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return [Finding(name, "ok", f"{size}, not read whole: it is large")]
        return [Finding(name, "fails", f"{size}: {error}", todo)]
    except (sqlite3.DatabaseError, TypeError) as error:
        return [Finding(name, "fails", f"{size}: {error}", todo)]
    if said != "ok":
        return [Finding(name, "fails", f"{size}: {said[:100]}", todo)]
    if not _known(str(revision)):
        value = f"{size}, made by a newer Prefect (revision {revision})"
        return [
            Finding(name, "fails", value, "use the restem that made it, or another RESTEM_HOME")
        ]
    return [Finding(name, "ok", f"{size}, whole")]


def _known(revision: str) -> bool:
    """Whether Prefect has a migration that leads to a revision; Prefect itself is not loaded."""
    spec = importlib.util.find_spec("prefect")
    if spec is None or spec.origin is None:
        return True  # that it is missing is said elsewhere
    folder = (
        Path(spec.origin).parent / "server" / "database" / "_migrations" / "versions" / "sqlite"
    )
    files = list(folder.glob("*.py"))
    mark = f'revision = "{revision}"'
    return not files or any(mark in file.read_text(encoding="utf-8") for file in files)


def secret() -> list[Finding]:
    """Whether the secret is this user's alone."""
    if not _has_prefect():
        return [Finding("secret", "ok", "made at the first start")]
    try:
        there = read_secret(secret_file())
    except UserError as error:
        return [Finding("secret", "fails", str(error), "remove the file")]
    return [Finding("secret", "ok", "yours alone" if there else "made at the first start")]
