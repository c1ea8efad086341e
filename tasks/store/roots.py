"""What homes need of a store, kept in the store itself, so that any of them can clean it.

Each home that uses a store leaves there a file for each of its runs, `.roots/HOME/RUN.json`, with
the artifacts that the run came to; what those were made from follows from the manifests. It is
written when a run begins, with its lease (tasks/store/usage.py), and at the end; what is younger
than that is protected by the least age of what a cleaning removes.

A home is known by a random id in its folder. A copy of that folder is another home: it has runs of
its own, so it takes an id of its own.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tasks.errors import UserError
from tasks.facts import Facts, WrongFacts
from tasks.store.side_files import SideFiles

ROOTS = ".roots"
HOME_FILE = "home.json"
_ID = re.compile(r"[0-9a-f]{16}")
# Neither may lead anywhere else, for others write what we read.
_LOCATION = re.compile(r"[^./\\\x00][^/\\\x00]*/[^./\\\x00][^/\\\x00]*")


@dataclass(frozen=True)
class HomeId(Facts):
    """A home's id.

    Attributes:
        inode: Of the file that holds it; a copy has another one.
    """

    id: str
    inode: int


@dataclass(frozen=True, kw_only=True)
class Roots(Facts):
    """What a run of a home needs.

    Attributes:
        home: Id of the home.
        path: Of the home, on its host.
        artifacts: KIND/KEY, sorted.
    """

    STRICT: ClassVar[bool] = False

    home: str
    host: str
    path: str
    run: str
    artifacts: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the file in the store."""
        return f"{ROOTS}/{self.home}/{self.run}.json"

    @property
    def own_host(self) -> bool:
        """Whether this machine wrote it."""
        return self.host == platform.node()


def known_home_id(home: Path) -> str:
    """The id of a home, or "" where it has none yet, or the one of what it was copied from."""
    path = home / HOME_FILE
    with contextlib.suppress(OSError, ValueError):
        found = HomeId.from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
        if found.inode == path.stat().st_ino and _ID.fullmatch(found.id):
            return found.id
    return ""


def home_id(home: Path) -> str:
    """The id of a home, made at its first use; "" where it cannot be kept."""
    if known := known_home_id(home):
        return known
    draft = home / f".{HOME_FILE}~{uuid.uuid4().hex[:8]}"
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        draft.touch()
        made = HomeId(uuid.uuid4().hex[:16], draft.stat().st_ino)
        draft.write_text(json.dumps(made.to_json()), encoding="utf-8")
        draft.replace(home / HOME_FILE)
    return known_home_id(home)


def roots_of(home: Path, run: str, artifacts: Iterable[str]) -> Roots:
    """What a run of this home needs."""
    return Roots(
        home=home_id(home),
        host=platform.node(),
        path=str(home),
        run=run,
        artifacts=tuple(sorted(set(artifacts))),
    )


def keep(files: SideFiles, roots: Roots) -> None:
    """Write them into the store."""
    files.write(roots.name, json.dumps(roots.to_json()).encode())


def drop(files: SideFiles, roots: Iterable[Roots]) -> None:
    """Remove them from the store: nobody needs those artifacts any more."""
    files.remove([one.name for one in roots])


def kept(files: SideFiles) -> list[Roots]:
    """The roots of all homes.

    Raises:
        UserError: a file is not as restem writes it, so that nobody knows what it protects.
    """
    found: list[Roots] = []
    for name, raw in files.read(ROOTS).items():
        try:
            one = Roots.from_json(json.loads(raw), name)
            wrong = [place for place in one.artifacts if not _LOCATION.fullmatch(place)]
            if one.name != name or wrong:
                raise WrongFacts(f"{name}: expected a run's artifacts as KIND/KEY")
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"the store's {name} cannot be read ({str(error)[:200]}), so what it protects is "
                "not known; remove that file if nothing needs it (its run writes it again)"
            ) from None
        found.append(one)
    return found


def other_homes(found: Sequence[Roots], mine: str) -> dict[str, list[Roots]]:
    """Roots of homes beside this one, by id."""
    homes: dict[str, list[Roots]] = {}
    for one in found:
        if one.home != mine:
            homes.setdefault(one.home, []).append(one)
    return homes
