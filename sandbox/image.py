"""Make the sandbox image: from sandbox/Dockerfile, or from Debian's packages without a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors

from sandbox import TAG
from sandbox.owner import engine_api
from sandbox.pool import NoEngine, connect

_HERE = Path(__file__).resolve().parent
SUITE = "bookworm"
PACKAGES = "python3,python3-numpy"
# Of no use to a program, and a third of the image.
LEFT_OUT = (
    *("./var/cache", "./var/lib/apt/lists"),
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale"),
)


def find_image(client: docker.DockerClient) -> str | None:
    """Digest of the image in the engine at hand, or None."""
    try:
        return client.images.get(TAG).id
    except docker.errors.ImageNotFound:
        return None


def build_image(say: Callable[[str], None] = print) -> str:
    """Make the image, whichever way works, and return its digest.

    Args:
        say: Told which way is taken.

    Raises:
        NoEngine: there is no engine, or neither way works; the message says why.
    """
    client = connect()
    try:
        say(f"building {TAG} from sandbox/Dockerfile")
        try:
            image, _ = client.images.build(path=str(_HERE), tag=TAG, rm=True)
            return str(image.id)
        except (docker.errors.APIError, docker.errors.BuildError) as error:
            reason = str(error).splitlines()[0][:200]
        say(f"no base image from a registry ({reason}); building from Debian's packages")
        return _from_packages(client)
    finally:
        client.close()


def _from_packages(client: docker.DockerClient) -> str:
    """Let debootstrap make the file system and import it."""
    tool = shutil.which("debootstrap") or "/usr/sbin/debootstrap"
    if not os.access(tool, os.X_OK) or os.geteuid() != 0:
        raise NoEngine(
            "no sandbox image: no registry answers, and building from packages needs root and "
            "debootstrap (Debian: apt-get install debootstrap)"
        )
    with tempfile.TemporaryDirectory(prefix="restem-image-") as scratch:
        root = Path(scratch) / "root"
        made = subprocess.run(
            [tool, "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)],
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )
        if made.returncode:
            last = (made.stdout.strip().splitlines() or ["no output"])[-1]
            raise NoEngine(f"no sandbox image: debootstrap failed: {last}")
        _drop_setuid(root)
        archive = Path(scratch) / "root.tar"
        skip = [f"--exclude={path}" for path in LEFT_OUT]
        subprocess.run(["tar", "-C", str(root), *skip, "-cf", str(archive), "."], check=True)
        repository, tag = TAG.split(":")
        engine_api(client).import_image_from_file(str(archive), repository=repository, tag=tag)
    return str(client.images.get(TAG).id)


def _drop_setuid(root: Path) -> None:
    """No program in the image may give rights to who runs it."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o1777)
