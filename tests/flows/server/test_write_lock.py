"""Requests that write to Prefect's SQLite file at the same time wait for each other."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from flows.server.access import authorization, secret_for
from flows.server.local import prefect_server

AT_ONCE, REQUESTS = 4, 100


@pytest.mark.prefect
def test_runs_that_are_started_at_once_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    with (
        prefect_server() as address,
        # Without what Prefect's clients and ours do after a 503: a browser does not try again.
        httpx.Client(
            base_url=address,
            headers=authorization(secret_for(address)),
            trust_env=False,
            timeout=120.0,
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as client,
    ):
        flow = client.post("/flows/", json={"name": "busy"}).json()["id"]
        made = client.post("/deployments/", json={"name": "busy", "flow_id": flow})
        path = f"/deployments/{made.json()['id']}/create_flow_run"
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sent = [pool.submit(client.post, path, json={}) for _ in range(REQUESTS)]
            statuses = Counter(one.result().status_code for one in sent)
        assert statuses == {httpx.codes.CREATED: REQUESTS}
        there = client.post("/flow_runs/count", json={}).json()
    assert there == REQUESTS
