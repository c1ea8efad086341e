"""Where what we build on comes from: locks, declared dependencies, licences, images, indexes."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import LOCKS, OF_TORCH, TORCH, blocks, requirement
from tasks.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKED = [lock.name for lock in LOCKS]
# What is asked for and not imported: programs, plug-ins, and what another package loads by name.
NOT_IMPORTED = {
    "gguf": "transformers reads GGUF files with it",
    "import-linter": "a program",
    "prefect-redis": "named in docker-compose.yml",
    "pyright": "a program",
    "pytest-timeout": "a plug-in",
    "ruff": "a program",
    "tensorboard": "read by torch.utils.tensorboard",
}
# Where the name that is imported is not the package's, and it may not be installed here.
PACKAGE_OF = {"mlflow": "mlflow-skinny"}
# Another environment's: tasks/generate/vllm_environment.py.
ELSEWHERE = {"vllm"}
OUR_OWN = {"bench", "flows", "models", "restem", "sandbox", "scripts", "tasks", "tests"}
BESIDE = {"lock", "harness"}  # files beside the one that imports them


def names(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


@cache
def locked(name: str) -> dict[str, Requirement]:
    """The packages of a lock and of those that it goes on from."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    found: dict[str, Requirement] = {}
    for one in map(requirement, blocks(text)):
        found[canonicalize_name(one.name)] = one
    for other in re.findall(r"^-r (\w+)\.txt$", text, re.MULTILINE):
        found |= locked(other)
    return found


@cache
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("name", LOCKED)
def test_every_package_of_a_lock_has_one_version_and_hashes(name: str) -> None:
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    found = list(blocks(text))
    assert found
    for block in found:
        assert re.fullmatch(r"==[^*,]+", str(requirement(block).specifier)), block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block[:80]
    said = [line for block in found for line in block.splitlines()]
    rest = [line for line in text.splitlines() if line not in said and line[0] != "#"]
    assert all(re.fullmatch(r"-r \w+\.txt", line) for line in rest), rest


@pytest.mark.parametrize("name", ["base", "dev", "trackers", "docs"])
def test_a_lock_has_the_versions_of_the_constraints(name: str) -> None:
    for package, one in locked(name).items():
        assert str(one.specifier) == f"=={pins()[package]}", package


def test_the_constraints_name_nothing_that_no_lock_has() -> None:
    assert set(pins()) == {*locked("trackers"), *locked("docs"), TORCH}
    assert str(locked("torch")[TORCH].specifier) == f"=={pins()[TORCH]}"
    assert all(package == TORCH or package.startswith(OF_TORCH) for package in locked("torch"))


@pytest.mark.parametrize(
    ("lock", "extras"), [("base", ["compose"]), ("dev", ["dev"]), ("trackers", ["trackers"])]
)
def test_a_lock_has_all_that_is_asked_for(lock: str, extras: list[str]) -> None:
    asked = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    for wanted in map(Requirement, asked):
        name = canonicalize_name(wanted.name)
        version = pins()[name]
        assert name in locked(lock) or name == TORCH, name
        assert wanted.specifier.contains(version), f"{wanted}: {version}"


def test_the_lock_of_the_site_has_its_extra() -> None:
    for wanted in map(Requirement, EXTRAS["docs"]):
        name = canonicalize_name(wanted.name)
        assert name in locked("docs") and wanted.specifier.contains(pins()[name]), name


def test_what_is_locked_needs_nothing_that_is_not() -> None:
    """It is installed without a look at dependencies."""
    there = {*locked("dev"), TORCH}
    for name in sorted(there):
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        for wanted in map(Requirement, needed):
            if name == TORCH and wanted.name.startswith(OF_TORCH):
                continue
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                assert canonicalize_name(wanted.name) in there, f"{name} needs {wanted.name}"


@cache
def imports(folder: str) -> list[tuple[str, Path]]:
    """The packages of others that the files of a folder import."""
    return list(_imports(folder))


def _imports(folder: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = []
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found = [node.module]
            for name in (module.split(".")[0] for module in found):
                if name not in sys.stdlib_module_names and name not in OUR_OWN | BESIDE:
                    yield name, path


by_module = cache(importlib.metadata.packages_distributions)  # reads the files of all packages


@cache
def package(module: str) -> str:
    return canonicalize_name(PACKAGE_OF.get(module) or by_module().get(module, [module])[0])


@pytest.mark.parametrize("folder", ["restem", "flows", "tasks", "sandbox"])
def test_what_the_product_imports_is_declared(folder: str) -> None:
    declared = names(PROJECT["dependencies"])
    declared |= {n for extra, lines in EXTRAS.items() if extra != "dev" for n in names(lines)}
    for module, path in imports(folder):
        assert package(module) in declared or module in ELSEWHERE, f"{path}: {module}"


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["bench", "models", "scripts", "tests"])
def test_what_the_rest_imports_is_declared(folder: str) -> None:
    declared = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    for module, path in imports(folder):
        assert package(module) in declared or module in ELSEWHERE, f"{path}: {module}"


def test_what_is_declared_is_used() -> None:
    used = {package(module) for folder in OUR_OWN for module, _ in imports(folder)}
    asked = names(PROJECT["dependencies"]) | names(EXTRAS["dev"])
    assert asked - used - set(NOT_IMPORTED) == set()
    assert used.isdisjoint(NOT_IMPORTED)


def test_every_locked_package_has_a_licence() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[?([\w.-]+)\]?(?:\(\S+\))? \| (.+?) \|", text, re.MULTILINE)
    found = {canonicalize_name(name): licence for name, licence in rows if name != "package"}
    assert set(found) == {name for lock in LOCKED for name in locked(lock)}
    assert "unknown" not in found.values()


def files() -> list[Path]:
    """What says where things are taken from."""
    places = ["locks", "*Dockerfile", "docker-compose.yml", "Makefile", "scripts", ".env.example"]
    places += ["constraints.txt", "pyproject.toml", ".github/workflows"]
    done = subprocess.run(
        ["git", "ls-files", "-z", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_index_is_named_and_none_is_asked_beside_another() -> None:
    assert len(files()) > 10
    for path in files():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"extra-index-url|EXTRA_INDEX|find-links", text), path
        hosts = re.findall(r"https?://([\w.-]+)", text)
        assert [h for h in hosts if not re.fullmatch(r"127\.0\.0\.1|server|pages", h)] == [], path


@pytest.mark.parametrize("name", ["Dockerfile", "sandbox/Dockerfile"])
def test_images_start_from_a_digest(name: str) -> None:
    text = (ROOT / name).read_text()
    bases = re.findall(r"^(?:FROM|ARG BASE=)\s*(\S+)$", text, re.MULTILINE)
    assert bases and all(re.search(r"@sha256:[0-9a-f]{64}$|^\$BASE$", base) for base in bases)


def test_the_image_takes_all_but_torch_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    installs = re.findall(r"pip install ([^;]+)", text)
    assert len(installs) == 4
    for words in installs:
        assert "--require-hashes" in words or "torch==" in words or "--no-deps" in words, words


def test_images_are_found_to_be_pinned() -> None:
    from scripts.pin_images import named

    found = dict(named())
    assert set(found) >= {"POSTGRES_IMAGE", "REDIS_IMAGE", "ENGINE_IMAGE", "Dockerfile"}
    assert found["sandbox/Dockerfile"].startswith("debian:")
