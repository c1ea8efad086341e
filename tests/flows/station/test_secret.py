"""The secret of a server: made once, read by one, and told to its own server alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from flows.server import access
from flows.server.address import ServerNote, write_note
from flows.server.api import Api
from tasks.errors import UserError
from tasks.settings.secret import kept_secret, read_secret
from tests.flows.station.conftest import Station, until
from tests.ports import free_port

NOBODY = 65534


@pytest.mark.station
@pytest.mark.prefect
def test_an_own_secret_is_taken_and_kept(tmp_path: Path) -> None:
    other = Station(tmp_path / "other", free_port(), free_port())
    ports = ("--port", str(other.port), "--pages", str(other.pages), "--no-browser")
    try:
        done = other.command("up", *ports, PREFECT_SERVER_API_AUTH_STRING="me:my own words")
        assert done.returncode == 0, done.stderr
        assert other.secret == "me:my own words"
        assert other.link in done.stdout
        assert other.api.post("/flows/filter", {}) != []
        again = other.command("up", *ports)  # in another terminal
        assert again.returncode == 0 and other.link in again.stdout
    finally:
        other.command("down")


def test_the_secret_goes_to_this_homes_own_server_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api"
        own = access.new_server_secret()
        monkeypatch.setenv(access.API, address)  # of the user's own server
        Api(address).get("/")
        assert access.secret_for(address) == ""
        write_note(ServerNote(address=address, pid=1))  # now it is this home's
        Api(address).get("/")
        server.shutdown()
    assert told == [None, f"Basic {access.encoded(own)}"]


def test_who_took_the_servers_port_is_not_told_the_secret(home: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or not python:
        pytest.skip("needs root, to be somebody else, and a python3 for everybody")
    port = free_port()
    address = f"http://127.0.0.1:{port}/api"
    access.new_server_secret()
    write_note(ServerNote(address=address, pid=1))
    thief = subprocess.Popen(
        [python, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        user=NOBODY,
        group=NOBODY,
        cwd="/",
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: socket.create_connection(("127.0.0.1", port), timeout=1))
        assert not access.is_ours(address)
        assert access.secret_for(address) == ""
    finally:
        thief.kill()
        thief.wait()


def test_a_secret_is_made_once_and_read_by_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    made = iter(range(1000))
    os.umask(before := os.umask(0))
    with ThreadPoolExecutor(16) as threads:
        os.umask(0)
        try:
            got = set(threads.map(lambda _: kept_secret(path, lambda: str(next(made))), range(64)))
        finally:
            os.umask(before)
    assert len(got) == 1 and read_secret(path) in got
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o640)
    with pytest.raises(UserError, match="others may read it"):
        read_secret(path)
