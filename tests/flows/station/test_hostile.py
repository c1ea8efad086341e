"""A configuration through the API that is wrong, or meant badly: refused by name, nothing dies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.server.api import ApiError
from tests.flows.station.conftest import Station
from tests.small import TINY


@pytest.fixture(autouse=True)
def lives_on(station: Station) -> Iterator[None]:
    """The server, the worker and the pages are the same processes before and after."""
    before = station.note()
    yield
    assert station.note() == before
    assert station.api.healthy()


def _config(**changed: Any) -> dict[str, Any]:
    config = load_config("math-demo", list(TINY)).model_dump(mode="json")
    for field, value in changed.items():
        *sections, last = field.split("__")
        part = config
        for section in sections:
            part = part[section]
        part[last] = value
    return {"config": config}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sampling__sample", 4),
        ("nothing", 1),
        ("iterations", 0),
        ("iterations", 10**9),
        ("sampling__temperature", -1.0),
        ("sampling__samples", "many"),
        ("sampling__engine", "rm -rf /"),
        ("name", "../../etc"),
        ("name", "x" * 1_000_000),
        ("data__source", "x" * 1_000_000),
        ("data", None),
    ],
)
def test_refused_at_once_by_the_name_of_the_field(
    station: Station, field: str, value: object
) -> None:
    with pytest.raises(ApiError) as caught:
        station.start_with(_config(**{field: value}))
    assert caught.value.status in (409, 413, 422)
    assert field.rpartition("__")[2] in str(caught.value) or caught.value.status == 413


@pytest.mark.parametrize("parameters", [{"config": None}, {"config": []}, {"x": 1}])
def test_other_parameters_are_refused(station: Station, parameters: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        station.start_with(parameters)
    assert caught.value.status in (409, 422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resources__store", "/etc"),
        ("resources__store", "../../outside"),
        ("resources__store", "file:///etc"),
        ("resources__store", "file:/etc"),
        ("model__base", "embedded:/etc"),
        ("model__base", "package:antigravity"),
        ("resources__endpoints", ["http://evil.example"]),
        ("data__source", "/etc/passwd"),
        ("model__base", "~/.ssh"),
        ("model__prompt", "/etc/hostname.toml"),
    ],
)
def test_a_place_outside_fails_the_run_in_one_line(
    station: Station, field: str, value: str
) -> None:
    run = station.start_with(_config(**{field: value}))
    state = station.wait_for(run, "FAILED")
    assert field.replace("__", ".") in state["message"]
    assert "Traceback" not in state["message"]
    assert "\n" not in state["message"].strip()


def test_a_good_one_still_runs(station: Station) -> None:
    station.wait_for(station.start(*TINY), "COMPLETED")
