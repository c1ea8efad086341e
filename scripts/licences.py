"""Write docs/licences.md: the licence of every package in locks/, as its own metadata says.

    python -m pip install -U pip && python scripts/licences.py

pip reads the metadata of what it would install and installs nothing. A package whose metadata names
no licence, or that this platform does not install, is in `KNOWN`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lock import blocks, requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "licences.md"
WHERE = {
    "base": "the product and the image of docker-compose.yml",
    "dev": "development and tests",
    "trackers": "trackers that a user may add",
    "torch": "torch and, with its CUDA build on Linux, NVIDIA's libraries",
    "sbom": "the tool of make sbom",
    "contest": "what programs may import in the sandbox's image contest",
    "docs": "the tools of make docs",
}
# Locks for another Python than the one that runs this.
PYTHON = {"contest": "3.13"}
# Licences that ask for something of who hands the software on in changed or combined form.
COPYLEFT = ("GPL", "MPL", "EPL", "CDDL", "EUPL", "Mozilla", "GNU")
PROPRIETARY = ("NVIDIA", "Proprietary")
KNOWN = {
    "async-timeout": "Apache-2.0",
    "cuda-toolkit": "NVIDIA CUDA EULA",
    "scipy": "BSD-3-Clause",
}
_CLASSIFIER = "License :: "
_LABELS = ("source", "source code", "repository", "code", "github", "homepage", "home")
# A licence's whole text, where only its name is meant.
_LONG = 60


@dataclass(frozen=True)
class Package:
    """A package with its licence and where its sources are."""

    name: str
    version: str
    licence: str
    source: str

    @property
    def kind(self) -> str:
        """Whether its licence is copyleft or proprietary; else empty."""
        if any(word in self.licence for word in PROPRIETARY):
            return "proprietary"
        return "copyleft" if any(word in self.licence for word in COPYLEFT) else ""


def packages(lock: str) -> list[Package]:
    """The packages of a lock on this platform."""
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
        *("--no-deps", "--require-hashes", "--report", "-", "-r", f"locks/{lock}.txt"),
    ]
    if lock in PYTHON:
        command += ["--only-binary", ":all:", "--python-version", PYTHON[lock], "--target", "."]
    # A machine's own copies have other metadata, and other hashes.
    env = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") or k == "PIP_CERT"}
    env["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, text=True, stdout=subprocess.PIPE)
    found = [_package(one["metadata"]) for one in json.loads(done.stdout)["install"]]
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    there = {canonicalize_name(one.name) for one in found}
    for wanted in map(requirement, blocks(text)):
        if canonicalize_name(wanted.name) not in there:
            version = str(wanted.specifier).removeprefix("==")
            found.append(Package(wanted.name, version, KNOWN.get(wanted.name, ""), ""))
    return sorted(found, key=lambda one: one.name.lower())


def _package(said: dict[str, object]) -> Package:
    name = str(said["name"])
    return Package(name, str(said["version"]), KNOWN.get(name) or _licence(said), _source(said))


def _licence(said: dict[str, object]) -> str:
    if expression := said.get("license_expression"):
        return str(expression)
    classifiers = said.get("classifier")
    named = [
        str(line).rpartition(" :: ")[2]
        for line in (classifiers if isinstance(classifiers, list) else [])
        if str(line).startswith(_CLASSIFIER) and not str(line).endswith("OSI Approved")
    ]
    text = str(said.get("license") or "").strip()
    return "; ".join(named) or (text if len(text) < _LONG and "\n" not in text else "")


def _source(said: dict[str, object]) -> str:
    given = said.get("project_url")
    pairs = [str(one).partition(",") for one in (given if isinstance(given, list) else [])]
    urls = {label.strip().lower(): url.strip() for label, _, url in pairs}
    found = [urls[label] for label in _LABELS if label in urls]
    found += [str(said.get("home_page") or ""), *urls.values()]
    return next((url for url in found if url.startswith("http") and not _is_index(url)), "")


def _is_index(url: str) -> bool:
    """Whether an address is a package index's, which says nothing of the sources."""
    return (urlsplit(url).hostname or "").split(".")[0] == "pypi"


def page(found: dict[str, list[Package]]) -> str:
    """The document."""
    flat = [one for lock in found.values() for one in lock]
    lines = [
        "# Licences",
        "",
        "The packages of [the locks](supply.md), with the licence that their own metadata states.",
        "Made by `scripts/licences.py`; a test sees that none is missing. restem itself is",
        "Apache-2.0 and ships none of them; who builds an image hands them on.",
        "",
    ]
    for kind in ("copyleft", "proprietary"):
        lines += [f"**{kind.capitalize()}**: {_names(flat, kind)}.", ""]
    for lock, listed in found.items():
        lines += [f"## {lock}.txt: {WHERE[lock]}", "", "| package | licence | |", "|---|---|---|"]
        for one in listed:
            name = f"[{one.name}]({one.source})" if one.source else one.name
            kind = f"{one.kind} " if one.kind else ""
            lines.append(f"| {name} | {one.licence or 'unknown'} | {kind}|")
        lines.append("")
    return "\n".join(lines)


def _names(flat: list[Package], kind: str) -> str:
    return ", ".join(sorted({one.name for one in flat if one.kind == kind})) or "none"


def main() -> int:
    """Exit 1 if a licence is not known."""
    found: dict[str, list[Package]] = {}
    seen: set[str] = set()
    for lock in WHERE:
        found[lock] = [one for one in packages(lock) if one.name not in seen]
        seen |= {one.name for one in found[lock]}
    OUT.write_text(page(found), encoding="utf-8")
    unknown = [one.name for lock in found.values() for one in lock if not one.licence]
    if unknown:
        print(f"no licence in the metadata of: {', '.join(unknown)}", file=sys.stderr)
    return int(bool(unknown))


if __name__ == "__main__":
    sys.exit(main())
