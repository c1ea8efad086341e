"""The configurations that there are: those of restem by name, and a user's own."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.config.evaluate import EVALUATIONS, EvaluateConfig
from flows.config.rest_em import RestEmConfig
from tasks.errors import UserError
from tasks.facts import Facts
from tasks.paths import CONFIGS

_LONGEST = 110
# The end of a sentence, but not of "et al.".
_END = re.compile(r"(?<! al)[.;]\s")

Verb = Literal["run", "evaluate"]


@dataclass(frozen=True)
class ConfigFacts(Facts):
    """A configuration in a list.

    Attributes:
        name: What the verb is given: a name of ours, or the path of a file.
        verb: That takes it; `evaluate` takes it as `--config NAME`.
        about: The first sentence of its first comment.
        own: Whether it is the user's.
    """

    name: str
    verb: Verb
    about: str
    own: bool


def list_configs(folder: Path) -> list[ConfigFacts]:
    """All configurations; the user's own are first.

    Args:
        folder: With files of the user's.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one with TOML files")
    shipped: list[ConfigFacts] = []
    places: list[tuple[Path, Verb]] = [(CONFIGS, "run"), (EVALUATIONS, "evaluate")]
    for place, verb in places:
        for path in sorted(place.glob("*.toml")):
            shipped.append(ConfigFacts(path.stem, verb, _about(path), own=False))
    own: list[ConfigFacts] = []
    if folder.resolve() not in (CONFIGS, EVALUATIONS):
        for path in sorted(folder.glob("*.toml")):
            if (verb := _verb_of(path)) is not None:
                own.append(ConfigFacts(str(path), verb, _about(path), own=True))
    return [*own, *shipped]


def _verb_of(path: Path) -> Verb | None:
    """The verb that a file is for, by its fields; None: it is something else, or broken."""
    try:
        names = set(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    if names and names <= {*RestEmConfig.model_fields, "like"}:
        return "run"
    return "evaluate" if names and names <= set(EvaluateConfig.model_fields) else None


def _about(path: Path) -> str:
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    text = _END.split(" ".join(lines), maxsplit=1)[0].strip().removesuffix(".")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
