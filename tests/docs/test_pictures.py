"""Pictures of documents: none is missing, none is left over, and each can be renewed."""

from __future__ import annotations

import re

import pytest

from scripts.pictures import PICTURES, REAL, REPORT, shown_pictures
from tasks.paths import ROOT

TAKEN = {
    name
    for path in (ROOT / "tests" / "browser").glob("test_*.py")
    for name in re.findall(r"person\.take\(\"([\w-]+)\"\)", path.read_text(encoding="utf-8"))
}


def test_what_is_kept_is_what_documents_show() -> None:
    assert {path.stem for path in PICTURES.glob("*.png")} == shown_pictures()


@pytest.mark.parametrize("name", sorted(shown_pictures()))
def test_every_picture_is_renewed_by_the_script(name: str) -> None:
    assert name in {REPORT, *REAL} | TAKEN
