"""The images that programs may run in, by name. Only the one that is asked for is ever built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox import TAG

ImageName = Literal["standard", "cpp", "contest"]
Language = Literal["python", "cpp"]


@dataclass(frozen=True)
class Image:
    """What an image holds.

    Attributes:
        tag: Its name in the engine. The number rises with every change that could change a verdict.
        suite: The Debian that it is made of.
        packages: Of Debian.
        base: Of sandbox/Dockerfile; empty: the one that stands there.
        lock: File in locks/ with the packages of the Python index in it; empty: none.
        python: Version of its Python.
        languages: What programs may be written in.
    """

    tag: str
    suite: str
    packages: tuple[str, ...]
    python: str
    base: str = ""
    lock: str = ""
    languages: tuple[Language, ...] = ("python",)


IMAGES: dict[ImageName, Image] = {
    "standard": Image(TAG, "bookworm", ("python3", "python3-numpy"), "3.11"),
    "cpp": Image(
        "restem-sandbox-cpp:1",
        "bookworm",
        ("python3", "python3-numpy", "g++"),
        "3.11",
        languages=("python", "cpp"),
    ),
    "contest": Image(
        "restem-sandbox-contest:1",
        "trixie",
        ("python3", "g++"),
        "3.13",
        base="debian:trixie-slim",
        lock="contest",
        languages=("python", "cpp"),
    ),
}


def languages_of(tag: str) -> tuple[Language, ...]:
    """What programs may be written in, in the image of a tag; Python in any other."""
    return next((one.languages for one in IMAGES.values() if one.tag == tag), ("python",))


def build_command(tag: str) -> str:
    """What makes the image of a tag, for messages."""
    names = [name for name, one in IMAGES.items() if one.tag == tag and tag != TAG]
    return " ".join(["restem sandbox build", *(f"--image {name}" for name in names)])
