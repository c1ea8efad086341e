"""Write the locks: every package of an environment, with the hashes of all its public files.

    pip install uv && python scripts/lock.py [--check]

The versions are those of constraints.txt; what is locked is what pyproject.toml asks for. uv asks
the package index once for the hashes of all files of a version, for each platform and Python, so a
lock made on one machine holds on the others. docs/supply.md says who installs which lock.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"


@dataclass(frozen=True)
class Lock:
    """One lock file.

    Attributes:
        name: Of the file in locks/, without its suffix.
        what: For its first line.
        extras: Of pyproject.toml.
        on: The lock that this one goes on from; it holds the rest alone.
        tool: Packages of an environment of its own, which has nothing of pyproject.toml.
        torch: Whether it holds torch and the CUDA libraries that come with it, and nothing else.
        python: The oldest Python that it is for.
    """

    name: str
    what: str
    extras: tuple[str, ...] = ()
    on: str = ""
    tool: str = ""
    torch: bool = False
    python: str = "3.11"


LOCKS = (
    Lock("base", "restem and what the image of docker-compose.yml adds", ("compose",)),
    Lock("dev", "what make setup installs", ("compose", "dev"), on="base"),
    Lock("trackers", "all trackers", ("compose", "dev", "trackers"), on="dev"),
    Lock(
        "docs",
        "what make docs builds with",
        tool="zensical mkdocstrings-python",
        python="3.11.5",
    ),
    Lock("sbom", "what make sbom writes with", tool="cyclonedx-bom"),
    Lock(
        "contest",
        "what programs may import in the sandbox's image contest",
        tool="numpy scipy sympy sortedcontainers",
        python="3.13",
    ),
    Lock("torch", "torch of the public index with its CUDA libraries", torch=True),
)
# Torch is built for many processors and served from many places, so its hash is not one. What comes
# with its CUDA build is of no use without it.
TORCH, OF_TORCH = "torch", ("cuda-", "nvidia-", "triton")
# Where restem runs; what other platforms alone need is left out.
PLATFORMS = [
    {"python_version": v[:4], "python_full_version": v, "sys_platform": s, "platform_machine": m}
    for v in ("3.11.0", "3.12.9", "3.13.9", "3.14.0")
    for s, m in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]


def blocks(text: str) -> Iterator[str]:
    """The requirements of a lock, each with its lines of hashes."""
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1].isalnum() and lines:
            yield "\n".join(lines)
            lines = []
        if line[:1].isalnum() or lines:
            lines.append(line)
    if lines:
        yield "\n".join(lines)


def requirement(block: str) -> Requirement:
    """Name, version and marker of a block."""
    return Requirement(block.splitlines()[0].removesuffix("\\"))


def _wanted(block: str, lock: Lock) -> bool:
    found = requirement(block)
    ours = found.marker is None or any(found.marker.evaluate(one) for one in PLATFORMS)
    return ours and lock.torch == (found.name == TORCH or found.name.startswith(OF_TORCH))


def resolve(lock: Lock) -> list[str]:
    """What uv says, as blocks."""
    extras = [word for extra in lock.extras for word in ("--extra", extra)]
    what = [] if lock.tool else ["pyproject.toml", *extras]
    command = [
        *("uv", "pip", "compile", "-", *what, "-c", str(CONSTRAINTS)),
        *("--universal", "--python-version", lock.python, "--generate-hashes"),
        *("--quiet", "--no-header", "--no-annotate"),
    ]
    # What builds the package itself is locked too.
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        text=True,
        input="\n".join((lock.tool or "setuptools").split()) + "\n",
        stdout=subprocess.PIPE,
    )
    return [block for block in blocks(done.stdout) if _wanted(block, lock)]


def texts() -> dict[str, str]:
    """The whole text of each lock file, by its name."""
    found = {lock.name: resolve(lock) for lock in LOCKS}
    made = {}
    for lock in LOCKS:
        head = f"# Lock of {lock.what}. Made by scripts/lock.py; docs/supply.md.\n"
        before = f"-r {lock.on}.txt\n" if lock.on else ""
        own = [block for block in found[lock.name] if block not in found.get(lock.on, [])]
        made[lock.name] = head + before + "\n".join(own) + "\n"
    return made


def main() -> int:
    """Write all locks, or with --check compare them; exit 1 if one is old."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; say what is old")
    check = parser.parse_args().check
    old = []
    for name, text in texts().items():
        path = ROOT / "locks" / f"{name}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            old.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    print(f"{'old' if check else 'written'}: {', '.join(old) or 'none'}")
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
