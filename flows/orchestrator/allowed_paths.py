"""Which folders and files a run from the API may name.

Who starts `restem run` on a machine may read and write there what their user may. Who starts a run
through the API may be somebody else, so a configuration that comes that way names places only
below RESTEM_HOME, RESTEM_DATA, and what the operator lists in RESTEM_PATHS (separated by colons;
addresses such as s3://bucket/prefix too). The machines that it may have compute for it, endpoints,
a Ray cluster and a hosted model, are those alone that the operator lists in RESTEM_ADDRESSES, with
commas: they are sent tokens and problems of this station, and may cost money. Functions of one's
own are code that runs here: their files lie below an allowed place and not among what runs write
into RESTEM_HOME, and installed ones (`package.module:function`, or an entry point's name) are
listed in RESTEM_FUNCTIONS, with commas.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.settings.user_function import file_of

_PATHS = "RESTEM_PATHS"
_ADDRESSES = "RESTEM_ADDRESSES"
_FUNCTIONS = "RESTEM_FUNCTIONS"
# What runs write into RESTEM_HOME, such as models that a run may name: no code of the operator's.
_WRITTEN = ("store", "cache", "work", "runs")


def check_places(named: Iterable[tuple[str, str]]) -> None:
    """See that every place lies below an allowed one.

    Args:
        named: Field and what it names; empty texts and names that are no path are left out.

    Raises:
        UserError: naming the field.
    """
    allowed = _allowed()
    for field, place in named:
        if place and _is_path(place) and not any(_below(place, root) for root in allowed):
            raise UserError(
                f"{field}: {place!r}: a run from the API names places below RESTEM_HOME, "
                f"RESTEM_DATA or one of {_PATHS} alone"
            )


def check_addresses(named: Iterable[tuple[str, str]]) -> None:
    """See that every address is one that the operator lists.

    Args:
        named: Field and what it names; empty texts are left out.

    Raises:
        UserError: naming the field.
    """
    listed = os.environ.get(_ADDRESSES, "").replace(",", " ").split()
    allowed = {address.rstrip("/") for address in listed}
    for field, address in named:
        if address and address.rstrip("/") not in allowed:
            raise UserError(
                f"{field}: {address!r}: a run from the API names addresses of {_ADDRESSES} alone"
            )


def check_functions(named: Iterable[tuple[str, str]]) -> None:
    """See that every function of the user's is one that a run from the API may name.

    Args:
        named: Field and how it names the function.

    Raises:
        UserError: naming the field.
    """
    listed = os.environ.get(_FUNCTIONS, "").replace(",", " ").split()
    for field, text in named:
        file = file_of(text)
        if file:
            check_places([(field, file)])
            if any(_below(file, str(home() / part)) for part in _WRITTEN):
                raise UserError(
                    f"{field}: {file!r}: a run from the API names no function among what runs "
                    "write into RESTEM_HOME"
                )
        elif text not in listed:
            raise UserError(
                f"{field}: {text!r}: a run from the API names functions of {_FUNCTIONS}, or files "
                "in its allowed places, alone"
            )


def _allowed() -> list[str]:
    extra = [part for part in _split(os.environ.get(_PATHS, "")) if part]
    return [str(home()), *filter(None, [os.environ.get("RESTEM_DATA")]), *extra]


def _split(text: str) -> list[str]:
    """Parts between colons, but not at the colon of an address."""
    return [part.replace("\0", "://") for part in text.replace("://", "\0").split(":")]


def _is_path(place: str) -> bool:
    """Whether a text names a place rather than a shipped name or a Hub id (org/name)."""
    return (
        place.startswith(("/", "~", "."))
        or "://" in place
        or "::" in place
        or ".." in place
        or place.count("/") > 1
        or place.endswith((".toml", ".gguf", ".jsonl", ".json", ".csv", ".tsv", ".parquet", ".gz"))
        or Path(place).exists()
    )


def _below(place: str, root: str) -> bool:
    if "::" in place:  # fsspec's chains open one address inside another
        return False
    if "://" in place or "://" in root:
        clean = ".." not in place.split("/")
        return clean and (place == root or place.startswith(root.rstrip("/") + "/"))
    return Path(place).expanduser().resolve().is_relative_to(Path(root).expanduser().resolve())
