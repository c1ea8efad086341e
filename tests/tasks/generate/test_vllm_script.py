"""The engine's script runs in vLLM's environment; its folder must not stand in for libraries."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.generate.engine import VLLM_SCRIPT


@pytest.mark.parametrize("module", sorted(VLLM_SCRIPT.parent.glob("*.py")), ids=lambda p: p.stem)
def test_no_module_beside_it_has_the_name_of_a_library(module: Path) -> None:
    assert module.stem == "__init__" or importlib.util.find_spec(module.stem) is None


def test_its_folder_is_not_searched(tmp_path: Path) -> None:
    script = tmp_path / "vllm_engine.py"
    script.write_text(VLLM_SCRIPT.read_text().replace("    main()", "    print(sys.path)"))
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in said.stdout and "lib" in said.stdout
