"""prefect.yaml: the deployments, and the tags that their runs have."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import UserError
from tasks.paths import DEPLOYMENTS_FILE
from tasks.rows import Json


def read_specs(file: Path = DEPLOYMENTS_FILE) -> list[Json]:
    """The deployments of a prefect.yaml.

    Raises:
        UserError: it is missing, or not such a file.
    """
    import yaml  # which the supervisor does without

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return list(content["deployments"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"{file}: expected a list `deployments` in YAML: {error}") from None


def flow_name(entrypoint: str) -> str:
    """Of an entrypoint such as flows/rest_em/flow.py:rest_em; as prefect's @flow names it."""
    return entrypoint.rpartition(":")[2].replace("_", "-")


def tags_of(flow: str, name: str) -> list[str]:
    """The tags of a flow's deployment, which a run of the same configuration has too.

    Args:
        name: The configuration's; none of no deployment has tags.
    """
    try:
        specs = read_specs()
    except UserError:  # a run needs no deployments
        return []
    return [
        tag
        for spec in specs
        if (flow_name(spec["entrypoint"]), spec["name"]) == (flow, name)
        for tag in spec.get("tags", [])
    ]
