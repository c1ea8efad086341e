"""prefect.yaml says what configs/ says; what is registered can be run, and is kept up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.config.evaluate import EvaluateConfig, load_evaluation
from flows.config.rest_em import RestEmConfig, load_config
from flows.station import deployments
from flows.study.config import StudyConfig
from tasks.errors import UserError
from tests.flows.station.conftest import Station

BY_PREFERENCES = (
    *("notes-demo", "rlaif", "rlhf", "rlaif-direct", "rest-rm", "self-rewarding"),
    "summarize",
)
SPECS = {one["name"]: one for one in deployments.read_specs()}


def test_all_deployments_are_there() -> None:
    assert set(deployments.deployment_names(list(SPECS.values()))) == {
        *(f"rest-em/{n}" for n in ("math-demo", "code-demo", "gsm8k", "svamp-gemma270m")),
        *(f"rest-em/{n}" for n in BY_PREFERENCES),
        *("rest-em/math", "rest-em/apps", "evaluate/gemma270m", "evaluate/latest"),
        "study/studies",
    }


@pytest.mark.parametrize("name", [n for n, s in SPECS.items() if "rest_em" in s["entrypoint"]])
def test_parameters_are_those_of_configs(name: str) -> None:
    given = SPECS[name]["parameters"]["config"]
    assert RestEmConfig.model_validate(given) == load_config(name)


def test_evaluation_is_that_of_configs() -> None:
    given = SPECS["gemma270m"]["parameters"]["config"]
    assert EvaluateConfig.model_validate(given) == load_evaluation("gemma270m", {})


def test_latest_compares_with_its_base() -> None:
    given = EvaluateConfig.model_validate(SPECS["latest"]["parameters"]["config"])
    assert (given.model, given.against) == ("latest", "latest:0")


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_deployment_is_described_limited_and_off(spec: dict[str, Any]) -> None:
    assert spec["description"].strip()
    assert spec["tags"]
    assert spec["work_pool"]["name"] == "restem"
    assert spec["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert not any(one["active"] for one in spec.get("schedules", []))


def test_schedules() -> None:
    """A schedule's parameters replace the deployment's `config` as a whole."""
    for name in ("math-demo", "gsm8k"):
        (nightly,) = SPECS[name]["schedules"]
        given = RestEmConfig.model_validate(nightly["parameters"]["config"])
        assert given == load_config(name, ["fresh_seed=true"])
    (weekly,) = SPECS["latest"]["schedules"]
    assert weekly["parameters"] == SPECS["latest"]["parameters"]


@pytest.mark.parametrize("name", SPECS)
def test_the_server_has_it_whole(station: Station, name: str) -> None:
    spec = SPECS[name]
    (full,) = deployments.deployment_names([spec])
    found = station.deployment(full)
    models = {"evaluate": EvaluateConfig, "study": StudyConfig}
    model = models.get(full.partition("/")[0], RestEmConfig)
    config = model.model_validate(spec["parameters"]["config"])
    # Every field, for the form leaves empty what a deployment leaves out.
    assert found["parameters"] == {"config": config.model_dump(mode="json")}
    assert found["tags"] == spec["tags"]
    assert found["description"] == spec["description"]
    assert found["enforce_parameter_schema"]
    assert found["global_concurrency_limit"]["limit"] == 1
    assert [s["active"] for s in found["schedules"]] == [False] * len(spec.get("schedules", []))


def test_the_pool_has_one_place(station: Station) -> None:
    assert station.api.get("/work_pools/restem")["concurrency_limit"] == 1


def test_a_pool_that_a_worker_made_is_closed_and_gets_its_one_place(station: Station) -> None:
    path = "/work_pools/restem"
    ours = station.api.get(path)["base_job_template"]
    theirs = {
        "job_configuration": {"command": "{{ command }}"},
        "variables": {"type": "object", "properties": {"command": {"type": "string"}}},
    }
    station.api.patch(path, {"base_job_template": theirs, "concurrency_limit": None})
    assert not deployments.is_closed(station.api.get(path)["base_job_template"])
    deployments.ensure_pool(station.api, ours)
    pool = station.api.get(path)
    assert (pool["base_job_template"], pool["concurrency_limit"]) == (ours, 1)
    assert deployments.is_closed(pool["base_job_template"])


def test_a_new_file_is_registered_and_switches_are_kept(station: Station, tmp_path: Path) -> None:
    name = "rest-em/gsm8k"
    before = station.deployment(name)
    (schedule,) = before["schedules"]
    path = f"/deployments/{before['id']}/schedules/{schedule['id']}"
    station.api.patch(path, {"active": True})
    content = yaml.safe_load(deployments.DEPLOYMENTS_FILE.read_text())
    for one in content["deployments"]:
        if one["name"] == "gsm8k":
            one["description"] = "another"
            one["schedules"][0]["cron"] = "30 4 * * *"
    changed = tmp_path / "prefect.yaml"
    changed.write_text(yaml.safe_dump(content))
    try:
        deployments.register_deployments(station.api, changed)
        after = station.deployment(name)
        assert after["id"] == before["id"]
        assert after["description"] == "another"
        assert after["schedules"][0]["schedule"]["cron"] == "30 4 * * *"
        assert after["schedules"][0]["active"]
    finally:
        found = station.deployment(name)
        path = f"/deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
        station.api.patch(path, {"active": False})
        deployments.register_deployments(station.api)
    assert station.deployment(name)["description"] == before["description"]


def test_a_mistake_in_the_file_is_named(station: Station, tmp_path: Path) -> None:
    content = yaml.safe_load(deployments.DEPLOYMENTS_FILE.read_text())
    content["deployments"][0]["parameters"]["config"]["sampling"]["sample"] = 4
    changed = tmp_path / "prefect.yaml"
    changed.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"math-demo: config: sampling.sample: no such field"):
        deployments.register_deployments(station.api, changed)


@pytest.mark.parametrize("text", ["", "- 1", "deployments: 3", "a: ["])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match="expected a list `deployments`"):
        deployments.read_specs(file)
