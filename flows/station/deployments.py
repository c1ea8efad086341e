"""Registers the deployments of prefect.yaml with a server.

`prefect deploy --all` reads the same file and does nearly the same; what this adds: every field of
a configuration is given, since the UI's form fills in only what a deployment's parameters name; the
form has sections that open (form.py);
schedules that were switched on or off in the UI stay so; and when nothing has changed since, it
costs one request.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from flows.config.deployment_file import flow_name, read_specs
from flows.server.api import Api, ApiError
from flows.station.form import form
from tasks.errors import UserError
from tasks.paths import DEPLOYMENTS_FILE, ROOT
from tasks.rows import Json

POOL = "restem"
# Sources that decide the form.
_FORM_SOURCES = (
    *("flows/config/rest_em.py", "flows/config/evaluate.py", "flows/study/config.py"),
    *("flows/station/form.py", "tasks/settings/*.py"),
)


def deployment_names(specs: list[Json]) -> list[str]:
    """Such as rest-em/math-demo."""
    return [f"{flow_name(spec['entrypoint'])}/{spec['name']}" for spec in specs]


def fingerprint(file: Path = DEPLOYMENTS_FILE) -> str:
    """The version of the deployments: of the file, the form's sources, and where they lie."""
    digest = hashlib.sha256(file.read_bytes() + bytes(ROOT))
    for sources in _FORM_SOURCES:
        for source in sorted(ROOT.glob(sources)):
            digest.update(source.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def register_deployments(api: Api, file: Path = DEPLOYMENTS_FILE) -> list[str]:
    """Create or update what is not registered as it is in the file.

    Returns:
        Names of all deployments of the file.

    Raises:
        UserError: a mistake in the file, with the deployment's name.
        ApiError: the server did not answer.
    """
    specs, version = read_specs(file), fingerprint(file)
    known = {
        (one["name"], one["entrypoint"]): one
        for one in api.post("/deployments/filter", {"work_pools": {"name": {"any_": [POOL]}}})
    }
    flow_ids: dict[str, str] = {}
    for spec in specs:
        old = known.get((spec["name"], spec["entrypoint"]))
        if old and old["version"] == version:
            continue
        entrypoint = spec["entrypoint"]
        if entrypoint not in flow_ids:
            flow_ids[entrypoint] = api.post("/flows/", {"name": flow_name(entrypoint)})["id"]
        try:
            payload = _payload(spec, version, old)
            api.post("/deployments/", payload | {"flow_id": flow_ids[entrypoint]})
        except ApiError as error:
            if error.status in (409, 422):
                raise UserError(f"{file}: deployment {spec['name']}: {error}") from None
            raise
    return deployment_names(specs)


def ensure_pool(api: Api, template: dict[str, object]) -> None:
    """The work pool, with a limit of one run at a time."""
    fields = {"base_job_template": template, "concurrency_limit": 1}
    try:
        pool = api.get(f"/work_pools/{POOL}")
    except ApiError as error:
        if error.status != 404:
            raise
        api.post("/work_pools/", {"name": POOL, "type": "process", **fields})
        return
    if pool["base_job_template"] != template:
        # One without a limit was made by a worker that found none.
        kept = {"concurrency_limit": pool["concurrency_limit"] or 1}
        api.patch(f"/work_pools/{POOL}", {"base_job_template": template, **kept})


def pool_template(folder: Path, python: str) -> dict[str, object]:
    """How the pool starts runs on this machine.

    Args:
        folder: Where they start. Prefect's default, a temporary folder, outlives a killed worker.
    """
    # A pipe to the worker would break with it, and the run at its next line of output.
    return closed_template(
        command=f"{shlex.quote(python)} -m flows.station.start_flow_run",
        stream_output=False,
        working_dir=str(folder),
    )


def closed_template(**job: object) -> dict[str, object]:
    """A template of a process pool that no deployment and no run can change.

    The server refuses job variables of any name. Should one get by, the worker finds nothing to
    put it in; `env` is left out altogether, for there it would merge a run's into a constant.

    Args:
        job: Command, working_dir and so on of Prefect's process worker.
    """
    return {
        "job_configuration": job,
        "variables": {"type": "object", "properties": {}, "additionalProperties": False},
    }


def is_closed(template: Json) -> bool:
    """Whether a pool's template is one of `closed_template`; Prefect's own has variables."""
    return not template.get("variables", {}).get("properties")


def full_parameters(entrypoint: str, parameters: Json) -> Json:
    """Parameters with every field that they leave out at its default.

    Raises:
        UserError: naming the field.
    """
    from flows.config.evaluate import EvaluateConfig
    from flows.config.read import parse
    from flows.config.rest_em import RestEmConfig
    from flows.study.config import StudyConfig

    models = {"evaluate": EvaluateConfig, "study": StudyConfig}
    model = models.get(flow_name(entrypoint), RestEmConfig)
    extra = set(parameters) - {"config"}
    if extra:
        raise UserError(f"parameters: expected config alone, not {', '.join(sorted(extra))}")
    config = parse(model, parameters.get("config", {}), "config")
    return {"config": config.model_dump(mode="json")}


def form_of(entrypoint: str, parameters: Json) -> Json:
    """The parameters' JSON schema, which is the UI's form.

    Args:
        entrypoint: Of the flow.
        parameters: As the deployment has them, with every field.
    """
    from prefect.utilities.callables import parameter_schema

    name = flow_name(entrypoint)
    if name == "evaluate":
        from flows.evaluate.flow import evaluate as found
    elif name == "study":
        from flows.study.flow import study as found
    else:
        from flows.rest_em.flow import rest_em as found
    return form(parameter_schema(found).model_dump(exclude_unset=True), parameters)


def _payload(spec: Json, version: str, old: Json | None) -> dict[str, object]:
    entrypoint = spec["entrypoint"]
    try:
        if given := spec["work_pool"].get("job_variables"):
            raise UserError(
                f"work_pool.job_variables: {', '.join(sorted(given))}: the pool takes none; set "
                "variables of the environment where the station is started"
            )
        parameters = full_parameters(entrypoint, spec.get("parameters", {}))
        limit = spec.get("concurrency_limit") or {}
        return {
            "name": spec["name"],
            "version": version,
            "description": spec.get("description", ""),
            "tags": spec.get("tags", []),
            "entrypoint": entrypoint,
            "path": str(ROOT),
            "pull_steps": [
                {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
            ],
            "parameters": parameters,
            "parameter_openapi_schema": form_of(entrypoint, parameters),
            "enforce_parameter_schema": True,
            "work_pool_name": spec["work_pool"]["name"],
            "job_variables": {},
            "concurrency_limit": limit.get("limit"),
            "concurrency_options": {"collision_strategy": limit.get("collision_strategy")},
            "schedules": [_schedule(one, entrypoint, old) for one in spec.get("schedules", [])],
        }
    except (KeyError, AttributeError, UserError) as error:
        raise UserError(f"prefect.yaml: deployment {spec.get('name')}: {error}") from None


def _schedule(given: Json, entrypoint: str, old: Json | None) -> dict[str, object]:
    was = [one for one in (old or {}).get("schedules", []) if one["slug"] == given["slug"]]
    kinds = ("cron", "interval", "rrule")
    kind = next(kind for kind in kinds if kind in given)
    schedule = {kind: given[kind], "timezone": given.get("timezone", "UTC")}
    return {
        "schedule": schedule,
        # Whoever switched it on in the UI wants it on after an upgrade too.
        "active": was[0]["active"] if was else given.get("active", False),
        "slug": given["slug"],
        "parameters": full_parameters(entrypoint, given.get("parameters", {})),
    }
