"""A person at Prefect's UI: headless Chromium on a real station."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    Route,
    TimeoutError,
    ViewportSize,
    expect,
    sync_playwright,
)

from flows.config.rest_em import load_config
from flows.station.deployments import form_of
from scripts.pictures import PICTURES, shown_pictures
from tests.flows.conftest import copied, finished, server
from tests.flows.station.conftest import Station, station, until
from tests.small import SMALL, TINY

__all__ = ["copied", "finished", "server", "station"]
# A run of the small demo takes under a minute; beside other tests on two cores, several.
PATIENCE = 600.0
# The UI asks the server every few seconds, and later on a busy machine.
UI_MS = 120_000
expect.set_options(timeout=UI_MS)
# The first answer of a page; a server that has just started is busy with itself.
LOAD_MS = 180_000
SIZE = ViewportSize(width=1280, height=800)
# Chromium's own errands, which have nothing to do with a page and cost a busy machine its cores.
FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
    # Names that lead here, as a page from elsewhere would have its own name do.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)
# Before a picture is taken: the graph of a run has drawn itself, and notices have gone.
DRAWN_MS = 15_000


@dataclass
class Person:
    """What a person does in the UI."""

    page: Page
    station: Station

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.station.port}"

    def visit(self, address: str) -> None:
        """Open an address; what is on the page is waited for by whoever looks for it.

        A page that does not come is loaded once more, as a person would do.
        """
        try:
            self.page.goto(address, wait_until="domcontentloaded", timeout=LOAD_MS)
        except TimeoutError:
            self.page.goto(address, wait_until="domcontentloaded", timeout=LOAD_MS)
        if address.startswith(self.ui):
            self.is_in()

    def is_in(self) -> None:
        """Wait until the UI has let the person in.

        While it still asks the server about the password, Prefect's UI takes leaving the page for a
        wrong one, and forgets it.
        """
        expect(self.page.get_by_role("link", name="Deployments", exact=True)).to_be_visible()

    def open_form(self, deployment: str) -> None:
        """From the list of all deployments to the form of a custom run."""
        self.visit(f"{self.ui}/v2/deployments?limit=100")
        self.page.get_by_role("link", name=deployment, exact=True).click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        expect(self.page.get_by_role("heading", name="Parameters")).to_be_visible()

    def open_section(self, title: str) -> None:
        """Open a section of the form."""
        self.section(title).get_by_role("tab", name="Change").first.click()

    def close_section(self, title: str) -> None:
        """Go back to what the deployment has."""
        self.section(title).get_by_role("tab", name="As set").first.click()

    def section(self, title: str) -> Locator:
        """A part of the form, of this title."""
        label = self.page.get_by_text(f"{title} (Optional)", exact=True)
        return self.page.locator("div.group").filter(has=label).last

    def fill(self, field: str, value: str) -> None:
        """Fill the first field of this title."""
        self.page.get_by_label(f"{field} (Optional)", exact=True).first.fill(value)

    def submit(self) -> str:
        """Start the run; its id, from the page that shows it."""
        view = self.page.get_by_role("button", name="View run")
        for _ in range(3):  # a server under load may refuse once, and says so; a person tries again
            self.page.get_by_role("button", name="Submit").click()
            with contextlib.suppress(TimeoutError):
                view.first.click()
                self.page.wait_for_url("**/runs/flow-run/**")
                return self.page.url.split("flow-run/")[1].split("?")[0].strip("/")
        pytest.fail("the form started no run")

    def open_run(self, run: str, tab: str = "Logs") -> None:
        """The page of a run, afresh: without the notice of the form before it."""
        self.visit(f"{self.ui}/v2/runs/flow-run/{run}")
        self.page.get_by_role("tab", name=tab).click()

    def newest_first(self) -> None:
        """Sort the lines of the log."""
        self.page.get_by_role("combobox").filter(has_text="Oldest to newest").click()
        self.page.get_by_role("option", name="Newest to oldest").click()

    def open_artifact(self, key: str) -> None:
        """From the artifacts of a run's page to one of them."""
        self.page.get_by_role("link", name=key).first.click()

    def sees_state(self, run: str, state: str) -> None:
        """Wait until the run is in this state, and see it in the head of its page."""
        until(lambda: self.station.state(run)["name"] == state, PATIENCE)
        head = self.page.locator("main [data-slot=badge]")
        expect(
            head.get_by_text(state, exact=True)
            .or_(head.filter(has_text=re.compile(f"^{state}$")))
            .first
        ).to_be_visible()

    def sees_task(self, name: str, *states: str) -> None:
        """Look a task up by its name; each attempt that the run made shows its state."""
        self.page.get_by_role("tab", name="Task Runs").click()
        self.page.get_by_placeholder("Search by run name").fill(name)
        link = self.page.get_by_role("link", name=name, exact=True)
        expect(link).to_have_count(len(states))
        rows = self.page.get_by_role("listitem").filter(has=link)
        for state in states:
            expect(rows.filter(has_text=state)).to_have_count(states.count(state))

    def choose(self, item: str) -> None:
        """Choose from the menu of the run's page, and confirm."""
        self.page.get_by_role("button", name="Open menu").click()
        self.page.get_by_role("menuitem", name=item, exact=True).click()
        dialog = self.page.get_by_role("alertdialog").or_(self.page.get_by_role("dialog"))
        dialog.get_by_role("button", name=item).last.click()

    def resume(self) -> None:
        """Send the form of a review; as with any form, what a busy server refuses is sent again."""
        form = self.page.get_by_role("dialog")
        for _ in range(3):
            with contextlib.suppress(TimeoutError):  # it may close between two looks
                form.get_by_role("button", name="Resume").click()
            with contextlib.suppress(AssertionError):
                expect(form).to_be_hidden()
                return
        pytest.fail("the review was not taken: " + form.inner_text())

    def take(self, name: str) -> None:
        """Keep a picture that a document shows, when asked for (scripts/pictures.py)."""
        if os.environ.get("RESTEM_PICTURES") and name in shown_pictures():
            self.page.wait_for_timeout(DRAWN_MS)
            self.page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture(scope="package")
def launched(chromium: str) -> Iterator[Browser]:
    """The browser's processes, which take longer to start than most pages to load."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def browser(launched: Browser) -> Iterator[Browser]:
    """A browser that knows nothing yet; its windows are closed when the test ends."""
    yield launched
    for context in launched.contexts:
        context.close()


@pytest.fixture
def person(browser: Browser, station: Station, small: str) -> Person:
    """A browser window of its own for each test."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(UI_MS)
    page.route(lambda address: urlsplit(address).hostname not in (None, "127.0.0.1"), _refuse)
    page.goto(station.link, timeout=LOAD_MS)
    page.wait_for_url("**/dashboard*", timeout=LOAD_MS)
    person = Person(page, station)
    person.is_in()
    return person


def _refuse(route: Route) -> None:
    """Prefect's UI also asks hosts of its makers, which a page need not wait for."""
    route.abort()


@pytest.fixture(scope="package")
def small(station: Station) -> str:
    """A deployment with a smaller demo's parameters, as an operator would add one.

    A picture for the documentation shows a run that is long enough to be looked at.
    """
    known = station.deployment("rest-em/math-demo")
    size = SMALL if os.environ.get("RESTEM_PICTURES") else TINY
    config = load_config("math-demo", [*size, "iterations=1"]).model_dump(mode="json")
    copied = (
        "flow_id",
        "entrypoint",
        "path",
        "pull_steps",
        "enforce_parameter_schema",
        "work_pool_name",
    )
    fields = {name: known[name] for name in copied}
    fields |= {"name": "small", "parameters": {"config": config}}
    fields["parameter_openapi_schema"] = form_of(known["entrypoint"], fields["parameters"])
    station.api.post("/deployments/", fields)
    return "small"
