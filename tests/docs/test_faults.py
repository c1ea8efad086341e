"""The table of faults names tests that there are."""

from __future__ import annotations

import re

import pytest

from tasks.paths import ROOT

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w./]+\.py(?:::\w+)?)", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "| fault |" not in line]


def test_there_are_forty_faults_and_each_names_its_test():
    rows = [line for line in ROWS if line != "| fault | what happens | test |"]
    assert len(rows) >= 40
    assert [line for line in rows if "`tests/" not in line] == []


@pytest.mark.parametrize("test", TESTS)
def test_the_test_is_there(test: str):
    file, _, name = test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^ *(?:async )?def {name}\(", text, re.MULTILINE)
