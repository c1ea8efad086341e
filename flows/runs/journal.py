"""What a run writes for people: RESTEM_HOME/runs/RUN with its configuration, steps and state.

It is a view, never the truth: artifacts are, and a run whose journal is lost still resumes. One
attempt writes it at a time (`sole`), and `reached.txt` names what any attempt came to, so that
cleaning the store keeps what a later attempt was killed too early to find again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.rows import Json
from tasks.store.locks import alone, is_held
from tasks.store.store import ArtifactRef, Damage, Store

ESTIMATE = "estimate.json"
LOCK = "lock"


def sole(run_id: str, waits: Callable[[], None]) -> AbstractContextManager[None]:
    """Be the one attempt at a run: an equal one that is under way is waited for.

    Args:
        run_id: Of the run.
        waits: Told once, if there is one.
    """
    folder = home() / "runs" / run_id
    folder.mkdir(parents=True, exist_ok=True)
    return alone(folder / LOCK, waits)


def at_work() -> list[str]:
    """Runs that are under way now."""
    return sorted(p.parent.name for p in (home() / "runs").glob(f"*/{LOCK}") if is_held(p))


class Journal:
    """The journal of one attempt at a run; a new attempt starts it anew."""

    def __init__(self, run_id: str, config: Json, flow: str, flow_run: str = "") -> None:
        """Start it.

        Args:
            run_id: Of the run.
            config: Its configuration, as plain data.
            flow: Name of the flow.
            flow_run: Prefect's id of the attempt.
        """
        self.folder = home() / "runs" / run_id
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._head: Json = {
            "run": run_id,
            "flow": flow,
            "flow_run": flow_run,
            "state": "running",
            "pid": os.getpid(),
            "started": time.time(),
            "config": config,
            "warnings": [],
        }
        # Kept open: a cached step is a matter of milliseconds.
        self._steps = (self.folder / "steps.jsonl").open("w")
        self._reached = set(reached(self.folder))
        self._lock = threading.Lock()
        self._write()

    @property
    def logs(self) -> Path:
        """Where child processes write their output."""
        return self.folder / "logs"

    def step(self, entry: Json) -> None:
        """Add the line of one step call; from any thread."""
        with self._lock:
            self._add(entry)

    def _add(self, entry: Json) -> None:
        self._steps.write(json.dumps(entry) + "\n")
        self._steps.flush()
        if entry["artifact"] not in self._reached:
            self._reached.add(entry["artifact"])
            with (self.folder / "reached.txt").open("a") as file:
                file.write(entry["artifact"] + "\n")

    def warn(self, text: str) -> None:
        """Keep a warning with the run."""
        with self._lock:
            self._head["warnings"].append(text)
            self._write()

    def end(self, state: str, **facts: Any) -> None:
        """Close the journal with a final state."""
        self._steps.close()
        self._head |= {"state": state, "ended": time.time(), **facts}
        self._write()

    def _write(self) -> None:
        draft = self.folder / ".run.json"
        draft.write_text(json.dumps(self._head, indent=1))
        draft.replace(self.folder / "run.json")


def reached(folder: Path) -> list[str]:
    """Artifacts that any attempt at the run of this folder came to."""
    try:
        lines = (folder / "reached.txt").read_text().splitlines()
    except FileNotFoundError:  # a run of an older version has its last attempt alone
        steps = folder / "steps.jsonl"
        lines = [
            json.loads(line)["artifact"]
            for line in (steps.read_text().splitlines() if steps.exists() else [])
            if line.endswith("}")
        ]
    return [line for line in lines if "/" in line]


def is_completed(run_id: str) -> bool:
    """Whether the last attempt at a run came to its end."""
    try:
        return (
            json.loads((home() / "runs" / run_id / "run.json").read_text())["state"] == "completed"
        )
    except (OSError, ValueError, KeyError):
        return False


def read_journal(run: str, flow: str = "") -> tuple[Json, list[Json]]:
    """Head and step lines of a run, given its id or an unambiguous beginning of it.

    Args:
        run: The run, or `latest`.
        flow: Only runs of this flow; empty: of any.

    Raises:
        UserError: there is no such run, or several begin so.
    """
    folder = find_run(run, flow)
    head = json.loads((folder / "run.json").read_text())
    if head["state"] == "running" and not is_held(folder / LOCK):
        head["state"] = "interrupted"
    lines = (folder / "steps.jsonl").read_text().splitlines()
    return head, [json.loads(line) for line in lines if line.endswith("}")]


def find_run(run: str, flow: str = "") -> Path:
    """Folder of a run; `latest` is the one that was started last, of a flow if that is given."""
    known = sorted((home() / "runs").glob("*/run.json"), key=lambda p: p.stat().st_mtime)
    if flow:
        known = [p for p in known if json.loads(p.read_text()).get("flow", "rest-em") == flow]
    names = [path.parent.name for path in known]
    if run == "latest" and names:
        return known[-1].parent
    found = [name for name in names if name == run] or [n for n in names if n.startswith(run)]
    if len(found) != 1:
        what = "several runs begin so" if found else "no such run"
        listing = ", ".join(found or names[-5:]) or "none yet; start one with restem run CONFIG"
        raise UserError(f"RUN {run}: {what}; known: {listing}")
    return home() / "runs" / found[0]


def read(run: str) -> Json | None:
    """The estimate that was made of a run, if there is one."""
    try:
        return json.loads((home() / "runs" / run / ESTIMATE).read_text())
    except (OSError, ValueError):
        return None


def lookup(store: Store, location: str) -> ArtifactRef | None:
    """The artifact at a location of the journal, or None when it is gone or damaged."""
    kind, key = location.split("/")
    try:
        return store.lookup(kind, key)
    except Damage:
        return None
