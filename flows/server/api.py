"""A few calls to a Prefect server's REST API, without Prefect.

The supervisor lives for weeks beside a training run, and Prefect's own client is large
(docs/decisions/0008-rest-client.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from flows.server.access import authorization, secret_for
from tasks.rows import Json

SECONDS = 10.0
# A server on SQLite that is not ours (flows/server/write_lock.py) says 503 when another of its own
# writers came between, however long it had waited; Prefect's clients try again as well.
_BUSY_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class ApiError(Exception):
    """The server did not answer, or not with what was asked for.

    Attributes:
        status: HTTP status; 0 when there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class FlowRun:
    """A flow run and its state.

    Attributes:
        pool: Its work pool; None for a run of the command line.
        kind: Type of the state, such as RUNNING.
        state: Name of the state, such as Running.
        state_id: Another one for each change of the state.
        since: When it came to the state.
    """

    id: str
    name: str
    pool: str | None
    kind: str
    state: str
    state_id: str
    since: datetime


class Api:
    """A server's API; for any thread.

    Args:
        address: Such as http://127.0.0.1:4200/api.
        seconds: How long to wait for an answer, where a call does not say it itself.
        secret: What it asks for; None: what flows/server/access.py knows for this address.
    """

    def __init__(self, address: str, seconds: float = SECONDS, secret: str | None = None) -> None:
        self.address, self._secret = address.rstrip("/"), secret
        # The secret goes to this address alone: through no proxy of the environment, after no
        # redirection, and over a new connection each time, once it is known who listens.
        self._client = httpx.Client(
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def get(self, path: str, seconds: float | None = None) -> Any:
        """GET, as JSON.

        Raises:
            ApiError: no answer, or an error status; its text has the server's own words.
        """
        return self._ask("GET", path, seconds=seconds)

    def post(self, path: str, body: object) -> Any:
        """POST JSON, and the answer's JSON; errors as `get`."""
        return self._ask("POST", path, body)

    def patch(self, path: str, body: object) -> None:
        """PATCH with JSON; errors as `get`."""
        self._ask("PATCH", path, body)

    def healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return self._sent("GET", "/health", None, 2.0).text == "true"
        except ApiError:
            return False

    def flow_run(self, run: str, seconds: float | None = None) -> FlowRun:
        """A flow run by its id; errors as `get`."""
        return _flow_run(self.get(f"/flow_runs/{run}", seconds))

    def flow_runs(self, *kinds: str) -> list[FlowRun]:
        """At most 200 flow runs whose state is of one of these types; errors as `get`."""
        query = {"flow_runs": {"state": {"type": {"any_": kinds}}}, "limit": 200}
        return [_flow_run(one) for one in self.post("/flow_runs/filter", query)]

    def set_state(self, run: str, name: str, message: str) -> None:
        """Propose a final state of a flow run, such as Cancelled; errors as `get`.

        Without force: a run that ended in this very moment keeps its end, and a forced state would
        not give back the deployment's concurrency slot.
        """
        state = {"type": name.upper(), "name": name, "message": message}
        self.post(f"/flow_runs/{run}/set_state", {"state": state, "force": False})

    def _ask(
        self, method: str, path: str, body: object = None, seconds: float | None = None
    ) -> Any:
        reply = self._sent(method, path, body, seconds)
        for wait in _BUSY_WAITS:
            if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(wait)
            reply = self._sent(method, path, body, seconds)
        if not reply.is_success:
            said = f"{reply.status_code} {reply.text[:10_000]}"
            raise ApiError(f"{method} {path}: {said}", reply.status_code)
        try:
            return reply.json() if reply.content else None
        except ValueError:
            raise ApiError(f"{method} {path}: the answer is not JSON") from None

    def _sent(self, method: str, path: str, body: object, seconds: float | None) -> httpx.Response:
        given = secret_for(self.address) if self._secret is None else self._secret
        try:
            return self._client.request(
                method,
                self.address + path,
                json=body,
                headers=authorization(given),
                timeout=seconds or httpx.USE_CLIENT_DEFAULT,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(f"{method} {path}: {error}") from None


def _flow_run(answer: Json) -> FlowRun:
    try:
        state = answer["state"]
        return FlowRun(
            id=answer["id"],
            name=answer["name"],
            pool=answer["work_pool_name"],
            kind=state["type"],
            state=state["name"],
            state_id=state["id"],
            since=datetime.fromisoformat(state["timestamp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ApiError(f"a flow run of another form than Prefect's ({error!r})") from None
