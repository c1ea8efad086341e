"""What a program asks of the file system, as strace sees it, played to a model of a disk."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.disk_model import Disk, Inode, Tree, build

# All by which files, names and what is synced can change, and by which processes begin.
_CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,sendfile,copy_file_range,truncate,ftruncate,"
    "fallocate,lseek,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,"
    "mkdirat,rmdir,fsync,fdatasync,sync,syncfs,clone,clone3,fork,vfork,dup,dup2,dup3,fcntl"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_HEX = r"(?:\\x[0-9a-f]{2})*"
_FOLDER_AND_NAME = re.compile(rf'(?:(?:AT_FDCWD|\d+)<({_HEX})>, )?"({_HEX})"')
_FD = re.compile(r"(\d+)(?:<[^>]*>)?")
_TEXT = re.compile(rf'"({_HEX})"')
_ACK = b"done: "
_MEMORY = Path("/dev/shm")  # where hundreds of small folders are a matter of a second
_TAKES_FD = ("write", "pwrite64", "ftruncate", "lseek", "fsync", "fdatasync")


@dataclass(frozen=True)
class Asked:
    """A system call that came to its end: `begun` and `done` are lines of the record."""

    begun: int
    done: int
    process: int
    name: str
    arguments: str
    result: int


@dataclass
class Recorded:
    """What a program did to a disk, and what it said was done, with the time of it."""

    disk: Disk
    said: list[tuple[int, str]]
    output: str
    status: int

    def check(self, look: Callable[[Path, list[str]], None]) -> int:
        """Have somebody look at each state that a power cut may leave; how many there were.

        Args:
            look: Is given the disk as a folder, which it may change, and what was said before.

        Raises:
            AssertionError: what it saw is wrong; with the changes before.
        """
        seen: set[tuple[Tree, int]] = set()
        for at, tree in self.disk.states():
            said = [text for when, text in self.said if when <= at]
            if (tree, len(said)) in seen:
                continue
            seen.add((tree, len(said)))
            with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
                place = Path(folder, "after")
                build(tree, place)
                try:
                    look(place, said)
                except Exception as error:
                    listed = "\n".join(sorted(_listed(tree)))
                    raise AssertionError(
                        f"after line {at}, said {said}:\n{listed}\n{error}"
                    ) from error
        return len(seen)


def record(
    code: str, disk: Path, *arguments: str, ignored: tuple[str, ...] = (), strace: str = ""
) -> Recorded:
    """Run a program and record what it does to a folder.

    Args:
        code: Python. A line that it prints as `done: TEXT` says what must be there from then on.
        disk: The folder; what is there is taken to be on the disk.
        arguments: Of the program.
        ignored: Names that no reader looks into.
        strace: More of its options.
    """
    log = disk.with_name(f"{disk.name}.strace")
    model = Disk(disk, ignored)
    run = traced(code, *arguments, strace=f"-o {log} -y -xx -s 10000000 -e trace={_CALLS} {strace}")
    said = _play(_asked(log), model)
    model.times += [when for when, _ in said]
    found = Recorded(model, said, run.stdout, run.returncode)
    kept = tuple(sorted((one.name, _read(one)) for one in disk.iterdir()))
    assert model.now() == kept, f"something was not recorded\n{run.stdout}"
    return found


def traced(code: str, *arguments: str, strace: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program under strace with these options; its outputs are one."""
    return subprocess.run(
        [
            *("strace", "-f", "--seccomp-bpf", "-e", "signal=none", *strace.split()),
            *(sys.executable, "-c", code, *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _asked(log: Path) -> Iterator[Asked]:
    begun: dict[str, tuple[int, str]] = {}
    found: list[Asked] = []
    for number, line in enumerate(log.read_text().splitlines(), 1):
        start = number
        if half := _BEGUN.match(line):
            begun[half[1]] = number, f"{half[1]} {half[2]}({half[3]}"
            continue
        if rest := _RESUMED.match(line):
            start, first = begun.pop(rest[1])
            line = first + rest[3]
        if whole := _LINE.match(line):
            found.append(Asked(start, number, int(whole[1]), whole[2], whole[3], int(whole[4])))
    # By their beginnings: who sees what another did began after it.
    return iter(sorted(found, key=lambda one: one.begun))


@dataclass
class _Opened:
    inode: Inode
    offset: int
    appends: bool


def _play(asked: Iterator[Asked], disk: Disk) -> list[tuple[int, str]]:
    said: list[tuple[int, str]] = []
    files: dict[int, dict[int, _Opened]] = {}  # of each process, shared by its threads
    for one in asked:
        opened = files.setdefault(one.process, {})
        if one.result < 0:
            continue
        if one.name in ("clone", "clone3", "fork", "vfork"):
            files[one.result] = opened if "CLONE_FILES" in one.arguments else dict(opened)
        elif one.name in ("open", "openat", "creat"):
            opened.pop(one.result, None)
            _open(one, disk, opened)
        elif one.name in _TAKES_FD:
            number = int(_FD.match(one.arguments)[1])  # type: ignore[index]
            if one.name == "write" and (text := _data(one)).startswith(_ACK):
                said.append((one.begun, text.removeprefix(_ACK).decode().strip()))
            elif (file := opened.get(number)) is not None:
                _use(one, disk, file)
        elif one.name.startswith(("rename", "link", "unlink", "rmdir", "mkdir")):
            _name(one, disk)
        elif one.name == "fcntl" or one.name.startswith("dup"):
            number = int(_FD.match(one.arguments)[1])  # type: ignore[index]
            if "F_DUPFD" in one.arguments or one.name != "fcntl":
                opened.pop(one.result, None)
                if number in opened:
                    opened[one.result] = opened[number]
        else:
            paths = [bytes.fromhex(h.replace("\\x", "")) for h in re.findall(_HEX, one.arguments)]
            here = [p for p in paths if p.startswith(bytes(disk.root))]
            assert not here, f"a call that is not played: {one.name} {here}"
    return said


def _open(one: Asked, disk: Disk, opened: dict[int, _Opened]) -> None:
    [path] = _paths(one.arguments)
    if not disk.holds(path):
        return
    inode = disk.find(path)
    if inode is None:
        assert "O_CREAT" in one.arguments, f"{path} is read but was never made"
        inode = Inode()
        disk.fill(one.begun, inode, b"")
        disk.link(one.begun, path, inode)
    elif "O_TRUNC" in one.arguments and inode.now() != b"":
        disk.fill(one.begun, inode, b"")
    opened[one.result] = _Opened(inode, 0, "O_APPEND" in one.arguments)


def _use(one: Asked, disk: Disk, file: _Opened) -> None:
    last = one.arguments.rpartition(", ")[2]
    if one.name in ("fsync", "fdatasync"):
        disk.sync(one.begun, one.done, file.inode)
    elif one.name == "lseek":
        file.offset = one.result
    elif one.name == "ftruncate":
        now = file.inode.now()
        assert isinstance(now, bytes)
        disk.fill(one.begun, file.inode, now[: int(last)].ljust(int(last), b"\0"))
    elif one.name == "pwrite64":
        disk.write(one.begun, file.inode, int(last), _data(one)[: one.result])
    else:
        now = file.inode.now()
        assert isinstance(now, bytes)
        at = len(now) if file.appends else file.offset
        disk.write(one.begun, file.inode, at, _data(one)[: one.result])
        file.offset = at + one.result


def _name(one: Asked, disk: Disk) -> None:
    first, *second = _paths(one.arguments)
    if one.name.startswith("mkdir"):
        disk.link(one.begun, first, Inode())
        return
    for path in (first, *second):
        assert one.name.startswith(("unlink", "rmdir")) or disk.holds(path) or not second
    if not disk.holds(first):
        return
    inode = disk.find(first)
    if second:
        disk.link(one.begun, second[0], inode)
    if not one.name.startswith("link"):
        disk.link(one.begun, first, None)


def _paths(arguments: str) -> list[Path]:
    found = []
    for folder, name in _FOLDER_AND_NAME.findall(arguments):
        text = [bytes.fromhex(one.replace("\\x", "")).decode() for one in (folder, name)]
        found.append(Path(text[0] or "/", text[1]))
    return found


def _data(one: Asked) -> bytes:
    text = _TEXT.search(one.arguments)
    return bytes.fromhex(text[1].replace("\\x", "")) if text else b""


def _read(path: Path) -> Tree:
    if path.is_dir():
        return tuple(sorted((one.name, _read(one)) for one in path.iterdir()))
    return path.read_bytes()


def _listed(tree: Tree, place: str = "") -> Iterator[str]:
    if isinstance(tree, bytes):
        zeros = " of zeros" if tree and not tree.strip(b"\0") else ""
        yield f"{place}: {len(tree)} bytes{zeros}"
        return
    yield f"{place}/"
    for name, one in tree:
        yield from _listed(one, f"{place}/{name}")
