"""What a run writes of itself: the head of run.json, and a line of steps.jsonl for each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flows.report.cost import CostLine
from sandbox.process_name import ProcessName, born
from tasks.facts import Facts
from tasks.metering import ALL_COSTS, CPU, ENGINE, HOSTED_COSTS, SANDBOX
from tasks.rows import Json

State = Literal["running", "completed", "failed", "interrupted", "awaits review"]


@dataclass(frozen=True, kw_only=True)
class RunHead(Facts):
    """What run.json says: which run this is and how far it came.

    Fields with a default may be missing: they came later, or are known at the end of a run alone.

    Attributes:
        pid: Process of the attempt, on the machine that wrote the journal.
        started: Unix time.
        config: The configuration, as plain data.
        ended: Unix time; None while it runs.
        report: Path of its page.
        policies: Artifacts of p0, p1 …
        folder: Where relative paths of the configuration begin; "" where that is not known.
        wall_seconds: From the command to its end; None where it was no command, or did not come to
            its end.
        process: Which process `pid` is (sandbox/process_name.py): a home may be shared by machines
            and containers.
    """

    SPARSE: ClassVar[tuple[str, ...]] = (
        *("ended", "error", "report", "home", "policies", "process"),
        *("folder", "wall_seconds"),
    )

    run: str
    flow: str = "rest-em"
    flow_run: str = ""
    state: State
    pid: int
    started: float
    config: Json
    warnings: tuple[str, ...] = ()
    ended: float | None = None
    error: str = ""
    report: str = ""
    home: str = ""
    policies: tuple[str, ...] = ()
    process: str = ""
    folder: str = ""
    wall_seconds: float | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the attempt's process is known to have ended."""
        if (name := ProcessName.of(self.process)) is not None:
            return name.is_gone
        return born(self.pid) is None  # of a version that noted no more


@dataclass(frozen=True, kw_only=True)
class StepLine(Facts):
    """One call of a step, a line of steps.jsonl.

    Attributes:
        step: As in tables, such as `generate draw`.
        label: Of the call, such as `generate draw p0 [0:64]x[0:8]`.
        artifact: KIND/KEY.
        seconds: That the artifact took when it was made, by whichever run.
        tokens: Sampled or trained on.
        cpu_seconds: This and what follows as in tasks/metering.py; 0 where there was none of it.
        took: Seconds from the question to the artifact, made or found.
        ended: Unix time; 0.0 in lines of versions that did not say it.
        record: Name of Prefect's record of the task.
        commits: Of the Hub's repositories that the artifact was read from, by id@revision.
    """

    SPARSE: ClassVar[tuple[str, ...]] = (CPU, ENGINE, SANDBOX, *HOSTED_COSTS, "commits")

    iteration: int
    step: str
    label: str
    state: Literal["Completed", "Cached"]
    took: float
    ended: float = 0.0
    seconds: float
    tokens: int
    cpu_seconds: float = 0
    engine_seconds: float = 0
    sandbox_seconds: float = 0
    input_tokens: int = 0
    money: float = 0
    rows: int
    artifact: str
    digest: str
    record: str = ""
    commits: dict[str, str] | None = None

    @property
    def cached(self) -> bool:
        """Whether the artifact was there already."""
        return self.state == "Cached"

    @property
    def cost(self) -> CostLine:
        """What the artifact cost."""
        made = {name: getattr(self, name) for name in ALL_COSTS}
        return CostLine(self.iteration, self.step, self.cached, made)
