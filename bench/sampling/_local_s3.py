"""An S3-compatible server as a process of this machine, for benchmarks and tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from tasks.errors import StepError, UserError

BUCKET = "artifacts"
KEY, SECRET = "key", "secret"
S3_START_SECONDS = 60.0


def variables(address: str) -> dict[str, str]:
    """What a person sets to reach a server at this address."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextlib.contextmanager
def local_s3(**environment: str) -> Iterator[int]:
    """Give the port of a running moto server with one bucket.

    Args:
        environment: Further variables of the server.

    Raises:
        UserError: moto is not installed.
        StepError: it does not answer.
    """
    try:
        import moto  # noqa: F401
    except ImportError:
        raise UserError("no S3 server to start; pip install 'moto[server]'") from None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/moto-api/")
        filesystem(port).mkdir(BUCKET)
        yield port
    finally:
        server.kill()
        server.wait()


def filesystem(port: int):
    """A file system on the server that caches no listing."""
    import s3fs

    return s3fs.S3FileSystem(
        endpoint_url=f"http://127.0.0.1:{port}",
        key=KEY,
        secret=SECRET,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + S3_START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise StepError(f"{address} does not answer") from None
            time.sleep(0.1)
