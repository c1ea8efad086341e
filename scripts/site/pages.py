"""What the site is built from: the documents, with links that hold outside of a checkout.

The documents are written for the forge, where a link may lead to any file of the checkout. On the
site a link to a document leads to its page, and one to a file of code to the forge, where it is
known (`address`), or is plain text.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tasks.paths import ROOT

DOCS = ROOT / "docs"
# Documents outside of docs/ that have a page, by the name of that page.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
# A README of a folder is the page of that folder.
INSIDE = {"docs/studies/README.md": "studies/index.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
# A bar in code: the forge wants it escaped in a table, and here it would be shown so.
BAR = re.compile(r"(?<=`)[^`\n]*\\\|[^`\n]*(?=`)")
FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)


def page_of(path: Path) -> str:
    """The name of a file's page on the site, from its root; empty: it has none."""
    if not path.is_relative_to(ROOT):
        return ""
    name = str(path.relative_to(ROOT))
    if name in OUTSIDE or name in INSIDE:
        return OUTSIDE.get(name) or INSIDE[name]
    return name.removeprefix("docs/") if name.startswith("docs/") and path.is_file() else ""


def rewritten(text: str, path: Path, address: str) -> str:
    """A document's text with the links of its page.

    Args:
        text: Of the document.
        path: Where it lies.
        address: Of a folder of the forge's with the files of the checkout; empty: none is known.
    """
    here = Path(page_of(path)).parent

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        words = LINK.sub(link, words)
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return f"{picture}[{words}]({target})"
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve()
        if page := page_of(place):
            there = os.path.relpath(page, here)
            return f"{picture}[{words}]({there}{'#' + anchor if anchor else ''})"
        if not address:
            return words
        return f"[{words}]({address}/{place.relative_to(ROOT)})"

    def plain(piece: str) -> str:
        return BAR.sub(lambda found: found[0].replace("\\|", "|"), LINK.sub(link, piece))

    pieces = FENCE.split(text)
    return "".join(piece if piece.startswith("```") else plain(piece) for piece in pieces)


def documents() -> list[Path]:
    """Every document that has a page."""
    return [*(ROOT / name for name in OUTSIDE), *sorted(DOCS.rglob("*.md"))]


def write_pages(folder: Path, address: str = "") -> None:
    """Write documents and pictures into a folder that is made anew; `address` as in `rewritten`."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in [*documents(), *DOCS.rglob("*.png"), *DOCS.rglob("*.svg"), *DOCS.rglob("*.css")]:
        there = folder / page_of(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            there.write_text(rewritten(path.read_text("utf-8"), path, address), encoding="utf-8")
        else:
            shutil.copy(path, there)
