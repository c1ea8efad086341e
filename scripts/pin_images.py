"""Print the images that this repository starts from, each with the digest a registry gives now.

    python scripts/pin_images.py [NAME:TAG ...]

It asks Docker to pull each one, so it needs an engine and a registry. Lines for docker-compose.yml
go into .env; those for the two Dockerfiles go behind FROM. It writes no file: look at what changed
before you take it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_COMPOSE = re.compile(r"image: \$\{(\w+):-([^}@]+)")
_FROM = re.compile(r"^(?:FROM|ARG BASE=)\s*([a-z][^\s@$]*)", re.MULTILINE)


def named() -> list[tuple[str, str]]:
    """Where each image is named (a variable of .env, or a file), and its name with its tag."""
    found = _COMPOSE.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    for file in ("Dockerfile", "sandbox/Dockerfile"):
        text = (ROOT / file).read_text(encoding="utf-8")
        found += [(file, image) for image in _FROM.findall(text)]
    return found


def digest(image: str) -> str:
    """The digest of an image of a registry, of its index where it has several platforms.

    Raises:
        subprocess.CalledProcessError: Docker could not pull it; its own words are on stderr.
    """
    subprocess.run(["docker", "pull", "--quiet", image], check=True, stdout=subprocess.DEVNULL)
    form = "{{index .RepoDigests 0}}"
    command = ["docker", "image", "inspect", "--format", form, image]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.strip().partition("@")[2]


def main() -> int:
    """Exit 1 if a digest could not be had."""
    failed = 0
    for place, image in [("", image) for image in sys.argv[1:]] or named():
        try:
            pinned = f"{image}@{digest(image)}"
        except subprocess.CalledProcessError as error:
            print(f"{place or image}: no digest of {image}: {error}", file=sys.stderr)
            failed = 1
            continue
        print(f"{place}={pinned}" if place.isupper() else f"{place or image}: {pinned}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
