"""Reads a TOML configuration, changes single fields, and says what is wrong with one in a line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flows.config.suggest import nearest, nearest_field
from tasks.errors import UserError
from tasks.store.untrusted import printable

# What was given may stand in a problem, and be a megabyte.
_LONGEST_NAME, _LONGEST_PROBLEM = 80, 1000
# A list of a thousand wrong items has a thousand of them.
_MOST_PROBLEMS = 20
Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: str | Path, folder: Path) -> tuple[dict[str, object], str]:
    """The content of a TOML file, or of one in `folder` by its name, and its path."""
    file = Path(path)
    if not os.path.isfile(file):  # of what no file system takes, Path's own raises an error
        file = folder / f"{path}.toml"
    if not os.path.isfile(file):
        shipped = sorted(p.stem for p in folder.glob("*.toml"))
        if meant := nearest(str(path), [*shipped, *(p.name for p in Path().glob("*.toml"))]):
            what = f"{meant} Expected a TOML file, or a name that `restem configs` lists"
        else:
            what = f"expected a TOML file or one of: {', '.join(shipped)}"
        raise UserError(f"{path}: no such file; {what}")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), str(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not TOML: {error}") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; expected a file that you may read") from None


def change(raw: dict[str, object], changes: list[str]) -> None:
    """Apply `key=value` changes to plain data."""
    for one in changes:
        _apply(raw, one)


def parse(
    model: type[Model], raw: dict[str, object], source: str, changes: Sequence[str] = ()
) -> Model:
    """Validate plain data; every problem is named in one line.

    Args:
        source: What the data are from, in front of a problem.
        changes: `key=value` that were applied; a problem of theirs is theirs, not the source's.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UserError(printable(_problems(model, error, source, changed(changes)))) from None


def changed(changes: Sequence[str] | None) -> list[str]:
    """The fields that `key=value` changes name."""
    return [one.partition("=")[0].strip() for one in changes or ()]


def blamed(text: str, fields: Sequence[str]) -> str:
    """A problem that begins with its field, with `--set` before it where that gave the field."""
    return f"--set {text}" if _is_of(text.partition(":")[0], fields) else text


def _problems(model: type[Model], error: ValidationError, source: str, fields: list[str]) -> str:
    of: dict[str, list[str]] = {}
    for item in error.errors()[:_MOST_PROBLEMS]:
        parts = (_field(item["loc"]), _plain(item, model))
        text = ": ".join(part for part in parts if part)
        place = "--set" if _is_of(text.partition(":")[0], fields) else f"{source}:"
        of.setdefault(place, []).append(text)
    said = [f"{place} {'; '.join(texts)}" for place, texts in of.items()]
    if (more := error.error_count() - _MOST_PROBLEMS) > 0:
        said.append(f"and {more:,} more")
    return "; ".join(said)


def _is_of(field: str, fields: Sequence[str]) -> bool:
    """Whether a field, a part of it, or its section is among those."""
    return any(
        field == one or field.startswith((f"{one}.", f"{one}[")) or one.startswith(f"{field}.")
        for one in fields
    )


def _field(names: tuple[str | int, ...]) -> str:
    """Of the field, each part cut where nobody reads on: it may be what was given."""
    return ".".join(str(one)[:_LONGEST_NAME] for one in names)


def _plain(item: Any, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        return "; ".join(filter(None, ["no such field", nearest_field(model, item["loc"])]))
    if item["type"] == "value_error":
        said = str(item.get("ctx", {}).get("error"))
        return said if len(said) < _LONGEST_PROBLEM else f"{said[:_LONGEST_PROBLEM]}..."
    given = repr(item["input"])
    return f"{item['msg']}, not {given if len(given) < 80 else given[:77] + '...'}"


def _apply(raw: dict[str, object], change: str) -> None:
    key, sign, text = change.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise UserError(f"--set {change}: expected key=value, such as sampling.samples=16")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    section = raw
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise UserError(f"--set {change}: {part} is not a section")
    section[parts[-1]] = value
