"""What runs write for people, broken in every way: whoever reads it says so and goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from bench.recovery._fuzz_inputs import changed, torn, written
from bench.recovery.fuzz import Violation
from flows.orchestrator.review import REVIEWS_FILE, Reviews
from flows.runs import journal, status
from flows.server.address import StationNote, read_note, write_note
from flows.station import web
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.facts import WrongFacts

# Readers of an input.
_AT_ONCE = 4
_RUN, _OTHER = "demo-0123abcd", "whole-4567cdef"


class Journals:
    """A home with a run whose files are changed, beside one that stays whole."""

    def __init__(self, folder: Path) -> None:
        """Write both."""
        for run in (_RUN, _OTHER):
            one = journal.Journal(run, {"seed": 1, "data": {"train": "gsm8k"}}, "rest-em", "id")
            for number in range(3):
                one.step(_line(number))
            one.warn("a warning")
            one.end("completed", report="/x/report.html", policies=["model/a", "model/b"])
        place = home() / "runs" / _RUN
        review = {"decision": "stop", "samples": 8, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
        (place / REVIEWS_FILE).write_text(
            json.dumps({"1": {**review, "note": "why"}}), encoding="utf-8"
        )
        (place / journal.ESTIMATE).write_text(
            json.dumps({"seconds": 12.5, "stages": {"a": 1}}), encoding="utf-8"
        )
        write_note(StationNote(address="http://127.0.0.1:1/api", pid=1, pages="http://127.0.0.1:2"))
        web.add_notice(json.dumps({"text": "a run failed", "link": "http://127.0.0.1:1/x"}))
        files = (path for path in home().rglob("*") if path.is_file())
        self._good = {path: path.read_bytes() for path in files if path.stat().st_size}
        names = (journal.HEAD, journal.STEPS, journal.REACHED, REVIEWS_FILE, journal.ESTIMATE)
        self._victims = [place / name for name in names]
        self._victims += [p for p in self._good if p.parent.name == "prefect"]

    def try_one(self, random: Random) -> str:
        """Change one file and read it as everybody does."""
        victim = random.choice(self._victims)
        try:
            self._spoil(victim, random)
            said = {self._said(read) for read in random.sample(_READERS, _AT_ONCE)}
            return f"{victim.name}: {' and '.join(sorted(said))}"
        finally:
            if victim.is_dir() and not victim.is_symlink():
                shutil.rmtree(victim)
            elif victim.is_symlink() or not victim.is_file():
                victim.unlink(missing_ok=True)
            victim.write_bytes(self._good[victim])

    def close(self) -> None:
        """Nothing was started."""

    def _spoil(self, victim: Path, random: Random) -> None:
        raw = self._good[victim]
        if random.random() < 0.04:
            victim.unlink()
            way = random.randrange(4)
            if way == 0:
                victim.mkdir()
            elif way == 1:
                victim.symlink_to(victim)
            elif way == 2:
                victim.symlink_to("/dev/null")
            return
        if victim.suffix in (".json", ".jsonl") and random.random() < 0.7:
            lines = [raw] if victim.suffix == ".json" else raw.splitlines()
            at = random.randrange(len(lines))
            lines[at] = written(changed(json.loads(lines[at]), random))
            raw = b"\n".join(lines) + b"\n"
        victim.write_bytes(torn(raw, random) if random.random() < 0.35 else raw)

    def _said(self, read: Callable[[], object]) -> str:
        try:
            read()
        except (UserError, WrongFacts) as error:
            if "\n" in str(error):
                raise Violation(f"more than a line: {str(error)[:80]!r}") from None
            return "said"
        except OSError as error:
            if error.filename is None:
                raise
            return os.strerror(error.errno or 0)
        return "read"


def _line(number: int) -> journal.StepLine:
    return journal.StepLine(
        iteration=number,
        step="generate draw",
        label=f"generate draw p{number}",
        state="Completed",
        took=1.0,
        seconds=2.0,
        tokens=3,
        rows=4,
        artifact=f"samples/{number:032x}",
        digest="d" * 64,
    )


def _pages() -> None:
    """All pages are made, and the whole run is on the list."""
    runs = web.page_of([], "")
    if runs is None or _OTHER.encode() not in runs.body:
        raise Violation("a broken run hides a whole one")
    for parts in (["notices"], ["runs", _RUN], ["runs", _RUN, "samples"]):
        web.page_of(parts, "")


def _other() -> None:
    if journal.find_run(_OTHER).name != _OTHER or journal.read_journal(_OTHER, "rest-em")[1] == []:
        raise Violation("a broken run hides a whole one")


_READERS: tuple[Callable[[], object], ...] = (
    lambda: journal.read_head(home() / "runs" / _RUN),
    lambda: journal.read_steps(home() / "runs" / _RUN),
    lambda: journal.reached(home() / "runs" / _RUN),
    lambda: journal.is_completed(_RUN),
    lambda: journal.read_journal(_RUN),
    lambda: journal.read_journal("latest", "rest-em"),
    lambda: journal.read_estimate(_RUN),
    lambda: journal.at_work(),
    lambda: status.status(_RUN),
    lambda: Reviews(home() / "runs" / _RUN).decided(1),
    read_note,
    _pages,
    _other,
)


def open_target(folder: Path) -> Journals:
    """The target, in the home of the environment."""
    return Journals(folder)
