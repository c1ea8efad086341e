"""Make a sandbox image: from sandbox/Dockerfile, or from Debian's packages without a registry.

What an image has of the Python index is downloaded by its hashes (locks/) on the host, as wheels,
which run nothing, and laid into the image.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker
import docker.errors

from sandbox import TAG
from sandbox.images import IMAGES, Image, ImageName
from sandbox.owner import engine_api
from sandbox.pool import NoEngine, connect

_HERE = Path(__file__).resolve().parent
_LOCKS = _HERE.parent / "locks"
# Where Debian's Python looks for packages that are not of the standard library.
_SITE = "/usr/lib/python3/dist-packages"
# Of no use to a program, and a third of the image.
LEFT_OUT = (
    *("./var/cache", "./var/lib/apt/lists"),
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale"),
)


def find_image(client: docker.DockerClient, tag: str = TAG) -> str | None:
    """Digest of an image in the engine at hand, or None."""
    try:
        return client.images.get(tag).id
    except docker.errors.ImageNotFound:
        return None


def build_image(
    say: Callable[[str], None] = print, base: str = "", name: ImageName = "standard"
) -> str:
    """Make an image, whichever way works, and return its digest.

    Args:
        say: Told which way is taken.
        base: Image to start from, best with its digest; empty: that of the image. One
            that is asked for is never replaced by Debian's packages.
        name: Of IMAGES.

    Raises:
        NoEngine: there is no engine, or neither way works; the message says why.
    """
    image = IMAGES[name]
    client = connect()
    try:
        if not image.lock:
            return _from_base(client, image, say, base)
        # Under a name of its own, so that one without its packages is never taken for it.
        plain = replace(image, tag=image.tag.replace(":", "-base:"))
        try:
            return _with_wheels(client, image, _from_base(client, plain, say, base))
        finally:
            with contextlib.suppress(docker.errors.APIError):
                engine_api(client).remove_image(plain.tag, noprune=True)
    finally:
        client.close()


def _from_base(
    client: docker.DockerClient, image: Image, say: Callable[[str], None], base: str
) -> str:
    say(f"building {image.tag} from sandbox/Dockerfile")
    try:
        arguments = {"PACKAGES": " ".join(image.packages)}
        if base or image.base:
            arguments["BASE"] = base or image.base
        made, _ = client.images.build(path=str(_HERE), tag=image.tag, rm=True, buildargs=arguments)
        return str(made.id)
    except (docker.errors.APIError, docker.errors.BuildError) as error:
        reason = str(error).splitlines()[0][:200]
    if base:
        raise NoEngine(f"no sandbox image from --base {base}: {reason}")
    say(f"no base image from a registry ({reason}); building from Debian's packages")
    return _from_packages(client, image)


def _from_packages(client: docker.DockerClient, image: Image) -> str:
    """Let debootstrap make the file system and import it."""
    tool = shutil.which("debootstrap") or "/usr/sbin/debootstrap"
    if not os.access(tool, os.X_OK) or os.geteuid() != 0:
        raise NoEngine(
            "no sandbox image: no registry answers, and building from packages needs root and "
            "debootstrap (Debian: apt-get install debootstrap)"
        )
    with tempfile.TemporaryDirectory(prefix="restem-image-") as scratch:
        root = Path(scratch) / "root"
        wanted = f"--include={','.join(image.packages)}"
        made = subprocess.run(
            [tool, "--variant=minbase", wanted, image.suite, str(root)],
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
        repository, tag = image.tag.split(":")
        engine_api(client).import_image_from_file(str(archive), repository=repository, tag=tag)
    return str(client.images.get(image.tag).id)


def _with_wheels(client: docker.DockerClient, image: Image, made: str) -> str:
    """The image with the packages of its lock; none of their code runs while it is made."""
    with tempfile.TemporaryDirectory(prefix="restem-image-") as scratch:
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{scratch}/site"),
            *("--no-deps", "--require-hashes", "--no-compile", "--only-binary", ":all:"),
            # That of this process is not the one to ask; the wheel's own name says what it is for.
            "--ignore-requires-python",
            *("--python-version", image.python, "-r", str(_LOCKS / f"{image.lock}.txt")),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, encoding="utf-8"
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise NoEngine(f"no sandbox image: the packages of locks/{image.lock}.txt: {last}")
        shutil.rmtree(Path(scratch) / "site" / "bin", ignore_errors=True)
        # Compiled once, or every program that imports one would compile it.
        steps = (f"FROM {made}", f"COPY site {_SITE}", f"RUN python3 -m compileall -q {_SITE}")
        (Path(scratch) / "Dockerfile").write_text("\n".join(steps) + "\n", encoding="utf-8")
        try:
            with_them, _ = client.images.build(
                path=scratch, tag=image.tag, rm=True, forcerm=True, network_mode="none"
            )
        except (docker.errors.APIError, docker.errors.BuildError) as error:
            raise NoEngine(f"no sandbox image: {str(error).splitlines()[0][:200]}") from None
    return str(with_them.id)


def _drop_setuid(root: Path) -> None:
    """No program in the image may give rights to who runs it."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o1777)
