"""Packages that bring a GGUF file: the one they carry, or one that they assemble."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.policy.gguf import packaged_file


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an importable package."""
    folder = tmp_path / "carries_weights"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder


def test_a_file_that_a_package_carries_is_found_without_importing_it(package, tmp_path):
    (package / "__init__.py").write_text("import a_package_that_is_not_there\n")
    (package / "data").mkdir()
    (package / "data" / "small.gguf").write_bytes(b"GGUF")
    found = packaged_file(package.name, tmp_path / "out.gguf")
    assert found == package / "data" / "small.gguf"


def test_a_package_without_a_file_assembles_it(package, tmp_path):
    (package / "__init__.py").write_text("def assemble(path): path.write_bytes(b'GGUF')\n")
    out = tmp_path / "work" / "out.gguf"
    assert packaged_file(package.name, out) == out and out.read_bytes() == b"GGUF"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("a.gguf", "b.gguf"), "carries a.gguf, b.gguf; expected one"),
        ((), "has no .gguf file and no function assemble"),
    ],
)
def test_a_package_with_no_file_or_several_is_named(package, tmp_path, files, said):
    (package / "__init__.py").touch()
    for name in files:
        (package / name).touch()
    with pytest.raises(UserError) as caught:
        packaged_file(package.name, tmp_path / "out.gguf")
    assert said in str(caught.value) and package.name in str(caught.value)
