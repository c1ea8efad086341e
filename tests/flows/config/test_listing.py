"""`restem configs`: every shipped configuration with a line on it, and the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.listing import list_configs
from tasks.errors import UserError
from tasks.paths import CONFIGS


def test_every_shipped_one_has_a_line(tmp_path: Path) -> None:
    found = {(one.verb, one.name): one for one in list_configs(tmp_path)}
    names = {("run", path.stem) for path in CONFIGS.glob("*.toml")}
    names |= {("evaluate", path.stem) for path in (CONFIGS / "evaluate").glob("*.toml")}
    assert set(found) == names
    assert all(8 < len(one.about) <= 110 and not one.own for one in found.values())


def test_ones_own_are_first(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('# Shop problems, small. More of it.\nlike = "math-demo"\n')
    (tmp_path / "measure.toml").write_text('on = ["gsm8k"]\nlimit = 3\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "broken.toml").write_text("[")
    own = [one for one in list_configs(tmp_path) if one.own]
    assert own == list_configs(tmp_path)[:2]
    assert [(one.verb, Path(one.name).name, one.about) for one in own] == [
        ("evaluate", "measure.toml", ""),
        ("run", "mine.toml", "Shop problems, small"),
    ]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        list_configs(tmp_path / "none")
