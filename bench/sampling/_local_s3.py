"""An S3-compatible server as a process of this machine, for benchmarks and tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from tasks.errors import StepError, UserError

BUCKET = "artifacts"
KEY, SECRET = "key", "secret"
# It takes a port that is free and says which: one that was chosen here could be taken meanwhile.
_SERVER = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


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
        StepError: it does not start.
    """
    try:
        import moto  # noqa: F401
    except ImportError:
        raise UserError("no S3 server to start; pip install 'moto[server]'") from None
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="ascii",
        env={**os.environ, **environment},
    ) as server:
        assert server.stdout
        try:
            if not (line := server.stdout.readline()):
                raise StepError("moto's server did not start")
            port = int(line)
            filesystem(port).mkdir(BUCKET)
            yield port
        finally:
            server.kill()


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
