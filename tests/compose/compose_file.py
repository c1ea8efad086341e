"""Reads docker-compose.yml as the topology needs it: variables filled in, services as objects.

It covers what that file uses, not all of Compose: variables with defaults (`:-`) and mandatory ones
(`:?`), anchors, lists of commands, both forms of health checks, depends_on with conditions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.paths import ROOT

FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


class ComposeError(Exception):
    """The file asks for what is not there; the message names it."""


@dataclass(frozen=True)
class Service:
    """One service of the file, with all variables filled in."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    volumes: tuple[str, ...]
    tmpfs: tuple[str, ...]
    ports: tuple[int, ...]
    needs: dict[str, str]  # service: condition
    check: tuple[str, ...]  # as the file has it: CMD or CMD-SHELL first
    restarts: bool
    raw: dict[str, Any]


def variables(text: str) -> dict[str, tuple[str, str]]:
    """Variables of a file's text, each with its operator (`-`, `?` or nothing) and that's word."""
    found = _VARIABLE.finditer(text)
    return {m[1]: (m[2] or "", m[3] or "") for m in found if m[1]}


def read_env(file: Path) -> dict[str, str]:
    """NAME=value lines of an .env file."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def read_services(env: dict[str, str], file: Path = FILE) -> dict[str, Service]:
    """The services of the file.

    Args:
        env: Values of its variables.
        file: A docker-compose.yml.

    Raises:
        ComposeError: a mandatory variable has no value.
    """
    content = _fill(yaml.safe_load(file.read_text()), env)
    return {name: _service(name, raw) for name, raw in content["services"].items()}


def _service(name: str, raw: dict[str, Any]) -> Service:
    needs = {other: each["condition"] for other, each in raw.get("depends_on", {}).items()}
    return Service(
        name=name,
        image=raw["image"],
        command=tuple(raw.get("command", ())),
        environment=dict(raw.get("environment", {})),
        volumes=tuple(raw.get("volumes", ())),
        tmpfs=tuple(raw.get("tmpfs", ())),
        ports=tuple(int(port) for port in raw.get("expose", ())),
        needs=needs,
        check=tuple(raw.get("healthcheck", {}).get("test", ())),
        restarts=raw["restart"] != "no",
        raw=raw,
    )


def _fill(node: Any, env: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _fill(value, env) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, env) for value in node]
    return _VARIABLE.sub(lambda m: _value(m, env), node) if isinstance(node, str) else node


def _value(match: re.Match[str], env: dict[str, str]) -> str:
    name, operator, word = match[1], match[2], match[3]
    if name is None:
        return "$"
    value = env.get(name, "")
    if not value and operator == "?":
        raise ComposeError(f"{name}: no value; {word}")
    return value or (word if operator == "-" else "")
