"""A server of the few calls of the Hub's API that a push makes, with what arrived.

Creating a repository, listing and downloading files, asking how to upload, LFS's batch and upload,
and the commit. Not covered: Xet, the Hub's newer storage, whose server is not public; a client with
HF_HUB_DISABLE_XET=1 uses LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        path = self.path.split("?")[0]
        body = self._body()
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
        path = self.path.split("?")[0]
        if "/resolve/" in path:
            return self._file(path)
        if "/tree/" in path:
            files = self.state.repositories.get(path.removeprefix("/api/").split("/tree/")[0], {})
            return self._json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": "a" * 40}
                    for name, data in files.items()
                ]
            )
        name = path.removeprefix("/api/").partition("/revision/")[0]
        if (files := self.state.repositories.get(name)) is not None:
            about = {"id": name.partition("/")[2], "sha": COMMIT, "tags": [], "private": False}
            return self._json({**about, "siblings": [{"rfilename": one} for one in files]})
        return self._json({"error": path}, 404)

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
        data = self.state.repositories.get(kind, {}).get(rest.partition("/")[2])
        if data is None:
            return self._json({"error": "none"}, 404, {"X-Error-Code": "EntryNotFound"})
        about = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return self._send(data, 200, about)

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
