"""A few calls to a Prefect server's REST API with the standard library alone.

The supervisor lives for weeks beside a training run; importing Prefect would cost it 150 MB.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from flows.server.access import authorization, secret_for

SECONDS = 10.0
# A server on SQLite says 503 when another of its own writers came between, however long it had
# waited; Prefect's clients try again as well.
_BUSY = 503
_BUSY_WAITS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class ApiError(Exception):
    """The server did not answer, or not with what was asked for.

    Attributes:
        status: HTTP status; 0 when there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """A server's API.

    Args:
        address: Such as http://127.0.0.1:4200/api.
        seconds: How long to wait for an answer, where a call does not say it itself.
        secret: What it asks for; None: what flows/server/access.py knows for this address.
    """

    def __init__(self, address: str, seconds: float = SECONDS, secret: str | None = None) -> None:
        self.address, self._seconds, self._secret = address.rstrip("/"), seconds, secret

    def get(self, path: str, seconds: float | None = None) -> Any:
        """GET, as JSON.

        Raises:
            ApiError: no answer, or an error status.
        """
        return self._patiently("GET", path, seconds=seconds)

    def post(self, path: str, body: Any) -> Any:
        """POST JSON, and the answer's JSON.

        Raises:
            ApiError: no answer, or an error status; its text has the server's own words.
        """
        return self._patiently("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        """PUT JSON; as `post`."""
        return self._patiently("PUT", path, body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH with JSON; as `post`."""
        return self._patiently("PATCH", path, body)

    def healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return self._ask("GET", "/health", None, 2.0) is True
        except ApiError:
            return False

    def _patiently(
        self, method: str, path: str, body: Any = None, seconds: float | None = None
    ) -> Any:
        seconds = seconds or self._seconds
        for wait in _BUSY_WAITS:
            try:
                return self._ask(method, path, body, seconds)
            except ApiError as error:
                if error.status != _BUSY:
                    raise
            time.sleep(wait)
        return self._ask(method, path, body, seconds)

    def _ask(self, method: str, path: str, body: Any, seconds: float) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path,
            data=data,
            method=method,
            headers={"Content-Type": "application/json", **self._signed()},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            words = error.read(10_000).decode(errors="replace")
            raise ApiError(f"{method} {path}: {error.code} {words}", error.code) from None
        except OSError as error:
            raise ApiError(f"{method} {path}: {error}") from None
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise ApiError(f"{method} {path}: the answer is not JSON") from None

    def _signed(self) -> dict[str, str]:
        """The header that shows the secret."""
        given = secret_for(self.address) if self._secret is None else self._secret
        return authorization(given)
