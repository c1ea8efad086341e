"""A configuration that is wrong in any way is refused in one short, printable line."""

from __future__ import annotations

from typing import Any

import pytest

from flows.config.evaluate import EvaluateConfig
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from tasks.errors import UserError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a\nb": 1}, "no such field"),
        ({"x" * 100_000: 1}, "no such field"),
        ({"data": {"more": ["x"] * 5000}}, "List should have at most 20 items"),
        ({"tracking": [0] * 5000}, "and 4,980 more"),
        ({"name": "\x1b[31m"}, "name: "),
        ({"data": {"source": "y" * 300, "train": "file"}}, "at most 255 bytes in a path, not 300"),
        ({"model": {"base": "~nosuchuser/m"}}, "there is no such user"),
        ({"filter": {"score": "~nosuchuser/x.py:f"}}, "there is no such user"),
        ({"model": {"prompt": "a\0b"}}, "without the character 0"),
        ({"resources": {"store": "z/" * 1000 + "z" * 256}}, "not 256"),
        ({"filter": {"score": "q" * 4000 + "!"}}, "expected one of correct"),
    ],
)
def test_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(RestEmConfig, given, "config")
    line = str(caught.value)
    assert said in line
    assert line.isprintable() and len(line) < 5000


@pytest.mark.parametrize("given", [[[]], [{}], [["bbh"]], [None], [0]])
def test_benchmarks_of_another_type(given: object) -> None:
    with pytest.raises(UserError, match=r"^config: on"):
        parse(EvaluateConfig, {"on": given}, "config")


def test_a_long_system_text_is_no_path() -> None:
    config = parse(RestEmConfig, {"model": {"prompt": "chat", "system": "w" * 4000}}, "config")
    assert len(config.model.system) == 4000
