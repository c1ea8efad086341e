"""The file of a run's configuration: what it is like, and where its paths begin."""

from __future__ import annotations

import os
from pathlib import Path

from flows.config.read import read_toml
from tasks.errors import UserError
from tasks.paths import CONFIGS
from tasks.settings import DataSettings, FilterSettings
from tasks.settings.problems import OWN
from tasks.settings.user_function import beside


def read_config(path: str | Path, seen: tuple[str, ...] = ()) -> tuple[dict[str, object], str]:
    """The content of a configuration, with what it takes from the one that it is `like`.

    Args:
        path: A TOML file, or the name of one in configs/ without its ending.
        seen: Files that are like it.

    Returns:
        The fields, with paths that begin at the folder of the file that names them; and the file.

    Raises:
        UserError: naming the file and what was expected.
    """
    raw, file = read_toml(path, CONFIGS)
    folder = Path(file).parent
    _begin_at(folder, raw)
    like = raw.pop("like", None)
    if like is None:
        return raw, file
    if not isinstance(like, str) or not like:
        raise UserError(f"{file}: like: expected the name or path of another configuration")
    whole = os.path.realpath(file)
    if whole in seen:
        raise UserError(f"{file}: like: it is like itself; expected another configuration")
    beside_it = folder / like
    other, _ = read_config(beside_it if beside_it.is_file() else like, (*seen, whole))
    return _overlaid(other, raw), file


def _overlaid(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    """Fields of two configurations; where both have one, the second counts."""
    made = dict(below)
    for name, value in above.items():
        old = made.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            made[name] = _overlaid(old, value)
        else:
            made[name] = value
    return made


def _begin_at(folder: Path, raw: dict[str, object]) -> None:
    """Let paths in a file begin at its folder; those of changes begin where we are."""
    data, rules = _table(raw, "data"), _table(raw, "filter")
    more, rewards = _tables(data, "more"), _tables(rules, "rewards")
    named = [(data, name) for name in DataSettings.CHOICES]
    named += [(rules, name) for name in FilterSettings.CHOICES]
    for part, name in [*named, *((one, "reward") for one in rewards)]:
        if isinstance(text := part.get(name), str):
            part[name] = beside(text, folder)
    sources = [(data, name) for name in ("source", "test_source")]
    sources += [(one, "source") for one in more]
    for part, name in sources:
        own = part.get("train", OWN if part is not data else "") == OWN
        _whole(part, name, folder, own=own)
    for section, name in (("model", "base"), ("model", "prompt"), ("sampling", "teacher")):
        _whole(_table(raw, section), name, folder)
    for name in ("model", "prompt", "source", "reference"):
        _whole(_table(raw, "judge"), name, folder, own=True)
    transfer = _table(_table(raw, "evaluation"), "transfer_sources")
    for name in transfer:
        _whole(transfer, name, folder, own=True)


def _whole(part: dict[str, object], name: str, folder: Path, *, own: bool = False) -> None:
    """Make a path whole that is found in a folder.

    Paths of old began where we are, and their text is in run ids; so those that are found there
    stay as they are, but for `own` ones, which came later.
    """
    text = part.get(name)
    if not isinstance(text, str) or not text:
        return
    path = Path(text).expanduser()
    if not path.is_absolute() and (own or not path.exists()) and (folder / path).exists():
        part[name] = str((folder / path).absolute())


def with_whole_store(raw: dict[str, object]) -> None:
    """Other commands look a run's store up from other folders; it stands in no key."""
    resources = _table(raw, "resources")
    store = resources.get("store")
    if isinstance(store, str) and store and not os.path.isabs(store) and ":" not in store:
        resources["store"] = store if store.startswith("~") else os.path.abspath(store)


def _table(raw: dict[str, object], name: str) -> dict[str, object]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _tables(raw: dict[str, object], name: str) -> list[dict[str, object]]:
    found = raw.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
