"""Finds a function of the user's own, and what it asks for, without running anything of it.

Its file is read and never imported here, and it must define the function itself: what it took from
another module could change unseen.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NoReturn

from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.settings.user_function import (
    ARGUMENTS,
    FILE,
    FORMS,
    GROUPS,
    MODULE,
    Choice,
    Kind,
    UserFunction,
)

# The text of a file stands in the manifest of each artifact that it made.
MAX_BYTES = 256 * 1024


def find_function(choice: Choice, text: str, field: str = "") -> UserFunction:
    """Read the file that defines a function; nothing of it is run.

    Args:
        choice: The field that names it.
        text: As the field has it.
        field: Its name in messages; empty: the choice's.

    Raises:
        UserError: it is nowhere, or not to be called; in one line with the field.
    """
    field = field or choice.field
    if found := FILE.fullmatch(text):
        raw = _read(field, Path(found["place"]))
        source = raw.decode("utf-8-sig", "replace")
        return _function(field, choice.kind, found["name"], found["place"], raw, source=source)
    module, version = text, ""
    if not MODULE.fullmatch(text):
        module, version = _entry_point(choice, text, field)
    place, _, name = module.partition(":")
    file = find_source(place)
    if file is None:
        raise UserError(f"{field}: {text}: there is no module {place} with a source in Python")
    version = version or _version_of(place)
    raw = _read(field, Path(file))
    return _function(field, choice.kind, name, file, raw, module=place, version=version)


def find_source(module: str) -> str | None:
    """The file of a module, found without importing it or the packages around it."""
    spec: ModuleSpec | None = None
    # As its process finds it (restem/__init__.py): a package `tasks` is the user's, and not ours.
    path: Sequence[str] | None = [one for one in sys.path if one != str(ROOT)]
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        finders = (getattr(one, "find_spec", None) for one in sys.meta_path)
        found = (find(name, path) for find in finders if find is not None)
        spec = next((one for one in found if one is not None), None)
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if end < len(parts) and path is None:
            return None
    origin = spec.origin if spec else None
    return origin if origin and origin.endswith(".py") else None


def _function(
    field: str,
    kind: Kind,
    name: str,
    file: str,
    raw: bytes,
    *,
    source: str = "",
    module: str = "",
    version: str = "",
) -> UserFunction:
    arguments = _arguments(f"{field}: {file}", kind, name, raw)
    digest = hashlib.sha256(raw).hexdigest()
    return UserFunction(field, kind, name, file, module, version, digest, source, arguments)


def _read(field: str, file: Path) -> bytes:
    if not file.is_file():
        raise UserError(f"{field}: {file}: no such file; expected {FORMS}")
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{field}: {file}: cannot be read ({error.strerror})") from None
    if len(raw) > MAX_BYTES:
        raise UserError(f"{field}: {file}: expected a file of at most {MAX_BYTES // 1024} kB")
    return raw


def _arguments(where: str, kind: Kind, name: str, raw: bytes) -> tuple[str, ...]:
    """The argument names of the function `name` that a file defines."""
    try:
        body = ast.parse(raw).body
    except SyntaxError as error:
        raise UserError(f"{where} line {error.lineno}: not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"{where}: not Python ({error})") from None
    defined = {
        one.name: one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if name not in defined:
        raise UserError(
            f"{where}: it does not define {name}{_like(name, list(defined))}; expected "
            f"`def {name}(...)` in this very file"
        )
    given, may = defined[name].args, ", ".join(ARGUMENTS[kind])
    if isinstance(defined[name], ast.AsyncFunctionDef):
        raise UserError(f"{where}: {name} is async; expected a plain function")
    names = [one.arg for one in (*given.args, *given.kwonlyargs)]
    for more in (*given.posonlyargs, given.vararg, given.kwarg):
        if more is not None:
            raise UserError(
                f"{where}: {name} takes {more.arg!r} without a name; expected arguments by name, "
                f"of: {may}"
            )
    if unknown := [one for one in names if one not in ARGUMENTS[kind]]:
        raise UserError(
            f"{where}: {name} asks for {unknown[0]!r}{_like(unknown[0], ARGUMENTS[kind])}; a "
            f"{kind} may ask for: {may}"
        )
    if kind == "selector" and not names:
        raise UserError(f"{where}: {name} takes nothing; expected the argument candidates")
    return tuple(names)


def _entry_point(choice: Choice, text: str, field: str) -> tuple[str, str]:
    """The `module:function` of an installed entry point, and its distribution's version."""
    group = GROUPS[choice.kind]
    installed = importlib.metadata.entry_points(group=group)
    found = {one.value: one for one in installed if one.name == text}
    if len(found) > 1:
        raise UserError(f"{field}: {text}: it stands for {' and '.join(sorted(found))}")
    if not found:
        known = [*choice.names, *sorted({one.name for one in installed})]
        raise UserError(
            f"{field}: {text!r}{_like(text, known)}; expected one of {', '.join(known)}, or a "
            f"function of your own: {FORMS}"
        )
    (entry,) = found.values()
    if not MODULE.fullmatch(f"{entry.module}:{entry.attr}"):
        _refuse_entry(field, text, entry.value)
    return f"{entry.module}:{entry.attr}", entry.dist.version if entry.dist else ""


def _refuse_entry(field: str, text: str, value: str) -> NoReturn:
    raise UserError(f"{field}: {text}: its entry point is {value!r}; expected module:function")


def _version_of(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    return ", ".join(importlib.metadata.version(name) for name in sorted(set(names)))


def _like(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
