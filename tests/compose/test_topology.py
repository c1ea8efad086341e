"""The processes of docker-compose.yml do what the file is for, and survive what kills them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows.config.rest_em import load_config
from tasks.paths import ROOT
from tests.compose.topology import Topology
from tests.compose.topology_local import PREFIX
from tests.small import TINY

# A busy machine may take long to answer.
SECONDS = 300.0
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def client(topology: Topology) -> httpx.Client:
    return httpx.Client(base_url=topology.api, auth=auth(topology), timeout=SECONDS)


def auth(topology: Topology) -> tuple[str, str]:
    user, _, password = topology.auth.partition(":")
    return user, password


def create(topology: Topology, *changes: str) -> str:
    """Start the tiny demo by its deployment, as the UI does; the flow run's id."""
    config = load_config("math-demo", [*TINY, *changes]).model_dump(mode="json")
    with client(topology) as api:
        found = api.get("/deployments/name/rest-em/math-demo").raise_for_status().json()
        made = api.post(
            f"/deployments/{found['id']}/create_flow_run", json={"parameters": {"config": config}}
        )
        return made.raise_for_status().json()["id"]


def state(topology: Topology, run: str) -> dict[str, Any]:
    with client(topology) as api:
        return api.get(f"/flow_runs/{run}").raise_for_status().json()["state"]


def until(condition: Callable[[], object]) -> None:
    while not condition():  # pytest-timeout bounds it
        time.sleep(0.1)


def end(topology: Topology, run: str) -> dict[str, Any]:
    until(lambda: state(topology, run)["type"] in ENDED)
    return state(topology, run)


def artifacts(topology: Topology) -> int:
    return len(list(topology.home.glob("store/*/*/manifest.json")))


def processes(folder: Path) -> list[str]:
    """Command lines of what has the folder in its environment or its command."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline() + [f"{k}={v}" for k, v in process.environ().items()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


def databases() -> list[Path]:
    """Folders of this process's databases, which lie outside the topology's."""
    found = []
    for note in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/owner"):
        with contextlib.suppress(FileNotFoundError):  # another's, who is just removing it
            if note.read_text() == str(os.getpid()):
                found.append(note.parent)
    return found


def test_the_api_answers_nobody_without_the_password(topology: Topology):
    assert httpx.get(f"{topology.api}/health", timeout=SECONDS).status_code == 200
    for wrong in (None, ("restem", "wrong"), ("", "")):
        ask = f"{topology.api}/flows/filter"
        given = httpx.post(ask, json={}, auth=wrong, timeout=SECONDS)
        assert given.status_code == 401, wrong
        given = httpx.get(topology.pages, auth=wrong, timeout=SECONDS)
        assert given.status_code == 401, wrong
    for name in ("Host", "Origin"):
        headers = {name: "http://evil.example" if name == "Origin" else "evil.example"}
        ask = f"{topology.api}/flows/filter"
        given = httpx.post(ask, json={}, auth=auth(topology), headers=headers, timeout=SECONDS)
        assert given.status_code == 403
    headers = {"Host": "evil.example"}
    evil = httpx.get(topology.pages, auth=auth(topology), headers=headers, timeout=SECONDS)
    assert evil.status_code == 403
    with client(topology) as api:
        assert api.post("/flows/filter", json={}).status_code == 200


def test_redis_and_postgres_ask_for_their_passwords(topology: Topology):
    import asyncio

    import asyncpg
    import redis

    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=topology.ports[6379]).ping()

    async def enter() -> None:
        where = {"host": "127.0.0.1", "port": topology.ports[5432]}
        who = {"user": "prefect", "database": "prefect", "password": "wrong"}
        await asyncpg.connect(**who, **where, timeout=SECONDS)

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(enter())


def test_the_deployments_the_pool_and_the_automations_are_registered(topology: Topology):
    with client(topology) as api:
        deployments = api.post("/deployments/filter", json={}).json()
        pool = api.get("/work_pools/restem").json()
        automations = api.post("/automations/filter", json={}).json()
    assert {"math-demo", "apps", "latest"} <= {each["name"] for each in deployments}
    assert pool["type"] == "process" and pool["concurrency_limit"] == 1
    assert any("heartbeat" in each["name"] for each in automations)


def test_prefect_keeps_its_events_in_redis_and_its_runs_in_postgres(topology: Topology):
    import redis

    address = topology.environment("server")["PREFECT_REDIS_MESSAGING_URL"]
    with redis.Redis.from_url(address) as found:
        assert found.dbsize() > 0
    assert not list(topology.folder.glob("**/prefect.db"))


def test_a_run_completes_although_postgres_is_killed_twice(topology: Topology):
    run = create(topology)
    until(lambda: artifacts(topology) >= 6)
    topology.kill("postgres")
    until(lambda: not topology.healthy("server"))
    topology.restart("postgres")
    topology.wait("server")

    def head() -> dict[str, Any]:
        return json.loads(next(topology.home.glob("runs/*/run.json")).read_text())

    until(lambda: head()["state"] != "running")
    topology.kill("postgres")  # when the run's end is told
    until(lambda: not topology.healthy("server"))
    topology.restart("postgres")
    ended = end(topology, run)
    assert ended["type"] == "COMPLETED", ended
    name = next(topology.home.glob("runs/*/run.json")).parent.name
    report = f"{topology.pages}/runs/{name}/report.html"
    assert httpx.get(report, auth=auth(topology), timeout=SECONDS).status_code == 200
    assert name in httpx.get(topology.pages, auth=auth(topology), timeout=SECONDS).text


def test_a_run_whose_worker_is_killed_is_marked_and_a_retry_completes_it(topology: Topology):
    before = artifacts(topology)
    run = create(topology, "seed=5")
    until(lambda: artifacts(topology) >= before + 2)  # and long before it is over
    topology.crash("worker")
    ended = end(topology, run)
    assert ended["type"] == "CRASHED", ended
    with client(topology) as api:
        again = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
        api.post(f"/flow_runs/{run}/set_state", json=again).raise_for_status()
    until(lambda: state(topology, run)["type"] in ENDED - {"CRASHED"})
    assert state(topology, run)["type"] == "COMPLETED"


@pytest.mark.parametrize("name", ["redis", "server", "services", "pages"])
def test_what_dies_is_started_again(topology: Topology, name: str):
    starts = topology.pid(name)
    topology.crash(name)
    until(lambda: topology.running(name) and _pid(topology, name) not in (0, starts))
    topology.wait(name)
    for other in ("server", "services", "worker"):
        topology.wait(other)


def _pid(topology: Topology, name: str) -> int:
    from tests.compose.topology import TopologyError

    try:
        return topology.pid(name)
    except TopologyError:
        return 0


def test_nothing_is_left_where_the_owner_is_killed(
    new_topology: Callable[[], Topology], tmp_path: Path
):
    folder = tmp_path / "topology"
    script = [sys.executable, "-m", "tests.compose.topology", str(folder)]
    owner = subprocess.Popen(script, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("API: ")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    until(lambda: not processes(folder))


def test_nothing_is_left_of_a_stopped_one(topology: Topology):
    """The last test: it stops the one that all others use."""
    assert processes(topology.folder) and len(databases()) == 1
    topology.stop()
    assert databases() == []
    until(lambda: not processes(topology.folder))
