"""The documents name only what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.paths import ROOT

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "SECURITY.md")),
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
    ]
)
AGENT_LINES = 15
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
# A path of the checkout in backticks or prose. Files under RESTEM_HOME (runs/, store/) are no such.
PATH = re.compile(
    r"(?<![\w/.<-])((?:bench|configs|docs|flows|models|sandbox|scripts|tasks|tests)/[\w./-]*[\w/])"
)
# What the recipes of these pages add.
ADDED = {
    "extending.md": {"flows/study/named/temperature.py", "tasks/problems/marbles.py"},
    "CONTRIBUTING.md": {"tasks/statuses"},
}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the forge makes them."""
    titles = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_of_the_checkout_is_there(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    text = re.sub(r"\w+://\S+", "", text)
    added = ADDED.get(page.name, set())
    missing = {
        path
        for path in PATH.findall(text)
        if path not in added and not (ROOT / path).exists() and not list(ROOT.glob(f"{path}.*"))
    }
    assert missing == set()


def test_the_tree_has_every_room_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    tree = page.split("## The tree\n\n```text\n")[1].split("\n```")[0]
    found: dict[str, set[str]] = {}
    package = ""
    for line in tree.splitlines():
        if re.match(r"\w", line):
            package = line.split("/")[0]
        names = re.findall(r"(?<![\w/])(\w+)/(?=\s|$)", line)
        found.setdefault(package, set()).update(names if line.startswith("  ") else [])
    for package in ("flows", "tasks"):
        rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
        assert found[package] == rooms


def test_the_manual_of_contributors_has_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    for package in ("flows", "tasks"):
        assert {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} <= named


def test_the_rules_for_agents_stay_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= AGENT_LINES
