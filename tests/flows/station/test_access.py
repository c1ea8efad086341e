"""Who may ask a station: nobody without its secret, and nobody by another name of it.

Each refusal is of the same request, which would have run a command on this machine.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from flows.server import access
from flows.server.api import ApiError
from tests.flows.station.conftest import PATIENCE, Station
from tests.small import TINY

EVIL = "http://evil.example"
NOBODY = 65534


class Attack:
    """A request that starts a run with a command of its own."""

    def __init__(self, station: Station, folder: Path) -> None:
        self.station, self.mark = station, folder / "it-ran"
        self.path = f"/api/deployments/{station.deployment('rest-em/math-demo')['id']}"
        self.path += "/create_flow_run"
        self.body = json.dumps({"job_variables": {"command": f"touch {self.mark}"}})
        self._runs = self._count()

    def send(self, **headers: str) -> int:
        """The status that it is answered with."""
        link = http.client.HTTPConnection("127.0.0.1", self.station.port, timeout=300)
        link.request("POST", self.path, self.body, headers)
        status = link.getresponse().status
        link.close()
        return status

    def failed(self) -> bool:
        """Whether there is no run, and no command ran."""
        return self._count() == self._runs and not self.mark.exists()

    def _count(self) -> int:
        return self.station.api.post("/flow_runs/count", {})


@pytest.fixture
def attack(station: Station, tmp_path: Path) -> Attack:
    return Attack(station, tmp_path)


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_nobody_is_answered_without_the_secret(attack: Attack, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    for wrong in ("", "Basic", "Basic cmVzdGVtOg==", "Bearer x", "Basic " + "x" * 9999):
        assert attack.send(**headers, Authorization=wrong) == 401
    cookie = f"{access.COOKIE}={access.derived(attack.station.secret, 'pages')}"
    assert attack.send(**headers, Cookie=cookie) == 401  # it is good for reports alone
    assert attack.send(**headers, Origin=EVIL) == 403
    assert attack.send(**headers, Host="evil.example") == 403
    assert attack.failed()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:{pages}"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:{pages}"},
        {"Host": "127.0.0.1:{port}.evil.example"},
        {"Host": ""},
    ],
)
def test_even_with_the_secret_only_its_own_pages_by_its_own_name(
    attack: Attack, headers: dict[str, str]
) -> None:
    station = attack.station
    given = {k: v.format(port=station.port, pages=station.pages) for k, v in headers.items()}
    secret = access.authorization(station.secret)
    assert attack.send(**given, **secret, **{"Content-Type": "application/json"}) == 403
    for path in ("/api/health", "/", "/open", "/ui-settings", "/api/admin/version"):
        for method in ("GET", "OPTIONS"):
            assert _ask(station.port, method, path, **given, **secret) == 403
    assert attack.failed()


def test_two_names_at_once_are_none(station: Station) -> None:
    with socket.create_connection(("127.0.0.1", station.port), timeout=300) as link:
        own = f"Host: 127.0.0.1:{station.port}\r\n"
        link.sendall(f"GET /api/health HTTP/1.1\r\n{own}Host: evil.example\r\n\r\n".encode())
        assert link.recv(100).split()[1] in (b"400", b"403")


def test_what_needs_no_secret_goes_on(station: Station) -> None:
    for path in ("/api/health", "/api/ready", "/open"):
        for name in ("127.0.0.1", "localhost", "[::1]"):
            assert _ask(station.port, "GET", path, Host=f"{name}:{station.port}") == 200


@pytest.mark.parametrize("path", ["/api/events/in", "/api/events/out", "/api/logs/out"])
def test_websockets_are_looked_at_too(station: Station, path: str) -> None:
    address = f"ws://127.0.0.1:{station.port}{path}"
    options: dict[str, Any]
    for where, origin in ((address, EVIL), (address.replace("127.0.0.1", "evil.example"), None)):
        sock = socket.create_connection(("127.0.0.1", station.port), timeout=300)
        options = {**_PATIENT, "origin": origin, "sock": sock}
        with pytest.raises(InvalidStatus) as caught, connect(where, **options):
            pass
        assert caught.value.response.status_code == 403
    for own in ({}, {"origin": f"http://127.0.0.1:{station.port}"}):
        options = {**_PATIENT, **own}
        with pytest.raises(ConnectionClosed), connect(address, **options) as link:
            link.send(json.dumps({"type": "auth", "token": "wrong"}))
            while json.loads(link.recv(PATIENCE))["type"] != "auth_success":
                pass
            pytest.fail("let in without the secret")


_PATIENT: dict[str, Any] = {"subprotocols": ["prefect"], "open_timeout": PATIENCE}


def test_another_user_of_this_machine(attack: Attack, station: Station) -> None:
    """With curl, with the file of the secret, and with what the kernel shows of processes."""
    if os.geteuid() != 0 or not shutil.which("curl"):
        pytest.skip("needs root, to be somebody else, and curl")
    for parent in station.home.relative_to("/tmp").parents:  # the test's own, closed to others
        if parent != Path("."):
            Path("/tmp", parent).chmod(0o755)
    station.home.chmod(0o755)
    ui = f"http://127.0.0.1:{station.port}"
    told = ["-H", "Content-Type: application/json", "--data", attack.body, ui + attack.path]
    assert _nobody("curl", *_CODE, *told) == "401"
    assert _nobody("curl", *_CODE, f"http://127.0.0.1:{station.pages}/") == "401"
    assert (
        _nobody("curl", *_CODE, "--data", "x", f"http://127.0.0.1:{station.pages}/notices") == "401"
    )
    folder = station.home / "prefect"
    assert folder.stat().st_mode & 0o077 == 0
    for part in ("server", "worker", "pages_pid", "pid"):
        assert _nobody("cat", f"/proc/{station.note()[part]}/environ") == ""
    folder.chmod(0o755)  # the file holds by itself
    try:
        assert _nobody("cat", str(folder / "server.json"))
        assert _nobody("cat", str(folder / "secret")) == ""
    finally:
        folder.chmod(0o700)
    assert attack.failed()


_CODE = ("-s", "-o", "/dev/null", "-w", "%{http_code}")


def _nobody(*command: str) -> str:
    done = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, cwd="/"
    )
    return done.stdout


def test_the_secret_is_in_one_file_and_in_no_command(station: Station) -> None:
    station.wait_for(station.start(*TINY), "COMPLETED")
    secret = station.secret
    forms = [secret.partition(":")[2].encode(), access.encoded(secret).encode()]
    for process in station.processes():
        command = _content(Path(f"/proc/{process.pid}/cmdline"))
        assert not any(form in command for form in forms), command
    holders = {
        path.relative_to(station.home)
        for path in _files(station.home)
        if any(form in _content(path) for form in forms)
    }
    assert holders == {Path("prefect/secret")}
    assert (station.home / "prefect" / "secret").stat().st_mode & 0o777 == 0o600


def _files(folder: Path) -> list[Path]:
    """All files below a folder in which others are at work: one that vanishes meanwhile is none."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _content(path: Path) -> bytes:
    """Of a file, or nothing where it has gone since it was seen."""
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


@pytest.mark.parametrize(
    "given",
    [
        {"command": "touch {mark}"},
        {"env": {"PYTHONPATH": "{folder}"}},
        {"env.PYTHONPATH": "{folder}"},
        {"working_dir": "{folder}"},
        {"stream_output": True},
        {"anything": 1},
    ],
)
def test_job_variables_are_refused_whoever_sends_them(
    station: Station, attack: Attack, tmp_path: Path, given: dict[str, Any]
) -> None:
    text = json.dumps(given).replace("{mark}", str(attack.mark))
    variables = json.loads(text.replace("{folder}", str(tmp_path)))
    found = station.deployment("rest-em/math-demo")
    flow_run = {"flow_id": found["flow_id"], "work_pool_name": "restem"}
    deployment = {"flow_id": found["flow_id"], "name": "mine", "work_pool_name": "restem"}
    for send in (
        lambda: station.api.post(
            f"/deployments/{found['id']}/create_flow_run", {"job_variables": variables}
        ),
        lambda: station.api.post("/flow_runs/", {**flow_run, "job_variables": variables}),
        lambda: station.api.post("/deployments/", {**deployment, "job_variables": variables}),
        lambda: station.api.patch(f"/deployments/{found['id']}", {"job_variables": variables}),
    ):
        with pytest.raises(ApiError) as caught:
            send()
        assert caught.value.status in (409, 422)
    assert attack.failed()


def test_job_variables_that_got_by_change_nothing(station: Station, attack: Attack) -> None:
    """As if the server had taken them: the worker has nothing to put them in."""
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2999-01-01T00:00:00Z"}}
    path = f"/deployments/{station.deployment('rest-em/math-demo')['id']}/create_flow_run"
    from flows.config.rest_em import load_config

    config = load_config("math-demo", list(TINY)).model_dump(mode="json")
    run = station.api.post(path, {"parameters": {"config": config}, "state": later})["id"]
    env = {"PREFECT_HOME": str(attack.mark), "PYTHONSTARTUP": str(attack.mark)}
    given = {"command": f"touch {attack.mark}", "working_dir": "/", "env": env}
    with sqlite3.connect(station.home / "prefect" / "prefect.db", timeout=PATIENCE) as database:
        changed = database.execute(
            "UPDATE flow_run SET job_variables = ? WHERE id = ?", (json.dumps(given), run)
        )
        assert changed.rowcount == 1
    assert station.api.get(f"/flow_runs/{run}")["job_variables"] == given
    station.set_state(run, "Scheduled")
    station.wait_for(run, "COMPLETED")
    assert not attack.mark.exists()


def _ask(port: int, method: str, path: str, **headers: str) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    link.request(method, path, headers=headers)
    status = link.getresponse().status
    link.close()
    return status
