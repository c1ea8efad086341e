"""A disk that loses power: what may be on it after each of a list of changes.

What POSIX promises and nothing more. The content of a file is there for certain as it was at the
file's last sync, the entries of a folder as they were at the folder's, each name by itself. Since
then any of a file's later contents may be there, or a part of the last one, with zeros where the
rest should be; and of each name any of the files that it has named, or none.

Not covered: that a rename between two folders is one change, which every file system with a
journal does promise; so a file may be seen under both names here, or under neither.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

# A folder as a sorted tuple of names with what they name, a file as its bytes.
Tree = bytes | tuple[tuple[str, "Tree"], ...]
# States of one folder that are looked at: all, or so many of them.
MOST = 600


@dataclass
class Inode:
    """A file's contents or a folder's entries, with the time of each change and of each sync."""

    # Of a file, name "": bytes. Of a folder: an inode, or None where the name was removed.
    versions: dict[str, list[tuple[int, object]]] = field(default_factory=dict)
    syncs: list[tuple[int, int]] = field(default_factory=list)  # (when done, what it covers)

    def now(self, name: str = "") -> object:
        """The newest version."""
        return self.versions[name][-1][1] if name in self.versions else None

    def change(self, at: int, value: object, name: str = "") -> None:
        """Add a version."""
        self.versions.setdefault(name, []).append((at, value))

    def possible(self, at: int, name: str = "") -> list[object]:
        """The versions that a power cut may leave, the oldest first; None: not there."""
        floor = max((covers for done, covers in self.syncs if done <= at), default=-1)
        known = [one for one in self.versions[name] if one[0] <= at]
        certain = [value for when, value in known if when <= floor]
        return [certain[-1] if certain else None, *(v for when, v in known if when > floor)]


class Disk:
    """The changes to the tree below a folder, and the states that they may have come to."""

    def __init__(self, root: Path, ignored: Iterable[str] = ()) -> None:
        """What is there already is on the disk.

        Args:
            ignored: Names that no reader looks into.
        """
        self.root, self._ignored = root, frozenset(ignored)
        self._top = self._taken(root)
        self.times: list[int] = []  # at which it is looked at

    def _taken(self, path: Path) -> Inode:
        inode = Inode(syncs=[(0, 0)])
        if path.is_file():
            inode.change(0, path.read_bytes())
        else:
            for one in path.iterdir():
                inode.change(0, self._taken(one), one.name)
        return inode

    def holds(self, path: Path) -> bool:
        """Whether it is of this disk."""
        return path.is_relative_to(self.root)

    def find(self, path: Path) -> Inode | None:
        """What stands at a path now."""
        inode: object = self._top
        for name in path.relative_to(self.root).parts:
            inode = inode.now(name) if isinstance(inode, Inode) else None
        return inode if isinstance(inode, Inode) else None

    def link(self, at: int, path: Path, inode: Inode | None) -> None:
        """Have a path name this, or nothing."""
        folder = self.find(path.parent)
        if folder is not None and self.holds(path.parent):
            self.times.append(at)
            folder.change(at, inode, path.name)

    def write(self, at: int, inode: Inode, offset: int, data: bytes) -> None:
        """Write into a file."""
        now = inode.now()
        assert isinstance(now, bytes)
        self.fill(at, inode, now[:offset].ljust(offset, b"\0") + data + now[offset + len(data) :])

    def fill(self, at: int, inode: Inode, content: bytes) -> None:
        """Give a file this content."""
        self.times.append(at)
        inode.change(at, content)

    def sync(self, begun: int, done: int, inode: Inode) -> None:
        """What was there when it began is there for certain when it is done."""
        self.times.append(done)
        inode.syncs.append((done, begun))

    def now(self) -> Tree:
        """The tree as processes see it."""
        return self._now(self._top)

    def _now(self, inode: Inode) -> Tree:
        if "" in inode.versions:
            return bytes(inode.now())  # type: ignore[arg-type]
        found = [(name, inode.now(name)) for name in sorted(inode.versions)]
        return tuple((name, self._now(one)) for name, one in found if isinstance(one, Inode))

    def states(self) -> Iterator[tuple[int, Tree]]:
        """Each of its times, and each tree that a power cut then may leave."""
        for at in sorted({0, *self.times}):
            for tree in dict.fromkeys(self._trees(self._top, at)):
                yield at, tree

    def _trees(self, inode: Inode, at: int) -> list[Tree]:
        if "" in inode.versions:
            return _contents(inode.possible(at))
        choices: list[list[tuple[str, Tree] | None]] = []
        for name in sorted(inode.versions.keys() - self._ignored):
            found: list[tuple[str, Tree] | None] = []
            for one in inode.possible(at, name):
                found += (
                    [(name, tree) for tree in self._trees(one, at)]
                    if isinstance(one, Inode)
                    else [None]
                )
            choices.append(list(dict.fromkeys(found)))
        return [tuple(e for e in entries if e is not None) for entries in _chosen(choices)]


def _chosen(choices: list[list[tuple[str, Tree] | None]]) -> Iterable[tuple]:
    """Every choice of one from each, or the most telling of them and some more."""
    count = 1
    for one in choices:
        count *= len(one)
    if count <= MOST:
        return product(*choices)
    oldest, newest = [one[0] for one in choices], [one[-1] for one in choices]
    found = [tuple(oldest), tuple(newest)]
    for at, options in enumerate(choices):  # one lost, one torn, or one kept alone
        found += [(*newest[:at], option, *newest[at + 1 :]) for option in options]
        found += [(*oldest[:at], option, *oldest[at + 1 :]) for option in options]
    chance = random.Random(0)
    while len(found) < MOST:
        found.append(tuple(chance.choice(options) for options in choices))
    return dict.fromkeys(found)


def _contents(versions: list[object]) -> list[Tree]:
    """The contents of a file that was written so, the torn ones between them."""
    first, *rest = (one if isinstance(one, bytes) else b"" for one in versions)
    if not rest:
        return [first]
    last = rest[-1]
    kept = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    kept = min(len(first), len(last)) if kept is None else kept
    half = kept + (len(last) - kept) // 2
    torn = [
        last[:half],
        last[:kept] + bytes(len(last) - kept),
        last[:half] + bytes(len(last) - half),
        last[:kept] + bytes(half - kept) + last[half:],
    ]
    middle = [rest[0], rest[len(rest) // 2]]
    return list(dict.fromkeys([first, *middle, *torn, last]))


def build(tree: Tree, place: Path) -> None:
    """Make the tree as real files."""
    if isinstance(tree, bytes):
        place.write_bytes(tree)
    else:
        place.mkdir()
        for name, one in tree:
            build(one, place / name)
