"""Repositories of the Hugging Face Hub: what names one, and which commit a revision is.

`org/name` is what its main branch has, `org/name@REVISION` what a branch, tag or commit has. A
branch moves, so whoever reads a repository asks once which commit that is, reads the commit, and
notes it (`Commits`). Where the Hub is not reached, the cache of huggingface_hub says which commit a
revision was when it was last read, and has the files.

Not covered: a mirror of our own. What stands here follows the layout of that cache (refs,
snapshots), which its documentation describes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.errors import UserError

Kind = Literal["model", "dataset"]
MAIN = "main"
_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w+][\w.+-]*(?:/[\w+][\w.+-]*)*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
# The Hub answers in less than a second; a run that has all it needs should not wait for long.
_SECONDS = 10.0


@dataclass(frozen=True)
class Repository:
    """A repository and what of it is meant.

    Attributes:
        id: Such as org/name.
        revision: Branch, tag or commit.
        kind: What it holds.
    """

    id: str
    revision: str = MAIN
    kind: Kind = "model"

    @property
    def label(self) -> str:
        """As it stands beside its commit in manifests."""
        return f"{'datasets/' if self.kind == 'dataset' else ''}{self.id}@{self.revision}"

    @property
    def pinned(self) -> bool:
        """Whether it names a commit, which never changes."""
        return bool(_COMMIT.fullmatch(self.revision))


@dataclass(frozen=True)
class Found:
    """Which commit a revision is.

    Attributes:
        commit: "" where neither the Hub nor the cache says it.
        reached: Whether the Hub said it; otherwise the files are those of the cache.
    """

    commit: str
    reached: bool


# Of the repositories that a step reads, by name and revision.
_NOTED: ContextVar[dict[str, Found] | None] = ContextVar("hub_commits", default=None)


def repository(
    text: str, revision: str = "", kind: Kind = "model", *, field: str = "", other: str = ""
) -> Repository | None:
    """The repository that a text names; None for a text that is no Hub id.

    Args:
        text: Such as org/name or org/name@v1.
        revision: Of a field beside it; "" and main: none is said there.
        kind: What it holds.
        field: Of the text, for messages.
        other: Of the revision, for messages.

    Raises:
        UserError: both name a revision, and not the same.
    """
    if (match := _NAME.fullmatch(text)) is None:
        return None
    name, own = match[1], match[2] or ""
    beside = "" if revision == MAIN else revision
    if own and beside and own != beside:
        raise UserError(
            f"{field}: {text:.200} names a revision, and so does {other} ({beside:.100}); expected "
            "it in one of them"
        )
    return Repository(name, own or beside or MAIN, kind)


def find_commit(repo: Repository) -> Found:
    """Which commit a repository's revision is now, by the Hub or else by the cache."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    if (noted := _NOTED.get()) is not None and repo.label in noted:
        return noted[repo.label]
    try:
        info = HfApi().repo_info(
            repo.id, repo_type=repo.kind, revision=repo.revision, timeout=_SECONDS
        )
        return Found(info.sha or "", reached=True)
    except RevisionNotFoundError:
        return Found("", reached=True)
    except Exception:  # offline in one of many ways, a Hub that is down, or no token
        return Found(_cached(repo), reached=False)


def note_commit(repo: Repository, found: Found) -> None:
    """Note which commit was read, with the step's artifact and for those without the Hub.

    Args:
        repo: Of which all that is needed is in the cache now.
        found: Its commit.
    """
    if not found.commit:
        return
    if (noted := _NOTED.get()) is not None:
        noted[repo.label] = found
    if found.reached and not repo.pinned and _cached(repo) != found.commit:
        from tasks.durable import write_durably

        place = _folder(repo) / "refs" / repo.revision
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_durably(place, found.commit)
        except OSError:
            pass  # a cache that we may not write serves as it is


@contextmanager
def noting_commits() -> Iterator[dict[str, str]]:
    """Gather the commits that are read meanwhile, whole at the end; each is asked for once."""
    commits: dict[str, str] = {}
    noted: dict[str, Found] = {}
    token = _NOTED.set(noted)
    try:
        yield commits
    finally:
        _NOTED.reset(token)
        commits |= {label: found.commit for label, found in noted.items()}


def snapshot_folder(repo: Repository, commit: str) -> Path | None:
    """The cache's copy of a commit, which may lack files; None where there is none."""
    folder = _folder(repo) / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def moved_since(noted: Mapping[str, str]) -> list[str]:
    """A line for each revision that is another commit now than the one that was read.

    Args:
        noted: Commits by the labels of their repositories, as they stand in a manifest.
    """
    lines: list[str] = []
    for label, before in sorted(noted.items()):
        kind: Kind = "dataset" if label.startswith("datasets/") else "model"
        repo = repository(label.removeprefix("datasets/"), kind=kind)
        if repo is None or repo.pinned:
            continue
        now = find_commit(repo).commit
        if now and now != before:
            lines.append(
                f"{label} was {before} when it was read, and is {now} now; this run goes on with "
                f"what was read. To take the new one, name it: {repo.id}@{now}"
            )
    return lines


def _cached(repo: Repository) -> str:
    """The commit that a revision was when it was last read, by the cache; "" where it is new."""
    if repo.pinned:
        return repo.revision if snapshot_folder(repo, repo.revision) else ""
    try:
        text = (_folder(repo) / "refs" / repo.revision).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return ""
    return text if _COMMIT.fullmatch(text) else ""


def _folder(repo: Repository) -> Path:
    """Where the cache has a repository."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / "--".join([f"{repo.kind}s", *repo.id.split("/")])
