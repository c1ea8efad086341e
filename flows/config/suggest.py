"""What a misspelt name may have meant: fields of a configuration, and names of files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import get_args

from pydantic import BaseModel

# Of what was given, which may be a megabyte.
_LONGEST = 80
_MOST = 3
_ALIKE = 0.7


def nearest(word: str, known: Iterable[str]) -> str:
    """The known names like a word as a question, such as `did you mean math-demo?`, or ""."""
    return _question(difflib.get_close_matches(word[:_LONGEST], list(known), 1, _ALIKE))


def nearest_field(model: type[BaseModel], names: Iterable[str | int]) -> str:
    """The same for a field that a model has not; a field's own name is found in any section.

    Args:
        names: Of the sections above it, and its own.
    """
    parts = [str(one)[:_LONGEST] for one in names if isinstance(one, str)]
    known = field_names(model)
    own = parts[-1] if parts else ""
    if elsewhere := [one for one in known if one.rpartition(".")[2] == own]:
        return _question(elsewhere[:_MOST])
    if said := nearest(".".join(parts), known):
        return said
    likely = difflib.get_close_matches(own, {one.rpartition(".")[2] for one in known}, 1, _ALIKE)
    return _question([one for one in known if one.rpartition(".")[2] in likely][:_MOST])


def field_names(model: type[BaseModel], above: str = "") -> list[str]:
    """Every section and field of a model as `--set` names it, such as sampling.samples."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        whole = f"{above}{name}"
        found.append(whole)
        kinds = (field.annotation, *get_args(field.annotation))
        for one in kinds:
            if isinstance(one, type) and issubclass(one, BaseModel):
                found += field_names(one, f"{whole}.")
    return found


def _question(names: list[str]) -> str:
    return f"did you mean {' or '.join(names)}?" if names else ""
