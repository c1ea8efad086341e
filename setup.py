"""How an install is laid out; everything else stands in pyproject.toml.

An editable install finds the packages where they lie in the checkout. A wheel has them, and what
they find by path, in restem/root: whatever else is installed keeps its names (restem/__init__.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

# Folders and files of the checkout that a run, or the station, needs.
PARTS = (
    *("flows", "tasks", "sandbox", "configs", "models"),
    *("prefect.yaml", "constraints.txt", "locks/contest.txt"),
)


class Build(build_py):
    """Adds all parts to the package `restem`, unless the install is an editable one."""

    def run(self) -> None:
        """Write what becomes the wheel."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # what an older build left
        super().run()
        if not self.editable_mode:
            for part in PARTS:
                _copy(Path(part), Path(self.build_lib, "restem", "root", part))


class Editable(editable_wheel):
    """Has the checkout's packages as well."""

    def run(self) -> None:
        """Write what leads to the checkout."""
        found = find_packages(include=["flows*", "tasks*", "sandbox*"])
        self.distribution.packages = ["restem", *found]
        super().run()


def _copy(part: Path, place: Path) -> None:
    # Beside each model lies the program that made it.
    ignored = ("__pycache__", "*.py") if part.name == "models" else ("__pycache__",)
    place.parent.mkdir(parents=True, exist_ok=True)
    if part.is_dir():
        shutil.copytree(part, place, ignore=shutil.ignore_patterns(*ignored))
    else:
        shutil.copy2(part, place)


setup(cmdclass={"build_py": Build, "editable_wheel": Editable})
