"""A flood of a child's lines: bounded memory, a bounded file, a bounded number of lines sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.runs import child_logs as module
from flows.runs.child_logs import LINES_A_FILE, LINES_A_LOOK, ChildLogs
from tasks.processes.capped_log import MOST_BYTES, cap_log

# A megabyte at a time, with a pause: on a busy machine it must not fill the disk between two looks.
FLOOD = """
import sys, time
while True:
    sys.stdout.buffer.write((b"x" * 999 + b"\\n") * 1000)
    time.sleep(0.005)
"""


class Seen:
    """In the place of Prefect's logger."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, form: str, *values: object) -> None:
        self.lines.append(form % values)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def logs(tmp_path: Path, seen: Seen) -> ChildLogs:
    return ChildLogs(tmp_path, seen)  # type: ignore[arg-type]


@dataclass
class Flood:
    """A process that prints for ever, and its log."""

    log: Path
    process: subprocess.Popen[bytes]

    @contextmanager
    def halted(self) -> Iterator[None]:
        """It prints nothing meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        yield
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[Flood]:
    path = tmp_path / "finetune.log"
    with path.open("ab") as sink:
        process = subprocess.Popen([sys.executable, "-c", FLOOD], stdout=sink)
    yield Flood(path, process)
    process.kill()
    process.wait()
    path.unlink()


def test_a_process_that_prints_for_ever_keeps_a_log_of_bounded_size(
    flood: Flood, logs: ChildLogs, seen: Seen
) -> None:
    for _ in range(3):
        while flood.log.stat().st_size <= MOST_BYTES:
            time.sleep(0.01)
        logs.look()  # while it prints on, and may have printed as much again when this ends
        with flood.halted():
            logs.look()
            assert flood.log.stat().st_size <= MOST_BYTES
    assert len(seen.lines) <= 6 * (LINES_A_LOOK + 2)
    with flood.halted():
        logs.look()
        assert b"bytes of this log were dropped here" in flood.log.read_bytes()


@pytest.mark.parametrize("content", ["\0", "x"])
def test_a_line_without_end_takes_no_memory(
    tmp_path: Path, logs: ChildLogs, seen: Seen, content: str
) -> None:
    path = tmp_path / "engine.log"
    path.write_text(content * 3_000_000, encoding="utf-8")
    os.truncate(path, 2_000_000_000)
    tracemalloc.start()
    for _ in range(3):
        logs.look()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert all(len(line) < 3_000 for line in seen.lines)
    assert path.stat().st_size < MOST_BYTES


def test_after_many_lines_no_more_are_sent(tmp_path: Path, logs: ChildLogs, seen: Seen) -> None:
    path = tmp_path / "engine.log"
    with path.open("a", encoding="utf-8") as file:
        for number in range(2 * LINES_A_FILE // LINES_A_LOOK):
            file.writelines(f"{number} {one}\n" for one in range(LINES_A_LOOK))
            file.flush()
            logs.look()
    assert LINES_A_FILE < len(seen.lines) <= LINES_A_FILE + LINES_A_LOOK + 1
    assert seen.lines[-1] == "engine: no more of its lines come here"


def test_rubbish_is_sent_as_text_that_a_terminal_does_not_obey(
    tmp_path: Path, logs: ChildLogs, seen: Seen
) -> None:
    (tmp_path / "engine.log").write_bytes(
        b"\x1b[2J\xff\xfe\x9b31m\x00\n" + os.urandom(5000) + b"\n"
    )
    logs.look()
    assert seen.lines[0].startswith("engine: \\x1b[2J")
    assert not any(ord(c) < 32 and c != "\t" for line in seen.lines for c in line)


def test_the_first_and_the_last_of_a_long_log_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"".join(b"%09d\n" % number for number in range(1_000_000)))
    assert cap_log(path, 1_000_000)
    lines = path.read_bytes().splitlines()
    assert lines[0] == b"000000000" and lines[-1] == b"000999999"
    assert b"... 9,500,000 bytes of this log were dropped here: it may have 1,000,000 ..." in lines
    assert not cap_log(path, 1_000_000)


def test_a_log_that_was_shortened_is_followed_on(
    tmp_path: Path, logs: ChildLogs, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cap_log", lambda path: cap_log(path, 1000))
    path = tmp_path / "engine.log"
    path.write_text("first\n" + "x" * 5000 + "\n", encoding="utf-8")
    logs.look()
    with path.open("a", encoding="utf-8") as file:
        file.write("next\n")
    logs.look()
    assert seen.lines[-1] == "engine: next"
