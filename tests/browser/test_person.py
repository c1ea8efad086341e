"""The form's words and bounds, a review between iterations, and Cancel."""

from __future__ import annotations

import contextlib
import json

import pytest
from playwright.sync_api import expect

from flows.config.rest_em import RestEmConfig, load_config
from sandbox.owner import LABEL, labelled_containers
from sandbox.pool import connect
from tests.browser.conftest import PATIENCE, Person
from tests.flows.station.conftest import LONG, until
from tests.small import TINY

# In the order of a run, and what few runs change last.
SECTIONS = (
    "Problems",
    "Base policy",
    "Generate (E-step)",
    "Filter",
    "Finetune (M-step)",
    "Evaluate",
    "Execute (code), and how math is checked",
    "Judge (preferences)",
    "Reward (preferences)",
    "Resources (change no result)",
)


def test_every_field_of_the_form_has_its_words(person: Person) -> None:
    person.open_form("small")
    for title in SECTIONS:
        person.open_section(title)
    expect(person.section(SECTIONS[-1]).get_by_text("Device (Optional)")).to_be_visible()
    text = person.page.inner_text("main")
    schema = RestEmConfig.model_json_schema()
    # What a list holds is shown when a person adds one.
    fields = [one for part in schema["$defs"].values() for one in part["properties"].values()]
    listed = {
        one["items"]["$ref"].split("/")[-1] for one in fields if "$ref" in one.get("items", {})
    }
    sections = [schema, *(part for name, part in schema["$defs"].items() if name not in listed)]
    for section in sections:
        for name, field in section["properties"].items():
            words = (
                field.get("description")
                or schema["$defs"][field["$ref"].split("/")[-1]]["description"]
            )
            assert " ".join(words.split(". ")[0].split()) in " ".join(text.split()), name
    places = [text.index(f"\n{title} (Optional)") for title in SECTIONS]
    assert places == sorted(places)


def test_a_section_opens_with_the_deployments_values_and_its_advanced_fields_last(
    person: Person,
) -> None:
    person.open_form("small")
    part = person.section("Generate (E-step)")
    expect(part.get_by_text("samples = 8, max_tokens = 40", exact=True)).to_be_visible()
    samples = part.get_by_label("Samples (Optional)", exact=True)
    assert samples.count() == 0
    person.open_section("Generate (E-step)")
    expect(samples).to_have_value("8")
    expect(part.get_by_text("APPS 64). Default: 32.")).to_be_visible()
    labels = [text for text in part.locator("label").all_inner_texts() if "(Optional)" in text][1:]
    advanced = [text.startswith("Advanced: ") for text in labels]
    assert labels[:2] == ["Engine (Optional)", "Samples (Optional)"]
    assert advanced == sorted(advanced) and any(advanced)
    samples.fill("5")
    person.close_section("Generate (E-step)")
    expect(samples).to_be_hidden()


def test_a_run_has_the_name_that_a_person_gave_and_what_they_changed(person: Person) -> None:
    person.open_form("small")
    page = person.page
    person.open_section("Filter")
    person.section("Filter").get_by_label("Cap (Optional)", exact=True).fill("3")
    page.get_by_label("Run Name").fill("My first run")
    run = person.submit()
    person.sees_state(run, "Completed")
    found = person.station.api.get(f"/flow_runs/{run}")
    asked = load_config("math-demo", [*TINY, "iterations=1", "filter.cap=3"])
    assert RestEmConfig.model_validate(found["parameters"]["config"]) == asked
    assert found["name"] == "My first run"
    person.open_run(run, "Artifacts")
    expect(page.get_by_label("breadcrumb").get_by_text("My first run")).to_be_visible()
    for key in ("model", "samples"):
        expect(page.get_by_role("link", name=f"{key}-{asked.run_id}").first).to_be_visible()
    person.open_artifact(f"model-{asked.run_id}")
    expect(page.get_by_text(f"restem export {asked.run_id} --to model").first).to_be_visible()


def test_a_value_out_of_bounds_is_refused_in_the_form(person: Person) -> None:
    person.open_form("small")
    person.fill("Iterations", "99")
    person.page.get_by_role("button", name="Submit").click()
    field = person.page.get_by_label("Iterations (Optional)", exact=True).first
    assert "20" in field.evaluate("field => field.validationMessage")
    assert person.page.get_by_role("button", name="View run").count() == 0  # nothing was started
    person.take("refused")


@pytest.mark.parametrize("decision", ["continue", "stop"])
def test_a_person_reviews_an_iteration(person: Person, decision: str) -> None:
    run = person.station.start(*_review(9 if decision == "stop" else 10), name="rest-em/small")
    person.open_run(run)
    person.sees_state(run, "Suspended")
    until(lambda: person.station.engine(run) is None)  # no process is held meanwhile
    page = person.page
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("menuitem", name="Resume").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("greedy").first).to_be_visible()  # the metrics to decide by
    if decision == "stop":
        form.get_by_role("button", name="Select Decision").click()
        page.get_by_role("option", name="stop").click()
    else:
        form.get_by_label("Temperature (Optional)").fill("0.9")
        person.take("review")
    person.resume()
    person.sees_state(run, "Completed")
    name = person.station.api.get(f"/flow_runs/{run}")["name"]
    kept = json.loads((person.station.home / "runs" / name / "reviews.json").read_text())
    assert kept["1"]["decision"] == decision
    assert kept["1"]["temperature"] == (0.7 if decision == "stop" else 0.9)
    last = max(step["iteration"] for step in person.station.steps(run) if step["step"] == "measure")
    assert last == (1 if decision == "stop" else 2)


def test_cancel_leaves_no_process(person: Person) -> None:
    parts = _pids(person)
    run = person.station.start(*LONG, "seed=11", name="rest-em/small")
    person.station.wait_for_work(run)
    until(lambda: len(_pids(person) - parts) > 2)  # the flow, its fork server, an engine
    person.open_run(run)
    person.choose("Cancel")
    until(lambda: not _pids(person) - parts)
    person.sees_state(run, "Cancelled")
    person.open_run(run)
    person.take("cancelled")


def test_cancel_leaves_no_container(person: Person, image: str) -> None:
    parts = _pids(person)
    config = load_config("code-demo", [*LONG, "seed=12"]).model_dump(mode="json")
    run = person.station.start_with({"config": config}, "rest-em/code-demo")
    with contextlib.closing(connect()) as engine:

        def theirs(pids: set[int]) -> list[str]:
            return [c["Id"] for pid in pids for c in labelled_containers(engine, LABEL, str(pid))]

        mine = until(lambda: theirs(pids := _pids(person) - parts) and pids, PATIENCE)
        person.open_run(run)
        person.choose("Cancel")
        until(lambda: not theirs(mine) and not _pids(person) - parts)
    person.sees_state(run, "Cancelled")


def _pids(person: Person) -> set[int]:
    """Processes of the station's home: its parts, and whatever its runs have started."""
    return {process.pid for process in person.station.processes()}


def _review(seed: int) -> tuple[str, ...]:
    return (*TINY, "iterations=2", f"seed={seed}", "review=true")
