"""Where a run was started: relative paths of its configuration begin there.

Their text is in run ids and cache keys, so it stays as it was given. Whoever goes on with a run
goes there first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flows.runs.journal_forms import RunHead
from tasks.dag.runtime import home
from tasks.facts import is_list, is_object


def go_to_folder(head: RunHead) -> None:
    """Change this process to the folder of a run's start, where its configuration needs that."""
    folder = folder_of(head)
    if not folder:
        return
    # What the environment names begins where we are.
    os.environ["RESTEM_HOME"] = str(home())
    if data := os.environ.get("RESTEM_DATA"):
        os.environ["RESTEM_DATA"] = str(Path(data).expanduser().absolute())
    os.chdir(folder)


def folder_of(head: RunHead) -> str:
    """The folder of a run's start, where its configuration names something in it; else ""."""
    folder = head.folder
    if not folder or not os.path.isdir(folder) or os.path.samefile(folder, os.getcwd()):
        return ""
    relative = (text for text in _texts(head.config) if text and not os.path.isabs(text))
    return folder if any(_is_in(folder, text) for text in relative) else ""


def _is_in(folder: str, text: str) -> bool:
    try:
        return os.path.exists(os.path.join(folder, text))
    except ValueError:  # no path at all
        return False


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_object(value):
        for one in value.values():
            yield from _texts(one)
    elif is_list(value):
        for one in value:
            yield from _texts(one)
