"""`restem bench` finds its benches wherever it is called from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.bench import bench_module
from tasks.errors import UserError


def test_a_bench_is_found_from_any_folder(tmp_path: Path) -> None:
    code = "from flows.cli.bench import bench_module; print(bench_module('cache').__name__)"
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=plain, capture_output=True, text=True
    )
    assert done.stdout == "bench.orchestration.cache\n", done.stderr


def test_a_wrong_name_lists_them_all() -> None:
    with pytest.raises(UserError, match="NAME speed: expected one of: cache, chaos"):
        bench_module("speed")
