"""What is written durably: what a power cut may leave of it, the option, lines that are torn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.durable import syncing, whole_lines, write_durably
from tasks.errors import UserError
from tasks.generate.hosted.answers import Answers
from tasks.settings.secret import kept_secret, read_secret
from tests.recording import record, traced

WRITE = """
import sys
from pathlib import Path
from tasks.durable import make_folders, write_durably
path = Path(sys.argv[1], "a", "b", "file")
make_folders(path.parent)
for number in range(3):
    write_durably(path, f"{number}" * (1000 + 3000 * number))
    print(f"done: {number}", flush=True)
"""
SECRET = """
import sys
from pathlib import Path
from tasks.settings.secret import kept_secret
secret = kept_secret(Path(sys.argv[1], "home", "secret"), lambda: "xyz")
print(f"done: {secret}", flush=True)
"""
ANSWER = """
import sys
from pathlib import Path
from tasks.generate.hosted.answers import Answers
from tasks.generate.hosted.chat import Answer
answers = Answers(Path(sys.argv[1], "home", "hosted", "answers.sqlite"), "teacher")
for number in range(4):
    answers.keep(str(number), Answer(f"{number}" * 3000, "stop", 1, 2))
    print(f"done: {number}", flush=True)
answers.close()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("strace")
def test_a_file_is_as_it_was_or_as_it_is(disk: Path) -> None:
    found = record(WRITE, disk, str(disk))
    assert len(found.said) == 3, found.output

    def look(place: Path, said: list[str]) -> None:
        path = place / "a" / "b" / "file"
        if not path.exists():
            assert not said
            return
        text = path.read_text()
        number = int(text[0])
        assert text == f"{number}" * (1000 + 3000 * number)
        assert number >= len(said) - 1

    found.check(look)


@pytest.mark.usefixtures("strace")
def test_a_secret_is_not_empty_and_does_not_change(disk: Path) -> None:
    found = record(SECRET, disk, str(disk))
    assert [text for _, text in found.said] == ["xyz"], found.output

    def look(place: Path, said: list[str]) -> None:
        path = place / "home" / "secret"
        if path.exists():
            path.chmod(0o600)
        assert read_secret(path) == "xyz" or not (said or path.exists())
        assert kept_secret(path, lambda: "another") in ("xyz", "another")

    found.check(look)


@pytest.mark.usefixtures("strace")
def test_an_answer_that_was_paid_for_is_kept(disk: Path) -> None:
    found = record(ANSWER, disk, str(disk))
    assert len(found.said) == 4, found.output

    def look(place: Path, said: list[str]) -> None:
        answers = Answers(place / "home" / "hosted" / "answers.sqlite", "teacher")
        known = answers.find(str(number) for number in range(4))
        answers.close()
        assert known.keys() >= set(said)
        assert all(one.text == name * 3000 for name, one in known.items())

    found.check(look)


@pytest.mark.usefixtures("strace")
def test_the_option_leaves_out_all_syncs(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fsync(" in traced(WRITE, str(disk), strace="-e trace=fsync,fdatasync,sync").stdout
    monkeypatch.setenv("RESTEM_SYNC", "off")
    run = traced(WRITE, str(disk), strace="-e trace=fsync,fdatasync,sync")
    assert "sync(" not in run.stdout and "done: 2" in run.stdout


def test_the_option_says_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert syncing()
    monkeypatch.setenv("RESTEM_SYNC", "sometimes")
    with pytest.raises(UserError, match="RESTEM_SYNC=sometimes: expected on or off"):
        syncing()


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntw", ["one"]),
        (b"one\n\0\0\0\0", ["one"]),
        (b"one\ntw\0\0\nthree\n", ["one"]),
        (b"\0\0\0\0two\n", []),
        ("z\u00fc\n".encode()[:2] + b"\nx", ["z\ufffd"]),
    ],
)
def test_what_is_torn_is_no_line(content: bytes, lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    assert whole_lines(path) == lines


def test_one_that_is_to_be_new_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, "first", new=True)
    with pytest.raises(FileExistsError):
        write_durably(path, "second", new=True)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["first"]
