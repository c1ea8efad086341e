"""A base policy of the Hub: fetched at one commit through the Hub's cache.

The cache is that of huggingface_hub (HF_HOME), shared with whatever else reads the Hub on this
machine, so a node without a network has what was fetched where there is one: by `hf download`, by
an earlier run, or by transformers. Files are linked from there where the file system can, else
copied. What the cache has of a model must be whole.
"""

from __future__ import annotations

import json
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

from tasks.errors import UserError
from tasks.hub import Found, Repository, find_commit, note_commit

_INDEX = ".index.json"
_WEIGHTS = ".safetensors"


def fetch_model(repo: Repository, out: Path, patterns: tuple[str, ...], field: str) -> None:
    """Fill a folder with the files of a model, and note its commit.

    Args:
        repo: The model.
        out: Folder, there and empty.
        patterns: Of the files that are wanted.
        field: Of the configuration, for messages.

    Raises:
        UserError: neither the Hub nor the cache has it whole.
    """
    from huggingface_hub import snapshot_download

    found = find_commit(repo)
    revision = found.commit or repo.revision
    try:
        folder = Path(
            snapshot_download(
                repo.id,
                revision=revision,
                allow_patterns=list(patterns),
                local_files_only=bool(found.commit) and not found.reached,
            )
        )
    except Exception as error:
        raise UserError(_unreached(repo, found, error, field)) from None
    if lacking := _lacking(folder, patterns):
        raise UserError(
            f"{field}: {repo.id}@{revision} has no {lacking}"
            + ("" if found.reached else f" in the cache here ({folder})")
            + "; expected a transformers model with weights in safetensors"
            + ("" if found.reached else f", as `hf download {repo.id}` brings it")
        )
    for name in _wanted(folder, patterns):
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link((folder / name).resolve(), target)
    note_commit(repo, Found(found.commit or folder.name, found.reached))


def _unreached(repo: Repository, found: Found, error: Exception, field: str) -> str:
    named = f"{field}: {repo.id}@{repo.revision}"
    if found.reached and not found.commit:
        return f"{named}: the Hub has no such revision; expected a branch, a tag or a commit"
    return (
        f"{named} could not be loaded from the Hub, nor from its cache ({type(error).__name__}); "
        "expected a Hub id that this machine reaches, a folder or a .gguf file. For a machine "
        f"without a network run `hf download {repo.id}` where there is one, into the same HF_HOME"
    )


def _wanted(folder: Path, patterns: tuple[str, ...]) -> list[str]:
    """The files of a snapshot that match, relative to it; hidden ones are the cache's own."""
    names = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return sorted(
        name
        for name in names
        if any(fnmatch(name, one) for one in patterns) and not name.startswith(".")
    )


def _lacking(folder: Path, patterns: tuple[str, ...]) -> str:
    """The first file that a whole model has and this one has not; "" where it is whole."""
    names = set(_wanted(folder, patterns))
    if "config.json" not in names:
        return "config.json"
    shards: set[str] = set()
    for name in names:
        if name.endswith(_WEIGHTS + _INDEX) and "/" not in name:
            try:
                content = json.loads((folder / name).read_text(encoding="utf-8"))
                shards |= set(content["weight_map"].values())
            except (ValueError, LookupError, TypeError, AttributeError):
                return f"{name} that can be read"
    if missing := sorted(shards - names):
        return str(missing[0])
    return "" if any(name.endswith(_WEIGHTS) for name in names) else f"*{_WEIGHTS}"


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another file system, or somebody else's file
        shutil.copyfile(file, target)
