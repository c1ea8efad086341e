"""The form of a deployment in Prefect's UI: a JSON schema of sections that open.

Prefect's form (3.9) shows an object as an open card, and the choices of an `anyOf` as tabs. So a
section has two: "As set" is the deployment's own value (a `const`, which is shown as its
description alone) and "Change" has the fields. Whoever opens a section finds the deployment's
values in it, and goes back to them by the first tab.

What a value has to be stands beside the tabs, in the section's own definition, so that the server
names the field that is wrong and not the section. Names and bounds are those of the configuration:
parameters that were stored before are as good as new ones.
"""

from __future__ import annotations

from copy import deepcopy

from tasks.facts import is_object
from tasks.rows import Json

AS_SET, CHANGE, ADVANCED = "As set", "Change", "Advanced: "
# What most people change, first and in this order; the other fields are advanced ones.
MAIN: dict[str, tuple[str, ...]] = {
    "RestEmConfig": (
        *("name", "iterations", "seed", "data", "model", "sampling", "filter", "finetune"),
        *("evaluation", "execution", "judge", "reward", "resources"),
    ),
    "DataSettings": (
        *("train", "source", "domain", "test", "test_source", "train_limit", "test_limit"),
        "validation",
    ),
    "ModelSettings": ("base", "prompt", "shots", "dtype"),
    "SamplingSettings": ("engine", "samples", "temperature", "top_k", "max_tokens"),
    "FilterSettings": ("score", "min_reward", "cap", "select"),
    "ExecutionSettings": ("language", "image", "time_limit", "memory_mb"),
    "FinetuneSettings": (
        *("improve", "method", "start_from", "learning_rate", "epochs", "batch_size"),
        "max_length",
    ),
    "JudgeSettings": ("labels", "model", "prompt", "pairs"),
    "RewardSettings": ("by", "learning_rate", "epochs", "batch_size"),
    "EvaluationSettings": ("samples", "pass_k", "majority", "train_problems", "transfer"),
    "MeasureSettings": ("samples", "pass_k", "majority", "temperature", "top_p"),
    "WinRateJudge": ("model", "answers", "prompt"),
    "Resources": ("device", "batch_size", "train_batch_size", "engines", "train_processes"),
    "EvaluateConfig": (
        *("name", "model", "against", "on", "limit", "engine", "dtype", "measure", "execution"),
        *("judge", "resources"),
    ),
}
# What a browser checks by itself. Other bounds are left to the section's definition.
_KEPT = ("title", "type", "enum", "items", "minimum", "maximum", "additionalProperties")


def form(schema: Json, parameters: Json) -> Json:
    """The schema of a flow's parameters as a form in sections.

    Args:
        schema: As Prefect makes it of the flow.
        parameters: The deployment's, with every field.
    """
    made: Json = {**deepcopy(schema), "additionalProperties": False}
    definitions: dict[str, Json] = made["definitions"]
    (top,) = (_name(one) for one in made["properties"].values())
    for name, definition in definitions.items():
        for field, one in definition.get("properties", {}).items():
            _say(name, field, one)
    for field, one in definitions[top]["properties"].items():
        if "$ref" in one:
            one["anyOf"] = _tabs(definitions, one, parameters["config"][field])
    return made


def _name(field: Json) -> str:
    """Of the definition that a field refers to."""
    return str(field["$ref"]).rpartition("/")[2]


def _say(section: str, field: str, said: Json) -> None:
    """Put a field in its place, and its default into its description."""
    main = MAIN.get(section)
    if main is not None:
        first = field in main
        said["position"] = main.index(field) if first else len(main) + said.get("position", 0)
        if not first:
            said["title"] = ADVANCED + said.get("title", field)
    default = said.get("default")
    if default is not None and not isinstance(default, dict):
        said["description"] = f"{said['description']} Default: {_words(default)}."


def _words(value: object) -> str:
    """A value as the form shows it: a switch is on or off."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value not in ("", {}) else "empty"


def _tabs(definitions: dict[str, Json], section: Json, value: Json) -> list[Json]:
    definition = definitions[_name(section)]
    said = [
        f"{name} = {_words(given)}"
        for name, given in value.items()
        if given != _default(definitions, definition["properties"][name])
    ]
    closed = {
        "title": AS_SET,
        "type": "object",
        "const": value,
        "description": ", ".join(said) or "All fields at their defaults.",
    }
    return [closed, {**_fields(definitions, definition, value), "title": CHANGE}]


def _fields(definitions: dict[str, Json], definition: Json, value: Json) -> Json:
    """A definition's fields, each with its value as what the form begins with."""
    fields = {
        name: {**_shown(definitions, one, value[name]), "position": one.get("position", 0)}
        for name, one in definition["properties"].items()
    }
    return {"type": "object", "properties": fields}


def _shown(definitions: dict[str, Json], field: Json, value: object) -> Json:
    about = {name: field[name] for name in ("title", "description") if name in field}
    if "$ref" in field:
        definition = definitions[_name(field)]
        assert is_object(value), "a section's value has its fields"
        return {
            "description": definition.get("description", ""),
            **about,
            **_fields(definitions, definition, value),
        }
    kept = {name: field[name] for name in _KEPT if name in field}
    return {**kept, **about, "default": value}


def _default(definitions: dict[str, Json], field: Json) -> object:
    if "$ref" not in field:
        return field.get("default", [])
    fields = definitions[_name(field)]["properties"]
    return {name: _default(definitions, one) for name, one in fields.items()}
