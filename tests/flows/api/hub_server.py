"""A server of the few calls of the Hub's API that pushes and downloads make, with what arrived.

Repositories that are read may have commits, to which branches and tags point (`Hub.release`).
Creating a repository, listing and downloading files, asking how to upload, LFS's batch and upload,
and the commit. Not covered: Xet, the Hub's newer storage, whose server is not public; a client with
HF_HUB_DISABLE_XET=1 uses LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

TOKEN = "hf_NeverToBeSeen"
COMMIT = "c" * 40
# Files of these endings go through LFS, as on the Hub.
LARGE = (".safetensors", ".parquet")


@dataclass
class Hub:
    """What the server holds."""

    address: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    history: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def release(self, name: str, files: dict[str, bytes], *names: str) -> str:
        """A commit of a repository.

        Args:
            name: Such as models/org/name or datasets/org/name.
            files: All of its files.
            names: Branches and tags that point to it from now on.

        Returns:
            The commit.
        """
        text = repr((name, sorted(files.items()))).encode()
        commit = hashlib.sha1(text).hexdigest()
        self.history[name, commit] = dict(files)
        for one in names:
            self.names[name, one] = commit
        return commit

    def found(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and the files of a repository; None where there is no such revision."""
        if name in self.repositories:
            return COMMIT, self.repositories[name]
        commit = self.names.get((name, revision), revision)
        files = self.history.get((name, commit))
        return None if files is None else (commit, files)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = _Server(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()


class _Server(ThreadingHTTPServer):
    """Ends the connections that clients keep, too: otherwise it would go on answering them."""

    def __init__(self, *args: Any) -> None:
        self._connections: list[socket.socket] = []
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        for one in self._connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _paths(body: bytes) -> list[bytes]:
    """The paths of a form, or of JSON."""
    try:
        return [one.encode() for one in json.loads(body)["paths"]]
    except ValueError:
        return [value for name, value in parse_qsl(body) if name == b"paths"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        path = unquote(self.path.split("?")[0])
        body = self._body()
        if "/paths-info/" in path:
            name, _, revision = path.removeprefix("/api/").partition("/paths-info/")
            found = self.state.found(name, revision)
            asked = {one.decode() for one in _paths(body)}
            files = {one: data for one, data in (found[1] if found else {}).items() if one in asked}
            return self._json(self._listed(files)) if found else self._missing(name)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._json({"error": "no"}, 401)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        name, _, action = path.removeprefix("/api/").rpartition("/main")[0].rpartition("/")
        if action == "preupload":
            files = json.loads(body)["files"]
            return self._json({"files": [self._mode(one["path"]) for one in files]})
        if action == "commit":
            return self._commit(name, body)
        return self._json({"error": path}, 404)

    def do_PUT(self) -> None:
        body = self._body()
        oid = self.path.rpartition("/")[2]
        if hashlib.sha256(body).hexdigest() != oid:
            return self._json({"error": "another content"}, 400)
        self.state.objects[oid] = body
        return self._json({})

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        self.state.asked.append(path)
        if "/resolve/" in path:
            return self._file(path)
        if "/tree/" in path:
            name, _, rest = path.removeprefix("/api/").partition("/tree/")
            found = self.state.found(name, rest.partition("/")[0])
            return self._json(self._listed(found[1])) if found else self._missing(name)
        name, _, revision = path.removeprefix("/api/").partition("/revision/")
        if found := self.state.found(name, revision or "main"):
            commit, files = found
            about = {"id": name.partition("/")[2], "sha": commit, "tags": [], "private": False}
            return self._json({**about, "siblings": [{"rfilename": one} for one in files]})
        return self._missing(name)

    def _listed(self, files: dict[str, bytes]) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
            for name, data in files.items()
        ]

    def _missing(self, name: str) -> None:
        known = {one for one, _ in self.state.history} | self.state.repositories.keys()
        code = "RevisionNotFound" if name in known else "RepoNotFound"
        return self._json({"error": name}, 404, {"X-Error-Code": code})

    do_HEAD = do_GET

    def _create(self, asked: dict[str, Any]) -> None:
        kind = f"{asked.get('type', 'model')}s"
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        url = f"{self.state.address}/{'' if kind == 'models' else kind + '/'}{name}"
        if f"{kind}/{name}" in self.state.repositories:
            return self._json({"error": "exists", "url": url}, 409)
        self.state.repositories[f"{kind}/{name}"] = {".gitattributes": b""}
        self.state.private[f"{kind}/{name}"] = asked.get("visibility") == "private" or bool(
            asked.get("private")
        )
        return self._json({"url": url})

    def _mode(self, path: str) -> dict[str, Any]:
        mode = "lfs" if path.endswith(LARGE) else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.state.address}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        return self._json({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, body: bytes) -> None:
        files = self.state.repositories[name]
        for line in body.splitlines():
            one = json.loads(line)
            value = one["value"]
            if one["key"] == "header":
                self.state.commits.append(value["summary"])
            elif one["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                files[value["path"]] = self.state.objects[value["oid"]]
            elif one["key"] == "deletedFile":
                del files[value["path"]]
        return self._json({"commitUrl": f"{self.state.address}/{name}", "commitOid": COMMIT})

    def _file(self, path: str) -> None:
        place, _, rest = path.lstrip("/").partition("/resolve/")
        kind = place if place.startswith("datasets/") else f"models/{place}"
        revision, _, name = rest.partition("/")
        if (found := self.state.found(kind, revision)) is None:
            return self._missing(kind)
        commit, files = found
        if (data := files.get(name)) is None:
            return self._json({"error": "none"}, 404, {"X-Error-Code": "EntryNotFound"})
        return self._send(data, 200, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": commit})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, value: object, status: int = 200, more: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), status, more or {})

    def _send(self, data: bytes, status: int, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
