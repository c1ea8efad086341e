"""The journal: what is written is read again, old journals too, and a broken line is named."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from flows.runs.journal import Journal, reached, read_head, read_journal, read_steps
from flows.runs.journal_forms import StepLine
from sandbox.process_name import ProcessName
from tasks.facts import WrongFacts
from tasks.rows import Json

LINE = StepLine(
    iteration=1,
    step="generate draw",
    label="generate draw p1 [0:64]x[0:8]",
    state="Completed",
    took=2.5,
    ended=1795706168.457,
    seconds=2.25,
    tokens=640,
    cpu_seconds=1.5,
    rows=512,
    artifact="samples/k",
    digest="d",
    record="generate-k",
)
# No process of this machine has it (PID_MAX_LIMIT is 2^22).
NO_PID = 2**22 + 7
# As the first version wrote them.
OLD_HEAD: Json = {"run": "old", "state": "failed", "pid": 1, "started": 5.0, "config": {}}
OLD_LINE: Json = {
    "iteration": 0,
    "step": "problems",
    "label": "problems",
    "state": "Completed",
    "took": 1.0,
    "seconds": 0.5,
    "tokens": 0,
    "rows": 3,
    "artifact": "problems/k",
    "digest": "d",
    "record": "problems-k",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))
    return tmp_path


def written(home: Path, head: Json, lines: str) -> Path:
    folder = home / "runs" / "old"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(head))
    (folder / "steps.jsonl").write_text(lines)
    return folder


def test_what_is_written_is_read_again(home: Path) -> None:
    journal = Journal("made", {"seed": 1}, "rest-em", "flow-run")
    journal.step(LINE)
    journal.warn("look")
    journal.end("completed", report="page", policies=["model/k"])
    head, lines = read_journal("made")
    assert lines == [LINE]
    assert (head.state, head.warnings, head.policies) == ("completed", ("look",), ("model/k",))
    assert (head.flow_run, head.config, head.home) == ("flow-run", {"seed": 1}, str(home))
    assert head.ended is not None and head.ended >= head.started


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_is_set_in_the_middle_changes_no_duration(
    home: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    journal, clock = Journal("made", {}, "rest-em"), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + jump)
    journal.end("completed")
    head, _ = read_journal("made")
    assert head.ended is not None and 0 <= head.ended - head.started < 3600


def test_a_run_of_another_machine_is_not_taken_for_dead(home: Path) -> None:
    """A home may lie on a folder that machines or containers share."""
    Journal("made", {}, "rest-em")
    path = home / "runs" / "made" / "run.json"
    head = json.loads(path.read_text())
    assert not read_head(path.parent).is_gone
    here = ProcessName.own()
    for place, gone in ((here.place, True), ("0badc0de.0badc0de0000.4026531999", False)):
        name = ProcessName(place, NO_PID, here.born)
        path.write_text(json.dumps({**head, "pid": NO_PID, "process": str(name)}))
        assert read_head(path.parent).is_gone is gone


def test_a_run_at_work_says_no_end(home: Path) -> None:
    Journal("made", {}, "rest-em")
    written = json.loads((home / "runs" / "made" / "run.json").read_text())
    assert list(written) == [
        *("run", "flow", "flow_run", "state", "pid", "started", "config", "warnings", "process"),
        "folder",
    ]
    assert read_journal("made")[0].state == "interrupted"  # nobody holds its lock


def test_a_journal_of_the_first_version_is_read(home: Path) -> None:
    folder = written(home, OLD_HEAD, json.dumps(OLD_LINE) + "\n")
    head, (line,) = read_journal("old")
    assert (head.flow, head.flow_run, head.warnings, head.ended) == ("rest-em", "", (), None)
    assert (line.ended, line.cpu_seconds, line.sandbox_seconds) == (0.0, 0, 0)
    assert reached(folder) == ["problems/k"]


def test_a_last_line_that_a_kill_tore_is_left_out(home: Path) -> None:
    text = json.dumps(OLD_LINE)
    folder = written(home, OLD_HEAD, f"{text}\n{text[:40]}")
    assert len(read_steps(folder)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": "many"}, "rows: 'many'; expected int"),
        ({"rowz": 3}, "rowz: expected one of iteration, "),
        ({"state": "made"}, "state: 'made'; expected "),
        ({"digest": None}, "digest: None; expected str"),
    ],
)
def test_a_broken_line_is_named(home: Path, change: Json, said: str) -> None:
    lines = [json.dumps(OLD_LINE), json.dumps(OLD_LINE | change), json.dumps(OLD_LINE)]
    folder = written(home, OLD_HEAD, "\n".join(lines) + "\n")
    with pytest.raises(WrongFacts, match=rf"steps\.jsonl:2: {said}"):
        read_steps(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "run.json: not JSON"),
        (json.dumps({**OLD_HEAD, "state": "well"}), "run.json: state: "),
        (
            json.dumps({k: v for k, v in OLD_HEAD.items() if k != "pid"}),
            "run.json: pid is missing",
        ),
    ],
)
def test_a_broken_head_is_named(home: Path, text: str, said: str) -> None:
    folder = written(home, OLD_HEAD, "")
    (folder / "run.json").write_text(text)
    with pytest.raises(WrongFacts, match=said):
        read_head(folder)
