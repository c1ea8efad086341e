"""The power fails while a run writes its journal: it is read, and what was made stays reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.runs.journal import Journal, reached, read_head, read_steps
from tests.recording import record

RUN = "run-1"
WRITE = f"""
import os, sys
os.environ["RESTEM_HOME"] = sys.argv[1] + "/home"
from flows.runs.journal import Journal, sole
from flows.runs.journal_forms import StepLine

def add(journal, number, state):
    journal.step(StepLine(
        iteration=1, step="score", label=f"score {{number}}", state=state, took=0.1, seconds=0.1,
        tokens=0, rows=1, artifact=f"verdicts/{{number}}", digest="d"))

for attempt in (1, 2):
    with sole("{RUN}", lambda: None):
        journal = Journal("{RUN}", {{"name": "power"}}, "rest-em")
        print("done: begun", flush=True)
        for number in range(2 * attempt - 2, 2 * attempt):
            add(journal, number, "Completed")
            print(f"done: verdicts/{{number}}", flush=True)
        add(journal, 7, "Cached")
        journal.warn("a warning")
        journal.end("completed")
        print(f"done: ended {{attempt}}", flush=True)
"""
MADE = {f"verdicts/{number}" for number in (0, 1, 2, 3, 7)}

pytestmark = pytest.mark.usefixtures("strace")


def test_a_journal_is_read_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    found = record(WRITE, disk, str(disk), ignored=("lock",))
    assert found.status == 0, found.output
    assert found.said[-1][1] == "ended 2"

    def look(place: Path, said: list[str]) -> None:
        folder = place / "home" / "runs" / RUN
        if "begun" in said:
            assert read_head(folder).config == {"name": "power"}
            read_steps(folder)
        if said[-1:] == ["ended 2"]:
            assert read_head(folder).state == "completed"
            assert len(read_steps(folder)) == 3
        kept = {one for one in said if "/" in one}
        assert kept <= set(reached(folder)) <= MADE
        # The next attempt.
        monkeypatch.setenv("RESTEM_HOME", str(place / "home"))
        Journal(RUN, {}, "rest-em").end("completed")
        assert kept <= set(reached(folder)) <= MADE
        assert (folder / "reached.txt").read_text()[-1:] in ("", "\n")

    monkeypatch.setenv("RESTEM_SYNC", "off")  # for the next attempts, which are hundreds
    found.check(look)
