"""JSON lines of a data set on the Hub whose own loading script is not run, as LiveCodeBench's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import UserError
from tasks.problems.hub import HubData
from tasks.problems.own.records import read_records
from tasks.problems.source import Record
from tasks.rows import Json


def hub_lines(data: HubData, config: str) -> Iterator[tuple[str, str, Iterator[Record]]]:
    """Yield (name of the file, place for messages, rows) of each file at the top of a repository.

    Args:
        data: The data set.
        config: As the user names it; only the script would know what is in it.

    Raises:
        UserError: It has no such file.
    """
    import huggingface_hub

    hub = data.repo.id
    what: Json = {"repo_type": "dataset", "revision": data.found.commit or data.repo.revision}
    if data.path == hub:
        names = sorted(huggingface_hub.HfApi().list_repo_files(hub, **what))
    else:
        names = sorted(os.listdir(data.path))
    names = [name for name in names if name.endswith(".jsonl") and "/" not in name]
    if not names:
        raise UserError(
            f"{hub} has a loading script, which is not run, and no file of JSON lines; expected "
            "its rows in a file here"
        )
    if config:
        raise UserError(
            f"{hub} has a loading script, which is not run; expected no data.config, or a file "
            "here with the rows that are wanted"
        )
    for name in names:
        path = Path(huggingface_hub.hf_hub_download(hub, name, **what))
        yield (
            name,
            f"{hub}/{name}",
            (
                Record(one.data, f"{hub}/{name}", one.line, one.unit, one.column)
                for one in read_records(path)
            ),
        )
    data.was_read()
