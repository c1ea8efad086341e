"""A person goes from a report's counts to the samples, and follows a run while it goes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from flows.runs.journal import sole
from flows.server.access import COOKIE, derived
from flows.station.web import pages_server
from tasks.finetune.log_lines import log_line
from tasks.finetune.results import HistoryEntry
from tasks.rows import Status
from tests.browser.conftest import LOAD_MS, UI_MS
from tests.flows.api.samples_parts import RUN, Made, Shard, make_run
from tests.flows.conftest import Restem
from tests.flows.rest_em.report_parts import HOSTILE

SECRET = "restem:of-the-test"
EVIL = HOSTILE.replace("\ud800", "")


@contextmanager
def station_page(browser: Browser, width: int = 1280) -> Iterator[Page]:
    """A window that may read the pages of the environment's home; relative addresses are theirs."""
    server = pages_server("127.0.0.1", 0, SECRET)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    window = browser.new_context(base_url=base, viewport={"width": width, "height": 800})
    cookie = derived(SECRET, "pages")
    window.add_cookies([{"name": COOKIE, "value": cookie, "url": base}])
    window.set_default_timeout(UI_MS)
    window.set_default_navigation_timeout(LOAD_MS)
    page = window.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    yield page
    server.shutdown()
    server.server_close()
    assert said == []


def total(page: Page) -> int:
    """How many samples the page says there are."""
    found = re.search(r"([\d,]+) samples?", page.locator("#count").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_every_count_of_the_report_leads_to_as_many_samples(
    finished: Restem, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(finished.home))
    run = finished.status()["run"]
    with station_page(browser) as page:
        page.goto("/")
        page.get_by_role("link", name=run).click()
        page.get_by_role("link", name="report", exact=True).click()
        counts = page.locator("a[data-samples]:not(svg a)")
        words = [words for words in counts.all_inner_texts() if words]
        links = [str(one.get_attribute("href")) for one in counts.all()]
        bars = page.locator("svg a[data-samples]").all()
        assert bars and all(bar.get_attribute("href") for bar in bars)
        for bar in bars:  # `from the base policy: 1,234 kept (5.0%)`
            counted = str(bar.get_attribute("aria-label")).partition(": ")[2]
            words.append(counted.partition(" ")[0])
            links.append(str(bar.get_attribute("href")))
        assert len(words) == len(links) > 9
        for kind in ("flipped=solved", "fate=kept", "fate=duplicate"):
            assert any(kind in one for one in links), kind
        for text, link in zip(words, links, strict=True):
            page.goto(f"/runs/{run}/{link}")
            assert total(page) == int(re.sub(r"\D", "", text)), link
        page.goto(f"/runs/{run}/report.html")
        page.get_by_role("link", name="duplicate").first.click()
        expect(page.get_by_label("In the selection")).to_have_value("duplicate")
        page.goto(f"/runs/{run}/report.html")
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="wrong answer"))
        row.get_by_role("link").first.click()
        sample = page.get_by_role("article").first
        expect(sample.get_by_text("wrong answer")).to_be_visible()
        expect(sample.locator("pre").nth(1)).to_contain_text("####")
        page.get_by_label("Text in the sample").fill("no sample says this")
        page.keyboard.press("Enter")
        expect(page.get_by_text("No such sample.")).to_be_visible()
    report = finished.home / "runs" / run / "report.html"
    page = browser.new_page()
    page.goto(report.as_uri(), timeout=LOAD_MS)
    count = page.locator("a[data-samples]").first
    assert count.get_attribute("href") is None
    assert f"restem samples {run} --" in str(count.get_attribute("title"))


@pytest.mark.parametrize("width", [390, 1400])
def test_a_sample_that_means_harm_does_none(browser: Browser, home: Path, width: int) -> None:
    make_run({EVIL: EVIL}, [Shard("draw", 0, [Made(EVIL, 0, EVIL, Status.WRONG_ANSWER)])])
    with station_page(browser, width) as page:
        page.goto(f"/runs/{RUN}/samples")
        expect(page.get_by_text('document.title="owned"').first).to_be_visible()
        assert page.title() == f"Samples of {RUN}"
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_page_renews_itself_until_the_run_ends(browser: Browser, home: Path) -> None:
    log = make_run({"p": "q"}, []) / "logs" / "finetune.log"
    with station_page(browser) as page:
        with sole(RUN, lambda: None):
            page.goto(f"/runs/{RUN}")
            expect(page.get_by_text("running")).to_be_visible()
            entries = [HistoryEntry(step, loss=1 / step) for step in (1, 2)]
            log.write_text("".join(log_line("finetune 1", 2, one) + "\n" for one in entries))
            chart = page.get_by_role("img", name="Fine-tuning: training loss")
            expect(chart).to_be_visible()
            stop = page.get_by_role("button", name="Stop updates")
            asked: list[Route] = []
            page.route(f"**/runs/{RUN}", lambda route: asked.append(route))
            while not asked:  # the next look is under way, and its answer has to wait
                page.wait_for_timeout(100)
            stop.click()
            log.unlink()
            with page.expect_response(f"**/runs/{RUN}") as looked:
                asked.pop().continue_()
            looked.value.finished()
            page.unroute(f"**/runs/{RUN}")
            page.wait_for_timeout(7_000)  # longer than the page waits between two looks
            expect(chart).to_be_visible()
            stop.click()
            expect(chart).to_be_hidden()
        expect(page.get_by_text("interrupted")).to_be_visible()
        expect(stop).to_be_hidden()
