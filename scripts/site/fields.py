"""The reference of all fields of a configuration, made from the models that read it.

What a field means, its choices, bounds and default are the model's own; what the paper has is the
table of docs/recipe.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from scripts.site.text import cell, code, table
from tasks.paths import ROOT

RECIPE = ROOT / "docs" / "recipe.md"
# What is no number of itself: its unit, by the end of a field's name. Other numbers are counts.
UNITS = {
    "_tokens": "tokens",
    "max_length": "tokens",
    "_seconds": "seconds",
    "time_limit": "seconds",
    "_minutes": "minutes",
    "memory_mb": "megabytes",
    "_gb": "gigabytes",
    "threads": "threads",
    "price_in": "money a million tokens",
    "price_out": "money a million tokens",
    "_share": "share",
    "_fraction": "share",
    "confidence": "share",
    "epochs": "passes over the rows",
}
SIGNS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "like `{}`",
}


@dataclass(frozen=True)
class Part:
    """A section of a configuration.

    Attributes:
        name: As in a file, such as `data.columns`; empty: the fields outside of every section.
        title: For people.
        about: What it is for.
        fields: Name within the section, and its JSON schema.
    """

    name: str
    title: str
    about: str
    fields: dict[str, dict[str, Any]]

    def whole(self, field: str) -> str:
        """A field's name as `--set` takes it."""
        return f"{self.name}.{field}" if self.name else field


def parts(model: type[BaseModel], title: str = "The run") -> list[Part]:
    """All sections of a configuration, in the order of the model, those inside of others too."""
    schema = model.model_json_schema()
    return list(_parts(schema, schema.get("$defs", {}), "", title))


def _parts(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, title: str
) -> Iterator[Part]:
    fields: dict[str, dict[str, Any]] = {}
    inner: list[tuple[str, Mapping[str, Any], str]] = []
    for field, said in schema["properties"].items():
        at = f"{name}.{field}".lstrip(".")
        section = known.get(said.get("$ref", "").rpartition("/")[2])
        listed = known.get(said.get("items", {}).get("$ref", "").rpartition("/")[2])
        if section and "properties" in section:
            inner.append((at, section, said.get("title") or section.get("title", at)))
            continue
        if listed:
            inner.append((f"{at}[]", listed, f"Each of {at}"))
        fields[field] = dict(said)
    about = schema.get("description", "")
    yield Part(name, title, "" if not name else about, fields)
    for at, section, said in inner:
        yield from _parts(section, known, at, said)


def paper(page: Path = RECIPE) -> dict[str, str]:
    """What the paper has for a field, by its whole name, out of the table of docs/recipe.md."""
    found = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [one.strip() for one in line.strip("|").split("|")]
        if len(cells) == 5 and line.startswith("|"):
            for field in re.findall(r"`([\w.]+)`", cells[1]):
                found[field] = cells[2]
    return found


def of_paper(said: Mapping[str, Any]) -> str:
    """What a field's own description says of the paper."""
    text = said.get("description", "")
    if found := re.search(r"\(paper: ([^()]*)\)", text):
        return found[1]
    return "not stated" if "Not in the paper" in text else ""


def kind(said: Mapping[str, Any]) -> str:
    """The type of a field or the values that it can have."""
    if "enum" in said:
        return ", ".join(code(one) for one in said["enum"])
    if said.get("type") == "array":
        items = said.get("items", {})
        if "$ref" in items:
            return "list of tables"
        return f"list of {kind(items)}"
    if said.get("type") == "object":
        names, values = said.get("propertyNames", {}), said.get("additionalProperties", {})
        of = f", by {kind(names)}" if names.get("enum") else ""
        return f"table of {kind(values) if isinstance(values, dict) else 'values'}{of}"
    if "anyOf" in said:
        return " or ".join(kind(one) for one in said["anyOf"])
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes/no"}
    return names.get(said.get("type", ""), "value")


def bounds(said: Mapping[str, Any]) -> str:
    """Between which values it has to be; empty: none are too many or too few."""
    return ", ".join(sign.format(said[name]) for name, sign in SIGNS.items() if name in said)


def unit(name: str, said: Mapping[str, Any]) -> str:
    """The unit of a number; empty where it counts what its meaning says."""
    if said.get("type") not in ("integer", "number"):
        return ""
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def default(said: Mapping[str, Any]) -> str:
    """As it stands in a file."""
    value = said.get("default", [] if said.get("type") == "array" else None)
    if value is None:
        return "must be given"
    if value == "":
        return code('""')
    return code(str(value).lower() if isinstance(value, bool) else value)


def page(model: type[BaseModel], title: str, about: str, outer: str) -> str:
    """The page of a configuration.

    Args:
        model: The configuration.
        title: Of the page.
        about: Its first lines.
        outer: Title of the fields outside of every section.
    """
    said = paper()
    lines = [f"# {title}", "", about, ""]
    for part in parts(model, outer):
        lines += [f"## {part.title}", ""]
        if part.name:
            lines += [f"Section `{part.name}`. {cell(part.about)}".rstrip(), ""]
        rows = [
            [
                f'<span id="{part.whole(name)}">{code(name)}</span>',
                cell(field.get("description", "")),
                " · ".join(filter(None, [kind(field), unit(name, field), bounds(field)])),
                default(field),
                cell(said.get(part.whole(name)) or of_paper(field)),
            ]
            for name, field in part.fields.items()
        ]
        lines += [table(["field", "meaning", "values", "default", "paper"], rows), ""]
    return "\n".join(lines)
