"""Start a run in the form, follow it, read its report; a failed one is retried from the cache."""

from __future__ import annotations

import json

import httpx
import pytest
from playwright.sync_api import expect

from flows.config.rest_em import load_config
from flows.runs.journal import sole
from tests.browser.conftest import Person
from tests.small import TINY


def test_a_person_starts_a_run_and_reads_its_report(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.open_form("small")
    person.fill("Iterations", "2")
    person.fill("Seed", "7")
    person.take("form")
    # It waits for this test as for an equal run, and is seen Running however long the page takes.
    monkeypatch.setenv("RESTEM_HOME", str(person.station.home))
    with sole(load_config("math-demo", [*TINY, "iterations=2", "seed=7"]).run_id, lambda: None):
        run = person.submit()
        person.sees_state(run, "Running")
    person.open_run(run)
    expect(person.page.get_by_text("Finished in state").first).to_be_visible()
    person.take("running")
    person.sees_state(run, "Completed")
    name = person.station.api.get(f"/flow_runs/{run}")["name"]
    head = json.loads(person.station.command("status", name, "--json").stdout)
    assert head["state"] == "completed" and len(head["iterations"]) == 3
    page = person.page
    expect(page.get_by_label("breadcrumb").get_by_text(head["run"])).to_be_visible()
    person.open_run(run, "Artifacts")
    person.take("artifacts")
    person.open_artifact(f"report-{head['run']}")
    expect(page.get_by_role("img", name="Accuracy over iterations")).to_be_visible()
    expect(page.get_by_role("cell", name="base")).to_be_visible()
    person.take("report")
    person.open_run(run, "Artifacts")
    person.open_artifact(f"page-{head['run']}")
    link = page.get_by_role("link", name="The whole report").get_attribute("href")
    assert link is not None and link.endswith(f"/runs/{head['run']}/report.html")
    person.visit(link)
    expect(page.get_by_text(head["run"]).first).to_be_visible()
    person.take("page")
    person.open_run(run, "Artifacts")
    person.open_artifact(f"run-{head['run']}")
    follow = page.get_by_role("link", name="Progress, training curves, samples")
    person.visit(str(follow.get_attribute("href")))
    page.get_by_role("link", name="samples", exact=True).click()
    expect(page.get_by_role("article").first).to_be_visible()
    person.take("samples")


def test_a_run_that_failed_is_retried_and_finds_what_was_done(person: Person) -> None:
    station, work = person.station, person.station.home / "work"
    short = station.start(*TINY, "iterations=1", "seed=8", name="rest-em/small")
    station.wait_for(short, "COMPLETED")
    # The disk plays a trick: where the second trainer wants its folder there is a file. The first
    # one's work is there already.
    work.rename(work.with_name("aside"))
    work.write_text("in the way")
    person.open_form("small")
    person.fill("Iterations", "2")
    person.fill("Seed", "8")
    run = person.submit()
    person.sees_state(run, "Failed")
    before = {s["label"]: s["artifact"] for s in station.steps(run)}
    assert "select 2" in before and "finetune 2" not in before
    person.open_run(run)
    person.newest_first()
    expect(person.page.get_by_text("Not a directory").first).to_be_visible()  # why, in the log
    person.take("failed")
    work.unlink()
    person.choose("Retry")
    person.sees_state(run, "Completed")
    after = {s["label"]: s for s in person.station.steps(run)}
    assert {after[label]["state"] for label in before} == {"Cached"}
    assert {s["state"] for label, s in after.items() if label not in before} == {"Completed"}
    person.open_run(run)
    person.sees_task("select 2", "Cached", "Completed")
    for done in ("measure p1", "finetune 1"):
        person.sees_task(done, "Cached", "Cached")
    person.take("retried")
    person.sees_task("finetune 2", "Completed", "Failed")
    runs = person.station.api.post(
        "/task_runs/filter",
        {
            "flow_runs": {"id": {"any_": [run]}},
            "task_runs": {"state": {"name": {"any_": ["Cached"]}}},
        },
    )
    assert {one["name"] for one in runs} >= set(before)


def test_the_page_server_gives_reports_alone(person: Person) -> None:
    pages = f"http://127.0.0.1:{person.station.pages}"
    user, _, password = person.station.secret.partition(":")
    reader = httpx.Client(auth=(user, password))
    assert reader.get(pages).status_code == 200
    for path in ("/runs/../../etc/passwd", "/runs/%2e%2e/prefect/server.json", "/etc/passwd"):
        assert reader.get(pages + path).status_code == 404
