"""Reads a TOML configuration, changes single fields, and says what is wrong with one in a line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tasks.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: str | Path, folder: Path) -> tuple[dict[str, Any], str]:
    """The content of a TOML file, or of one in `folder` by its name, and its path."""
    file = Path(path)
    if not file.is_file():
        file = folder / f"{path}.toml"
    if not file.is_file():
        shipped = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise UserError(f"{path}: no such file; expected a TOML file or one of: {shipped}")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), str(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not TOML: {error}") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; expected a file that you may read") from None


def change(raw: dict[str, Any], changes: list[str]) -> None:
    """Apply `key=value` changes to plain data."""
    for one in changes:
        _apply(raw, one)


def parse(model: type[Model], raw: dict[str, Any], source: str) -> Model:
    """Validate plain data; every problem is named in one line."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(part for part in (".".join(map(str, item["loc"])), _plain(item)) if part)
            for item in error.errors()
        )
        raise UserError(f"{source}: {problems}") from None


def _plain(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "no such field"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    given = repr(item["input"])
    return f"{item['msg']}, not {given if len(given) < 80 else given[:77] + '...'}"


def _apply(raw: dict[str, Any], change: str) -> None:
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
