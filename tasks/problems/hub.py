"""A data set on the Hub gives its own files and no others.

Its card may list its files by patterns (`data_files`), and `datasets` follows them anywhere: to
/etc on this machine, to another repository, to an address. What is not its own is not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.errors import UserError
from tasks.hub import MAIN, Found, Repository, find_commit, note_commit, snapshot_folder
from tasks.rows import Json

if TYPE_CHECKING:
    from datasets import DatasetBuilder


@dataclass(frozen=True)
class HubData:
    """A data set of the Hub at a commit.

    Attributes:
        repo: Id and revision.
        found: The commit.
        path: For `datasets`: the id, or where the Hub is not reached the folder of the cache.
        revision: For `datasets`, beside an id.
    """

    repo: Repository
    found: Found
    path: str
    revision: str | None

    @property
    def more(self) -> Json:
        """For each call of `datasets`."""
        return {"revision": self.revision} if self.revision else {}

    def was_read(self) -> None:
        """Note the commit, now that the cache has what is needed of it."""
        note_commit(self.repo, self.found)

    def see_own_files(self, config: str | None) -> None:
        """See that the files of a data set lie in its own repository, before one is read.

        Args:
            config: Its configuration; None: the default one.

        Raises:
            UserError: they do not.
        """
        import datasets

        builder = datasets.load_dataset_builder(self.path, config, **self.more)
        # The cache links its snapshots to a folder beside them.
        own = self.path if self.path == self.repo.id else os.path.join(self.path, "..", "..")
        if found := foreign_files(builder, own):
            raise UserError(
                f"{self.repo.id}: its card names {found[0]!r:.200}, which is no file of its own; "
                "expected a data set that has its files in its repository"
            )


def hub_data(repo: Repository) -> HubData:
    """A data set at the commit that its revision is now; nothing of it is read yet."""
    from huggingface_hub.utils import logging

    # Without a network it prints every retry, on lines that bury ours.
    logging.set_verbosity_error()
    found = find_commit(repo)
    if not found.reached and (folder := snapshot_folder(repo, found.commit)):
        return HubData(repo, found, str(folder), None)
    # Without a commit `datasets` says what is wrong, or finds what it has prepared before.
    asked = None if repo.revision == MAIN else repo.revision
    return HubData(repo, found, repo.id, found.commit or asked)


def hub_tables(
    repo: Repository, split: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Iterable[Json]]]:
    """Yield (configuration, rows) of a Hub data set, the wanted configurations or what it has."""
    import datasets

    data = hub_data(repo)
    if not wanted:
        names = datasets.get_dataset_config_names(data.path, **data.more)
        wanted = ("main",) if "main" in names else tuple(names)
    for config in wanted:
        data.see_own_files(config)
        yield config, datasets.load_dataset(data.path, config, split=split, **data.more)
    data.was_read()


def fetch_file(repo: Repository, name: str) -> str:
    """The path of one file of a repository, in the cache."""
    from huggingface_hub import hf_hub_download

    found = find_commit(repo)
    revision = found.commit or repo.revision
    path = hf_hub_download(repo.id, name, repo_type=repo.kind, revision=revision)
    note_commit(repo, found)
    return path


def foreign_files(builder: DatasetBuilder, hub: str) -> list[str]:
    """Those of a builder's files that are not of the repository (or folder) `hub`."""
    own = os.path.realpath(hub) if os.path.isdir(hub) else ""
    files = [file for some in (builder.config.data_files or {}).values() for file in some]
    return [file for file in files if not _is_own(str(file).rpartition("::")[2], hub, own)]


def _is_own(file: str, hub: str, own: str) -> bool:
    if own:
        return os.path.realpath(file).startswith(own + os.sep)
    return file.startswith(f"hf://datasets/{hub}@") and ".." not in file.split("/")
