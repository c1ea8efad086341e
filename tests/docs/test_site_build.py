"""The site builds strictly, its links lead somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from scripts.site.__main__ import FOLDER, references
from scripts.site.pages import write_pages
from tasks.paths import ROOT
from tests.needs import lacking

pytestmark = pytest.mark.slow
ZENSICAL = ROOT / "build" / "docs" / "tool" / "bin" / "zensical"


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.ids |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.add(said["href"])
        elif tag == "link" and said.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(said["href"])
        elif "src" in said:
            self.loads.add(said["src"])


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages of a folder, with the configuration of the checkout."""
    if not ZENSICAL.exists():
        lacking("no zensical; make docs brings it")
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    text = text.replace('paths = ["."]', f'paths = ["{ROOT}"]')
    (folder / "zensical.toml").write_text(text, encoding="utf-8")
    return subprocess.run(
        [str(ZENSICAL), "build", "--strict", "--clean"], cwd=folder, capture_output=True, text=True
    )


def stage(folder: Path) -> Path:
    """Write all pages."""
    pages = folder / "build" / "docs" / "pages"
    write_pages(pages)
    (pages / FOLDER).mkdir()
    for name, text in references().items():
        (pages / FOLDER / name).write_text(text, encoding="utf-8")
    return pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    stage(folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "docs" / "site"


def test_every_link_and_picture_of_the_pages_is_there(site: Path) -> None:
    page = cache(Page)
    found, dead = 0, []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":
            continue  # it may be shown at any address, so its links begin at the root
        for target in page(path).links | page(path).loads:
            parts = urlsplit(target)
            if parts.scheme:
                continue
            found += 1
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = place / "index.html" if place.is_dir() else place
            anchor = unquote(parts.fragment)
            if not place.exists() or (anchor and anchor not in page(place).ids):
                dead.append(f"{path.relative_to(site)}: {target}")
    assert found > 1000
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert [one for one in Page(path).loads if urlsplit(one).netloc] == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", path.read_text(encoding="utf-8")), path


def test_a_field_has_an_address(site: Path) -> None:
    ids = Page(site / FOLDER / "configuration.html").ids
    assert {"sampling.temperature", "data.more[].source", "resources.engines"} <= ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a](nowhere.md)", "page does not exist"),
        ("[a](own.md#nowhere)", "anchor does not exist"),
        ("::: flows.api.nowhere", "flows.api.nowhere"),
    ],
)
def test_what_leads_nowhere_ends_the_build(tmp_path: Path, text: str, said: str) -> None:
    pages = stage(tmp_path)
    with (pages / "concepts.md").open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    done = build(tmp_path)
    assert done.returncode != 0 and said in done.stdout + done.stderr
