"""CHANGELOG.md says which version each step has."""

from __future__ import annotations

import importlib
import re

from tasks.dag.step import Step
from tasks.paths import ROOT


def steps_of_the_code() -> dict[str, tuple[int, str]]:
    """Version and room of each step."""
    files = (path for package in ("flows", "tasks") for path in (ROOT / package).rglob("*.py"))
    names = (
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files
        if re.search(r"^@step\(", path.read_text(), re.MULTILINE)
    )
    modules = (importlib.import_module(name) for name in names)
    steps = (one for module in modules for one in vars(module).values() if isinstance(one, Step))
    return {one.name: (one.version, "/".join(one.fill.__module__.split(".")[:2])) for one in steps}


def test_the_table_has_the_version_and_the_room_of_every_step() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| (\d+) \| `([\w/]+)` \|$", text, re.MULTILINE)
    table = {name: (int(version), room) for name, version, room in rows}
    assert table == steps_of_the_code()
