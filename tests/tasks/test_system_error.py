"""What the system refuses is one line that names the folder, and what is left there."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.errors import StepError
from tasks.rows import VERDICT, write_rows
from tasks.system_error import system_error


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=50", "none", str(path)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def _bytes(folder: Path) -> None:
    (folder / "x").write_bytes(b"\0" * 4_000_000)


def _lines(folder: Path) -> None:
    with (folder / "x").open("w", encoding="utf-8") as file:
        for _ in range(100_000):
            file.write("a line of a file\n" * 10)


def _parquet(folder: Path) -> None:
    rows = ({"problem_id": os.urandom(900).hex(), "index": 0, "reward": 0.0} for _ in range(9000))
    write_rows(folder / "x", VERDICT, rows)


def _weights(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(1_000_000)}, folder / "x")


def _sqlite(folder: Path) -> None:
    import sqlite3

    database = sqlite3.connect(folder / "x")
    database.execute("CREATE TABLE t (x)")
    for _ in range(10_000):
        database.execute("INSERT INTO t VALUES (?)", ("x" * 1000,))
    database.commit()


@pytest.mark.parametrize("write", [_bytes, _lines, _parquet, _weights, _sqlite])
def test_a_full_disk_is_named_with_what_is_free(
    small: Path, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    with pytest.raises(Exception) as found:
        write(small)
    # As a parent process hears of it, and with what did not fit removed.
    told = StepError(f"{type(found.value).__name__}: {found.value}")
    for error in (found.value, told):
        said = system_error(error, [tmp_path, small, tmp_path / "not there"])
        assert f"{small}" in said and "no room on its disk (" in said, said
        assert said.endswith("of 2.1 MB are free): make room; the same command resumes it")


def test_a_disk_that_takes_no_more_files_is_named(small: Path) -> None:
    with pytest.raises(OSError) as found:
        for number in range(100):
            (small / str(number)).write_bytes(b"")
    said = system_error(found.value, [small])
    assert "its disk can take no more files (50 are there)" in said


def test_a_read_only_disk_is_named(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(OSError) as found:
        (small / "x").write_bytes(b"")
    assert system_error(found.value, []).startswith(f"{small / 'x'}: its disk is read-only;")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EDQUOT, "quota", "/a/b"), "/a/b: your quota of its disk is used up"),
        (OSError(errno.EMFILE, "files"), "too many open files: a process may have "),
        (StepError("OSError: [Errno 24] Too many open files"), "too many open files"),
        (MemoryError(), "no memory is left for this (MemoryError)"),
        (OSError(errno.ENOMEM, "Cannot allocate"), "no memory is left for this"),
        (OSError(errno.EIO, "i/o", "/a"), "/a: its disk fails (input/output error)"),
    ],
)
def test_what_else_the_system_refuses(error: Exception, said: str) -> None:
    assert system_error(error, []).startswith(said)


def test_the_cause_counts_too(tmp_path: Path) -> None:
    error = StepError("it failed")
    error.__cause__ = OSError(errno.EROFS, "ro", str(tmp_path))
    assert "read-only" in system_error(error, [])


@pytest.mark.parametrize(
    "error", [ValueError("x"), StepError("x"), FileNotFoundError(errno.ENOENT, "x", "y")]
)
def test_other_errors_are_not_the_systems(error: Exception, tmp_path: Path) -> None:
    assert system_error(error, [tmp_path]) == ""
