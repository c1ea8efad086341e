"""The blocks of docs/chat.md are what the program takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from tasks.paths import ROOT
from tasks.prompts import load_template

CONFIGURATION, TEMPLATE = re.findall(
    r"^```toml\n(.*?)^```$", (ROOT / "docs" / "chat.md").read_text(), re.MULTILINE | re.DOTALL
)


def test_the_configuration_is_one() -> None:
    config = parse(RestEmConfig, tomllib.loads(CONFIGURATION), "docs/chat.md")
    assert load_template(config.model.prompt).form == "chat"


def test_the_template_is_one(tmp_path: Path) -> None:
    path = tmp_path / "word-problems.toml"
    path.write_text(TEMPLATE)
    assert len(load_template(str(path)).messages("?", 1)) == 4
