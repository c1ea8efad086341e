"""An S3-compatible server as a process of its own, behind a door that can be shut."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

BUCKET = "artifacts"


@dataclass
class Door:
    """Passes connections on to a port of this machine; shut, it refuses them."""

    target: int
    port: int = 0
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections and break those there are."""
        for one in [self._listener, *self._open]:
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._open.clear()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@dataclass
class S3:
    """A running server with one bucket."""

    address: str  # through the door
    direct: str  # past the door
    door: Door

    @property
    def variables(self) -> dict[str, str]:
        """What a person sets to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextlib.contextmanager
def s3_server(**variables: str) -> Iterator[S3]:
    """A moto server, with its bucket made by s3fs; its environment may be given variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )
    door = Door(port)
    try:
        direct = f"http://127.0.0.1:{port}"
        _wait_for(f"{direct}/moto-api/")
        door.open()
        s3 = S3(f"http://127.0.0.1:{door.port}", direct, door)
        filesystem(s3).mkdir(BUCKET)
        yield s3
    finally:
        door.shut()
        server.kill()
        server.wait()


def filesystem(s3: S3):
    """A file system of the test's own, past the door; it caches no listing."""
    import s3fs

    return s3fs.S3FileSystem(
        endpoint_url=s3.direct,
        key="key",
        secret="secret",
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"{address} does not answer"
            time.sleep(0.1)
