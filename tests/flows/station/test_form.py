"""The form's schema: what it takes, what it says, and in which order."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import RestEmConfig
from flows.station import deployments
from flows.station.form import ADVANCED, MAIN

SPECS = {one["name"]: one for one in deployments.read_specs()}


def _form(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A deployment's schema, and its parameters with every field."""
    spec = SPECS[name]
    full = deployments.full_parameters(spec["entrypoint"], spec["parameters"])
    return deployments.form_of(spec["entrypoint"], full), full


@pytest.mark.parametrize("name", SPECS)
def test_what_is_stored_is_taken_whole_or_in_part(name: str) -> None:
    """A schedule of before may lack any field."""
    schema, full = _form(name)
    parts = [{"config": {field: value}} for field, value in full["config"].items()]
    validate(full, schema, raise_on_error=True)  # which looks at the schema too
    for given in ({"config": {}}, *parts):
        assert validate(given, schema) == [], given


@pytest.mark.parametrize(
    ("section", "field", "value", "said"),
    [
        ("sampling", "samples", 0, "config.sampling.samples'.*minimum of 1"),
        ("evaluation", "temperature", 0, "config.evaluation.temperature'.*minimum of 0.0"),
        ("data", "typo", 1, "config.data'.*'typo' was unexpected"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(
    section: str, field: str, value: int, said: str
) -> None:
    schema, full = _form("math-demo")
    given = deepcopy(full)
    given["config"][section][field] = value
    with pytest.raises(ValidationError, match=said):
        validate(given, schema, raise_on_error=True)


@pytest.mark.parametrize("name", ["math-demo", "latest"])
def test_a_section_is_closed_or_has_the_deployments_values(name: str) -> None:
    schema, full = _form(name)
    (top,) = (one["$ref"].split("/")[-1] for one in schema["properties"].values())
    sections = {
        field: said["anyOf"]
        for field, said in schema["definitions"][top]["properties"].items()
        if "anyOf" in said
    }
    assert len(sections) == (10 if name == "math-demo" else 4)
    for field, (closed, opened) in sections.items():
        assert closed["const"] == full["config"][field]
        assert _begins_with(opened) == full["config"][field]


def _begins_with(part: dict[str, Any]) -> Any:
    if "properties" not in part:
        return part["default"]
    return {name: _begins_with(one) for name, one in part["properties"].items()}


def test_fields_that_most_people_change_come_first_and_are_ours() -> None:
    definitions = {**_form("math-demo")[0]["definitions"], **_form("latest")[0]["definitions"]}
    for section, first in MAIN.items():
        fields = definitions[section]["properties"]
        assert set(first) <= set(fields), section
        ordered = sorted(fields, key=lambda name: fields[name]["position"])
        assert tuple(ordered[: len(first)]) == first
        rest = {fields[name]["title"].startswith(ADVANCED) for name in ordered[len(first) :]}
        assert rest <= {True}


@pytest.mark.parametrize("model", [RestEmConfig, EvaluateConfig])
def test_each_field_says_the_default_of_the_configuration(model: type) -> None:
    schema = _form("math-demo" if model is RestEmConfig else "latest")[0]
    said = schema["definitions"]
    assert said["MeasureSettings" if model is EvaluateConfig else "EvaluationSettings"][
        "properties"
    ]["samples"]["description"].endswith(" Default: 8.")
    for name, field in said[model.__name__]["properties"].items():
        if isinstance(field.get("default"), str | int | float):
            assert " Default: " in field["description"], name
