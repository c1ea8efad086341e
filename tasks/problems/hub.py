"""A data set on the Hub gives its own files and no others.

Its card may list its files by patterns (`data_files`), and `datasets` follows them anywhere: to
/etc on this machine, to another repository, to an address. What is not its own is not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.errors import UserError
from tasks.rows import Json


def hub_tables(
    hub: str, split: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Iterable[Json]]]:
    """Yield (configuration, rows) of a Hub data set, the wanted configurations or what it has."""
    import datasets
    from huggingface_hub.utils import logging

    # Without a network it prints every retry, on lines that bury ours.
    logging.set_verbosity_error()
    if not wanted:
        names = datasets.get_dataset_config_names(hub)
        wanted = ("main",) if "main" in names else tuple(names)
    for config in wanted:
        see_own_files(hub, config)
        yield config, datasets.load_dataset(hub, config, split=split)


def see_own_files(hub: str, config: str | None, revision: str | None = None) -> None:
    """See that the files of a data set lie in its own repository, before one is read.

    Args:
        hub: Its id.
        config: Its configuration; None: the default one.
        revision: Branch, tag or commit; None: main.

    Raises:
        UserError: they do not.
    """
    import datasets

    builder = datasets.load_dataset_builder(hub, config, revision=revision)
    if found := foreign_files(builder, hub):
        raise UserError(
            f"{hub}: its card names {found[0]!r:.200}, which is no file of its own; expected a "
            "data set that has its files in its repository"
        )


def foreign_files(builder: Any, hub: str) -> list[str]:
    """Those of a builder's files that are not of the repository (or folder) `hub`."""
    own = os.path.realpath(hub) if os.path.isdir(hub) else ""
    files = [file for some in (builder.config.data_files or {}).values() for file in some]
    return [file for file in files if not _is_own(str(file).rpartition("::")[2], hub, own)]


def _is_own(file: str, hub: str, own: str) -> bool:
    if own:
        return os.path.realpath(file).startswith(own + os.sep)
    return file.startswith(f"hf://datasets/{hub}@") and ".." not in file.split("/")
