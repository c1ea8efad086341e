"""A person labels pairs of a run in a real browser, and the server is killed meanwhile."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import LOAD_MS, UI_MS
from tests.flows.audit.label.label_parts import labelling
from tests.flows.conftest import Restem
from tests.ports import free_port

WIDTHS = (390, 768, 1400)
# Luminance and contrast as WCAG 2 has them, of every text that is shown.
CONTRASTS = """() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const worst = {};
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility() || one.closest(".unseen, script, style")) continue;
    const pair = [light(parts(getComputedStyle(one).color)), light(behind(one))];
    worst[one.outerHTML.slice(0, 60)] = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  }
  return worst;
}"""
TRIES = [
    {"method": "POST", "headers": {"Content-Type": "application/json"}},
    {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}},
    {"method": "POST", "credentials": "include"},
    {"method": "GET"},
]
TRY = """async ([address, options]) => {
  try { const reply = await fetch(address, options); return `${reply.type} ${reply.status}`; }
  catch (error) { return "refused"; }
}"""


def opened(browser: Browser, link: str, width: int = 1280, **more: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, **more)
    page.set_default_timeout(UI_MS)
    page.goto(link, timeout=LOAD_MS)
    expect(page.locator("#count")).not_to_be_empty()
    return page


def press(page: Page, key: str, said: str) -> None:
    """Press a key, and see how far the person is then."""
    page.keyboard.press(key)
    expect(page.locator("#count")).to_have_text(said)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_one_key_a_pair_and_a_kill_between(
    finished: Restem, browser: Browser, tmp_path: Path
) -> None:
    file, port = tmp_path / "labels.jsonl", free_port()
    options = ("--out", str(file), "--person", "ann", "--pairs", "6")
    with labelling(finished, *options, port=port) as (link, process):
        page = opened(browser, link)
        assert "#" not in page.url  # the token does not stay where others may read it
        press(page, "1", "1 of 6 labelled")
        press(page, "=", "2 of 6 labelled")
        press(page, "s", "2 of 6 labelled, 1 skipped")
        press(page, "u", "2 of 6 labelled")
        press(page, "2", "3 of 6 labelled")
        process.kill()
        process.wait()
    left = page.locator("#left").inner_text()
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("What you labelled is kept")
    assert len(lines(file)) == 3
    with labelling(finished, *options, port=port):
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.locator("#count")).to_have_text("3 of 6 labelled")
        assert page.locator("#left").inner_text() == left  # the pair that was shown is still next
        page.get_by_role("button", name="Tie").click()
        expect(page.locator("#count")).to_have_text("4 of 6 labelled")
        press(page, "1", "5 of 6 labelled")
        press(page, "1", "6 of 6 labelled")
        expect(page.get_by_role("heading", name="You are through")).to_be_visible()
        page.keyboard.press("1")  # says nothing any more
        press(page, "u", "5 of 6 labelled")
        press(page, "2", "6 of 6 labelled")
    said = lines(file)
    assert len(said) == len({(one["problem"], one["first"], one["second"]) for one in said}) == 6
    assert [one["p"] == 0.5 for one in said] == [False, True, False, True, False, False]
    assert {one["who"] for one in said} == {"ann"}


def test_two_people_see_how_far_they_agree(
    finished: Restem, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "labels.jsonl"
    for person, keys in (("ann", "1=2="), ("bob", "2=1=")):
        options = ("--out", str(file), "--person", person, "--pairs", "4")
        with labelling(finished, *options) as (link, _):
            page = opened(browser, link)
            for number, key in enumerate(keys, start=1):
                press(page, key, f"{number} of 4 labelled")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="ann"))
    cells = row.filter(has_text="bob").get_by_role("cell").all_inner_texts()
    both = [{one["who"]: one["p"] for one in lines(file)[n::4]} for n in range(4)]
    same = sum(one["ann"] == one["bob"] for one in both)
    assert cells[:2] == ["bob", "4"]
    assert cells[2].startswith(f"{25 * same}.0% [")
    # Each pair is shown in an order of each person's own, so the keys do not say it.
    assert cells[3].startswith(f"{kappa(both):.2f} [")


def kappa(both: list[dict[str, float]]) -> float:
    """As a person works it out."""
    agreed = sum(one["ann"] == one["bob"] for one in both) / len(both)
    chance = (
        sum(
            sum(one["ann"] == p for one in both) * sum(one["bob"] == p for one in both)
            for p in (0.0, 0.5, 1.0)
        )
        / len(both) ** 2
    )
    return (agreed - chance) / (1 - chance)


def test_keys_can_be_switched_off(finished: Restem, browser: Browser, tmp_path: Path) -> None:
    with labelling(finished, "--out", str(tmp_path / "labels.jsonl")) as (link, _):
        page = opened(browser, link)
        page.get_by_role("checkbox").uncheck()
        page.keyboard.press("1")
        page.get_by_role("button", name="Skip").click()
        expect(page.locator("#count")).to_have_text("0 of 100 labelled, 1 skipped")
    assert len(lines(tmp_path / "labels.jsonl")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_on_any_screen(
    finished: Restem, browser: Browser, tmp_path: Path, scheme: str
) -> None:
    with labelling(finished, "--out", str(tmp_path / "labels.jsonl")) as (link, _):
        for width in WIDTHS:
            page = opened(browser, link, width, color_scheme=scheme)
            before = page.locator("#count").inner_text()
            page.keyboard.press("=")
            expect(page.locator("#count")).not_to_have_text(before)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert min(page.evaluate(CONTRASTS).values()) >= 4.5, page.evaluate(CONTRASTS)
            for name in ("Answer 1", "Tie", "Answer 2", "Skip", "Undo"):
                box = page.get_by_role("button", name=name).bounding_box()
                assert box is not None and box["height"] >= 44
                assert box["x"] >= 0 and box["x"] + box["width"] <= width
            page.close()


def test_a_page_from_elsewhere_neither_labels_nor_reads(
    finished: Restem, browser: Browser, tmp_path: Path
) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html><body>elsewhere</body>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    file = tmp_path / "labels.jsonl"
    with (
        labelling(finished, "--out", str(file)) as (link, _),
        ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as other,
    ):
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        window = browser.new_context()
        mine = window.new_page()
        mine.goto(link, timeout=LOAD_MS)
        expect(mine.locator("#count")).not_to_be_empty()
        pair = mine.evaluate("state.shown.id")
        page = window.new_page()
        page.goto(f"http://127.0.0.1:{other.server_port}/", timeout=LOAD_MS)
        for options in TRIES:
            body = {"body": json.dumps({"pair": pair, "says": "left"})}
            sent = options if options["method"] == "GET" else options | body
            path = "state" if options["method"] == "GET" else "label"
            seen = page.evaluate(TRY, [f"{link.partition('/#')[0]}/{path}", sent])
            assert seen in ("refused", "opaque 0")
        other.shutdown()
        assert not os.path.exists(file)
        press(mine, "1", "1 of 100 labelled")
