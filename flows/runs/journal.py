"""What a run writes for people: RESTEM_HOME/runs/RUN with its configuration, steps and state.

It is a view, never the truth: artifacts are, and a run whose journal is lost still resumes. One
attempt writes it at a time (`sole`), and `reached.txt` names what any attempt came to, so that
cleaning the store keeps what a later attempt was killed too early to find again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from flows.runs.gone import read_gone, write_gone
from flows.runs.journal_forms import RunHead, State, StepLine
from sandbox.process_name import ProcessName
from tasks.dag.runtime import home
from tasks.dag.step_names import BASE_MODEL
from tasks.durable import make_folders, sync_file, whole_lines, write_durably
from tasks.errors import UserError
from tasks.facts import Facts, WrongFacts, is_object, parse_json, read_json
from tasks.rows import Json
from tasks.store.locks import alone, is_held
from tasks.store.store import ArtifactRef, Damage, Store
from tasks.terminal import warn

HEAD, STEPS, REACHED = "run.json", "steps.jsonl", "reached.txt"
ESTIMATE = "estimate.json"
LOCK = "lock"
# Steps, as in journals, before the first work of a run.
PREPARING = frozenset({"problems", BASE_MODEL, "teacher", "judge", "policy"})

# A configuration and warnings; a larger run.json was not written by a run.
_HEAD_BYTES = 64_000_000

_Form = TypeVar("_Form", bound=Facts)


def _parsed(form: type[_Form], text: str, place: str) -> _Form:
    return form.from_json(parse_json(text, place), place)


def read_head(folder: Path) -> RunHead:
    """run.json of a run's folder.

    Raises:
        OSError: there is none.
        WrongFacts: it is broken.
    """
    path = folder / HEAD
    return RunHead.from_json(read_json(path, _HEAD_BYTES), str(path))


def read_steps(folder: Path) -> list[StepLine]:
    """steps.jsonl of a run's folder, without what a kill or a power cut tore at its end.

    Raises:
        OSError: there is none.
        WrongFacts: a line is broken.
    """
    path = folder / STEPS
    lines = enumerate(whole_lines(path), 1)
    return [_parsed(StepLine, line, f"{path}:{n}") for n, line in lines]


def sole(run_id: str, waits: Callable[[], None]) -> AbstractContextManager[None]:
    """Be the one attempt at a run: an equal one that is under way is waited for.

    Args:
        waits: Told once, if there is one.
    """
    folder = home() / "runs" / run_id
    make_folders(folder)
    return alone(folder / LOCK, waits)


def at_work() -> list[str]:
    """Runs that are under way now."""
    return sorted(p.parent.name for p in (home() / "runs").glob(f"*/{LOCK}") if is_held(p))


class Journal:
    """The journal of one attempt at a run; a new attempt starts it anew.

    `run.json` outlives a power cut, and so does the line of `reached.txt` of what was made; a line
    of what was found is written again by the next attempt.
    """

    def __init__(self, run_id: str, config: Json, flow: str, flow_run: str = "") -> None:
        """Start it; see `RunHead` for the arguments."""
        self.folder = home() / "runs" / run_id
        self._worked = False
        self._first = not any((self.folder / name).exists() for name in (HEAD, REACHED))
        make_folders(self.folder / "logs")
        self._started, self._began = time.time(), _passed()
        self._head = RunHead(
            run=run_id,
            state="running",
            pid=os.getpid(),
            process=str(ProcessName.own()),
            folder=_here(),
            started=self._started,
            config=config,
            flow=flow,
            flow_run=flow_run,
        )
        # Kept open: a cached step is a matter of milliseconds.
        self._steps = (self.folder / STEPS).open("w", encoding="utf-8")
        self._reached = _mended(self.folder)
        self._gone = read_gone(self.folder)
        self._lock = threading.Lock()
        self._write()

    @property
    def logs(self) -> Path:
        """Where child processes write their output."""
        return self.folder / "logs"

    def now(self) -> float:
        """Unix time, going on from the attempt's start: somebody may set the clock meanwhile."""
        return self._started + _passed() - self._began

    def step(self, line: StepLine) -> None:
        """Add the line of one step call; from any thread."""
        with self._lock:
            self._worked = self._worked or line.step not in PREPARING
            self._steps.write(json.dumps(line.to_json()) + "\n")
            self._steps.flush()
            if line.artifact in self._gone:  # built again
                self._gone.discard(line.artifact)
                write_gone(self.folder, self._gone)
            if line.artifact not in self._reached:
                self._reached.add(line.artifact)
                with (self.folder / REACHED).open("a", encoding="utf-8") as file:
                    file.write(line.artifact + "\n")
                if not line.cached:
                    sync_file(self.folder / REACHED)

    def warn(self, text: str) -> None:
        """Keep a warning with the run."""
        with self._lock:
            self._head = replace(self._head, warnings=(*self._head.warnings, text))
            self._write()

    def end(
        self, state: State, *, error: str = "", report: str = "", policies: Sequence[str] = ()
    ) -> None:
        """Close the journal with a final state."""
        self._steps.close()
        for path in (self.folder / STEPS, self.folder / REACHED):
            if path.exists():
                sync_file(path)
        self._head = replace(
            self._head,
            state=state,
            ended=self.now(),
            error=error,
            report=report,
            home=str(home()),
            policies=tuple(policies),
        )
        self._write()

    @property
    def is_no_run(self) -> bool:
        """Whether this first attempt came to no work: nothing was sampled, judged or trained."""
        return self._first and not self._worked

    def discard(self) -> None:
        """Close the journal of what was no run; its folder stays for those who wait at its lock."""
        self._steps.close()
        for name in (HEAD, STEPS, REACHED):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "logs", ignore_errors=True)

    def _write(self) -> None:
        write_durably(self.folder / HEAD, json.dumps(self._head.to_json(), indent=1))


def note_wall(run_id: str, seconds: float) -> None:
    """Add to the journal of a run that came to its end what its command took."""
    folder = home() / "runs" / run_id
    with contextlib.suppress(OSError, WrongFacts):
        head = replace(read_head(folder), wall_seconds=seconds)
        write_durably(folder / HEAD, json.dumps(head.to_json(), indent=1))


def _here() -> str:
    """Where we are; "" in a folder that was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _passed() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def reached(folder: Path) -> list[str]:
    """Artifacts that any attempt at the run of this folder came to."""
    try:
        # Every whole line counts: what a power cut left between them, zeros above all, is no name.
        text = (folder / REACHED).read_bytes().decode("utf-8", "replace")
        lines = text.split("\n")[:-1]
    except (FileNotFoundError, IsADirectoryError):
        # A run of an older version has its last attempt alone.
        has_steps = (folder / STEPS).exists()
        lines = [line.artifact for line in read_steps(folder)] if has_steps else []
    return [line for line in lines if line.count("/") == 1 and line.isprintable()]


def _mended(folder: Path) -> set[str]:
    """The same, in a file that takes more: a torn line at its end would swallow the next."""
    known = reached(folder)
    path = folder / REACHED
    text = "".join(f"{line}\n" for line in known)
    if not path.exists() or path.read_bytes() != text.encode():
        write_durably(path, text)
    return set(known)


def is_completed(run_id: str) -> bool:
    """Whether the last attempt at a run came to its end."""
    try:
        return read_head(home() / "runs" / run_id).state == "completed"
    except (OSError, WrongFacts):
        return False


def read_journal(run: str, flow: str = "") -> tuple[RunHead, list[StepLine]]:
    """Head and step lines of a run, given its id or an unambiguous beginning of it.

    Args:
        run: The run, or `latest`.
        flow: Only runs of this flow; empty: of any.

    Raises:
        UserError: there is no such run, or several begin so.
        WrongFacts: its journal is broken.
    """
    folder = find_run(run, flow)
    head = read_live_head(folder)
    try:
        return head, read_steps(folder)
    except OSError as error:
        raise WrongFacts(f"{folder / STEPS}: {error.strerror}") from None


def read_live_head(folder: Path) -> RunHead:
    """The head of a run; one that is not under way any more was interrupted.

    Raises:
        OSError: there is none.
        WrongFacts: it is broken.
    """
    head = read_head(folder)
    gone = head.state == "running" and not is_held(folder / LOCK)
    return replace(head, state="interrupted") if gone else head


def find_run(run: str, flow: str = "") -> Path:
    """Folder of a run; `latest` is the one that was started last, of a flow if that is given.

    Where runs are looked at to choose one, those whose run.json is damaged are said and passed
    over.
    """
    known = [path.parent for path in newest_heads()]
    names = [path.name for path in known]
    if run == "latest" or flow:
        whole = (path for path in known if _is_of(path, flow))
        if run == "latest" and (latest := next(whole, None)):
            return latest
        names = [path.name for path in whole]
    found = [name for name in names if name == run] or [n for n in names if n.startswith(run)]
    if len(found) != 1:
        what = "several runs begin so" if found else "no such run"
        listing = ", ".join((found or names)[4::-1]) or "none yet; start one with restem run CONFIG"
        raise UserError(f"RUN {run}: {what}; known: {listing}")
    return home() / "runs" / found[0]


def newest_heads() -> list[Path]:
    """Each run's run.json, whole or not; that of the run that was started last is first."""
    found = list[tuple[float, Path]]()
    for path in (home() / "runs").glob(f"*/{HEAD}"):
        with contextlib.suppress(OSError):  # a link to nothing
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _is_of(folder: Path, flow: str) -> bool:
    """Whether a run's run.json is whole, and of a flow if that is given."""
    try:
        return read_head(folder).flow == flow or not flow
    except (OSError, WrongFacts) as error:
        warn(f"run {folder.name} is passed over: {error}")
        return False


def read_estimate(run: str) -> dict[str, object] | None:
    """The estimate that was made of a run, if there is one."""
    try:
        found = read_json(home() / "runs" / run / ESTIMATE)
    except (OSError, ValueError):
        return None
    return found if is_object(found) else None


def lookup(store: Store, location: str) -> ArtifactRef | None:
    """The artifact at a location of the journal, or None when it is gone or damaged."""
    kind, _, key = location.partition("/")
    try:
        return store.lookup(kind, key)
    except (Damage, OSError, ValueError):  # the last two: no name of an artifact
        return None
