"""CHANGELOG.md says which version each step has."""

from __future__ import annotations

import re

from tasks.paths import ROOT

STEP = re.compile(r'^@step\(\s*"([^"]+)",\s*"[^"]+"(?:,\s*version=(\d+))?,?\s*\)', re.MULTILINE)


def steps_of_the_code() -> dict[str, tuple[int, str]]:
    """Version and room of each step."""
    return {
        name: (int(version or 1), "/".join(path.relative_to(ROOT).parts[:2]))
        for package in ("flows", "tasks")
        for path in (ROOT / package).rglob("*.py")
        for name, version in STEP.findall(path.read_text())
    }


def test_the_table_has_the_version_and_the_room_of_every_step() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| (\d+) \| `([\w/]+)` \|$", text, re.MULTILINE)
    table = {name: (int(version), room) for name, version, room in rows}
    assert table == steps_of_the_code()
