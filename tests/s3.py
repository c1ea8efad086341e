"""An S3-compatible server as a process of its own, behind a door that can be shut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.sampling import _local_s3
from bench.sampling._local_s3 import BUCKET, local_s3
from tests.ports import free_port

__all__ = ["BUCKET", "S3", "Door", "filesystem", "s3_server"]


@dataclass
class Door:
    """Passes connections on to a port of this machine; shut, it refuses them."""

    target: int
    port: int  # no other process gets it while the door is shut
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
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
    port: int  # past the door
    door: Door

    @property
    def direct(self) -> str:
        """The address past the door."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a person sets to reach it."""
        return _local_s3.variables(self.address)


@contextlib.contextmanager
def s3_server(**variables: str) -> Iterator[S3]:
    """A moto server, with its bucket made by s3fs; its environment may be given variables."""
    with local_s3(**variables) as port:
        door = Door(port, free_port())
        try:
            door.open()
            yield S3(f"http://127.0.0.1:{door.port}", port, door)
        finally:
            door.shut()


def filesystem(s3: S3):
    """A file system of the test's own, past the door; it caches no listing."""
    return _local_s3.filesystem(s3.port)
