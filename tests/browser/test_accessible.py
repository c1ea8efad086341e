"""Every kind of page, light and dark, on a phone and on a desk: axe-core finds no serious fault.

And nothing is wider than the screen, no text of a chart lies on another, what scrolls says so, and
a mark of a chart says its value. scripts/test_parts.sh brings axe-core.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from flows.audit.flow import Options, audit_run
from flows.audit.label.server import label_server
from flows.audit.page import render as audit_page
from flows.evaluate.page import render as evaluation_page
from flows.evaluate.results import EvaluationResults
from flows.server.access import CLIENT
from flows.server.limited_http import LimitedServer
from flows.station.web import add_notice, pages_server
from flows.study.config import StudyConfig, study_names
from flows.study.page import overview
from flows.study.page import render as study_page
from tasks.paths import ROOT
from tests.browser.conftest import LOAD_MS, UI_MS
from tests.flows.audit.audit_parts import LIMIT, PAIRS, make_run
from tests.flows.audit.label.label_parts import TOKEN, session
from tests.flows.conftest import Restem
from tests.flows.evaluate.test_evaluate_report import plain_results
from tests.flows.rest_em.report_parts import full, page_of
from tests.flows.rest_em.test_learned import barren
from tests.flows.study.study_parts import finished_study
from tests.needs import lacking

AXE = ROOT / ".venv" / "home" / "axe" / "axe_playwright_python" / "axe.min.js"
SECRET = "restem:of-the-test"
Scheme = Literal["light", "dark"]
LOOKS: list[tuple[Scheme, int]] = [
    (scheme, width) for scheme in ("light", "dark") for width in (390, 1400)
]
SERIOUS = {"serious", "critical"}
RUN_AXE = "async () => (await axe.run({resultTypes: ['violations']})).violations"
OPEN_ALL = "for (const part of document.querySelectorAll('details')) part.open = true"
# Texts of a chart that lie on one another or stand out of it; tilted ones have large boxes.
TOUCHING = """() => [...document.querySelectorAll("svg.chart")].flatMap(chart => {
  const texts = [...chart.querySelectorAll("text")].filter(text =>
    text.textContent.trim() && !/rotate\\(-35/.test(text.getAttribute("transform")));
  const all = chart.getBoundingClientRect(), found = [];
  texts.forEach((text, place) => {
    const one = text.getBoundingClientRect();
    if (one.left < all.left - 1 || one.right > all.right + 1 || one.bottom > all.bottom + 1)
      found.push([text.textContent, "out of the chart"]);
    for (const other of texts.slice(place + 1)) {
      const two = other.getBoundingClientRect();
      if (one.left < two.right - 1 && two.left < one.right - 1
          && one.top < two.bottom - 3 && two.top < one.bottom - 3)
        found.push([text.textContent, other.textContent]);
    }
  });
  return found;
})"""
# Whether each thing that is wider than its place says so, and can be reached by keys.
SCROLLING = """() => [...document.querySelectorAll(".scroll")]
  .filter(box => box.scrollWidth > box.clientWidth + 1)
  .map(box => [box.dataset.title, box.tabIndex, getComputedStyle(box, "::before").content])"""


# The page's script does it in the frame after one in which a thing has changed its size.
ALL_SAY_SO = f"""() => ({SCROLLING})().every(([, stop, words]) =>
  stop === 0 && words.includes("scroll sideways"))"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, or a skip that says what is missing."""
    if not AXE.is_file():
        lacking(f"no {AXE.relative_to(ROOT)} (scripts/test_parts.sh brings it)")
    return AXE.read_text(encoding="utf-8")


# A page tells of its scrolling at the beginning of a frame.
TWO_FRAMES = "() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))"


@dataclass
class Shown:
    """A page of a product, and what has come of it once it is to be looked at."""

    address: str
    ready: Callable[[Page], None] = lambda page: None


def seen(browser: Browser, shown: Shown, scheme: Scheme, width: int) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # axe-core is none of the page's scripts
        http_credentials=dict(zip(("username", "password"), SECRET.split(":"), strict=True)),  # type: ignore[arg-type]
    )
    page.set_default_timeout(UI_MS)
    page.goto(shown.address, timeout=LOAD_MS)
    shown.ready(page)
    return page


def faults(page: Page, axe: str) -> list[str]:
    """What axe-core finds serious or worse."""
    page.evaluate(OPEN_ALL)
    page.evaluate(axe)
    found = cast("list[dict[str, Any]]", page.evaluate(RUN_AXE))
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"][:5]
    ]


def file(folder: Path, html: str) -> Shown:
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    return Shown(path.as_uri())


def run_page(finished: Restem) -> Path:
    return finished.home / "runs" / finished.status()["run"] / "report.html"


@pytest.fixture
def shown(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Shown]:
    """The page of a test's parameter."""
    kind = request.param
    if kind == "report of a run":
        yield Shown(run_page(request.getfixturevalue("finished")).as_uri())
    elif kind == "comparison":
        finished = request.getfixturevalue("finished")
        run = finished.status()["run"]
        finished("compare", f"{run}:0", f"{run}:2", "--out", str(tmp_path / "compare.html"))
        yield Shown((tmp_path / "compare.html").as_uri())
    elif kind == "report of every section":
        yield file(tmp_path, page_of(full()))
    elif kind == "report of nothing learned":
        yield file(tmp_path, page_of(barren()))
    elif kind == "audit":
        make_run(home, PAIRS)
        facts = audit_run("made", Options(pairs=0, limit=LIMIT, workers=1), lambda *_: None)
        yield file(tmp_path, audit_page(facts))
    elif kind == "evaluation":
        yield file(tmp_path, evaluation_page(EvaluationResults.from_json(plain_results())))
    elif kind == "overview of studies":
        every = [finished_study(name) for name in study_names()]
        yield file(tmp_path, overview(every, StudyConfig()).html)
    elif kind.startswith("study "):
        yield file(tmp_path, study_page(finished_study(kind.split()[1]), StudyConfig()))
    elif kind == "label":
        server = label_server(0, TOKEN, session(tmp_path / "labels.jsonl"))
        with served(server) as port:
            yield Shown(
                f"http://127.0.0.1:{port}/#{TOKEN}",
                lambda page: expect(page.locator("#count")).not_to_be_empty(),
            )
    else:
        finished = request.getfixturevalue("copied")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RESTEM_HOME", str(finished.home))
            patch.setenv(CLIENT, SECRET)
            run = finished.status()["run"]
            add_notice(json.dumps({"text": "a run failed", "link": "http://127.0.0.1:1/"}))
            with served(pages_server("127.0.0.1", 0, SECRET)) as port:
                yield Shown(f"http://127.0.0.1:{port}{ADDRESSES[kind].format(run=run)}")


# Pages of the station, by their name.
ADDRESSES = {
    "runs": "/",
    "notices": "/notices",
    "a run": "/runs/{run}",
    "report at a station": "/runs/{run}/report.html",
    "samples": "/runs/{run}/samples",
    "samples, none": "/runs/{run}/samples?text=nothing+has+this",
}


@contextmanager
def served(server: LimitedServer) -> Iterator[int]:
    """A server that answers while it is looked at; its port."""
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "shown",
    [
        *("report of a run", "report of every section", "report of nothing learned"),
        *("comparison", "audit", "evaluation", "label"),
        *("study preference", "study methods", "study start-from", "overview of studies"),
        *ADDRESSES,
    ],
    indirect=True,
)
def test_a_page_can_be_used_by_everybody(browser: Browser, shown: Shown, axe: str) -> None:
    for scheme, width in LOOKS:
        page = seen(browser, shown, scheme, width)
        look = f"{scheme}, {width} pixels"
        assert page.evaluate(TOUCHING) == [], look
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, look
        assert faults(page, axe) == [], look
        with suppress(TimeoutError):  # what is wrong then is said below
            page.wait_for_function(ALL_SAY_SO)
        for title, stop, words in page.evaluate(SCROLLING):
            assert stop == 0 and "scroll sideways" in words, (title, look)
        page.close()


def test_faults_are_found_where_there_are_any(browser: Browser, axe: str, tmp_path: Path) -> None:
    shown = file(tmp_path, '<img src="data:,"><p style="color:#aaa;background:#fff">pale</p>')
    found = faults(seen(browser, shown, "light", 390), axe)
    assert any("image-alt" in one for one in found)
    assert any("color-contrast" in one for one in found)


def test_a_mark_says_its_value_under_a_pointer_and_a_finger(
    browser: Browser, tmp_path: Path
) -> None:
    shown = file(tmp_path, page_of(full()))
    for touch in (False, True):
        page = browser.new_page(has_touch=touch, viewport={"width": 390, "height": 900})
        page.set_default_timeout(UI_MS)
        page.goto(shown.address, timeout=LOAD_MS)
        mark, tip = page.locator("[data-tip]").last, page.locator("#tip")  # on top of others
        expect(tip).to_be_hidden()
        mark.scroll_into_view_if_needed()
        page.evaluate(TWO_FRAMES)  # a page that still scrolls hides what a mark says
        mark.tap() if touch else mark.hover()
        expect(tip).to_be_visible()
        expect(tip).to_have_text(mark.get_attribute("data-tip") or "")
        box = tip.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
        page.close()


def test_a_table_that_is_too_wide_says_so_until_there_is_room(
    browser: Browser, tmp_path: Path
) -> None:
    page = seen(browser, file(tmp_path, page_of(full())), "light", 390)
    table = page.locator(".scroll", has=page.get_by_role("rowheader", name="greedy"))
    expect(table).to_have_attribute("aria-label", "All results, can be scrolled")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("one => one.scrollLeft > 0", arg=table.element_handle())
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(table).not_to_have_attribute("aria-label", "All results, can be scrolled")
    expect(table).not_to_have_attribute("tabindex", "0")
