"""The runs of this home: a line for each, and which of them somebody asks for."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from flows.runs.journal import newest_heads, read_live_head
from flows.runs.journal_forms import RunHead
from tasks.errors import UserError
from tasks.facts import Facts, WrongFacts, is_object
from tasks.terminal import warn

STATES = ("running", "completed", "failed", "interrupted", "awaits review")


@dataclass(frozen=True)
class RunFacts(Facts):
    """A run in a list.

    Attributes:
        name: Of its configuration.
        started: Unix time of its last attempt.
        seconds: That this took; None while it runs, or where it was killed.
        error: Why it failed, or "".
    """

    run: str
    name: str
    flow: str
    state: str
    started: float
    seconds: float | None
    error: str


@dataclass(frozen=True)
class RunFilter:
    """Which runs are asked for.

    Attributes:
        name: A part of the id; empty: any.
        states: Any of these; empty: any.
        where: FIELD=VALUE of the configuration, all of them.
    """

    name: str = ""
    states: Sequence[str] = ()
    where: Sequence[str] = ()

    def check(self) -> None:
        """See that it can be asked.

        Raises:
            UserError: naming the option.
        """
        for state in self.states:
            if state not in STATES:
                raise UserError(f"--state {state}: expected one of: {', '.join(STATES)}")
        for one in self.where:
            if not all(part.strip() for part in one.partition("=")):
                raise UserError(f"--where {one}: expected FIELD=VALUE, such as sampling.samples=8")

    def takes(self, head: RunHead) -> bool:
        """Whether a run is asked for."""
        if self.name not in head.run or (self.states and head.state not in self.states):
            return False
        return all(_has(head.config, one) for one in self.where)


def list_runs(asked: RunFilter) -> list[RunFacts]:
    """The runs that are asked for; the one that was started last is first.

    Raises:
        UserError: the filter is none.
    """
    asked.check()
    found: list[RunFacts] = []
    for path in newest_heads():
        try:
            head = read_live_head(path.parent)
        except (OSError, WrongFacts) as error:
            warn(f"run {path.parent.name} is passed over: {error}")
            continue
        if asked.takes(head):
            seconds = None if head.ended is None else round(head.ended - head.started, 3)
            name = str(head.config.get("name", head.run))
            found.append(
                RunFacts(head.run, name, head.flow, head.state, head.started, seconds, head.error)
            )
    return found


def _has(config: object, wanted: str) -> bool:
    field, _, text = wanted.partition("=")
    for part in field.strip().split("."):
        if not is_object(config) or part not in config:
            return False
        config = config[part]
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return config == value or str(config) == text.strip()
