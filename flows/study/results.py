"""What the runs of a study found, by arm, seed and policy, with intervals over seeds.

An interval over seeds (Student's t, tasks/evaluate/over_seeds.py) says how far a number would move
with other samples and another order of training. All seeds are tested on the same problems, so it
does not say how it would move with other problems; the reports of single runs do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from flows.rest_em.results import PolicyReport, Transfer
from flows.study.preference_metrics import preference_metrics
from tasks.evaluate.intervals import Interval
from tasks.evaluate.over_seeds import over_seeds
from tasks.evaluate.results import Bin
from tasks.facts import Facts, FactsFile
from tasks.select.results import SelectionCounts

# A quantity of one seed, or None where it was not measured.
Quantity = Callable[["Results", int], float | None]
# Where an artifact came from.
Source = Literal["shared", "found", "made"]
ClaimVerdict = Literal["agrees", "disagrees", "undecided", "not measured"]

# Other tasks that ask for what the base policy could do before: no transfer, but perhaps a loss.
OLDER_SKILLS = {"synthetic_sums"}


@dataclass(frozen=True)
class StudyPolicy(Facts):
    """Of a policy in a run's report, what studies look at; texts of problems stay with the run.

    Attributes:
        bins: None for the base.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ("bins",)

    iteration: int
    model: str
    metrics: dict[str, Interval]
    levels: dict[str, Interval] = field(default_factory=dict)
    selection: SelectionCounts | None = None
    transfer: dict[str, Transfer] = field(default_factory=dict)
    bins: list[Bin] | None = None

    @classmethod
    def of(cls, one: PolicyReport) -> StudyPolicy:
        """The policy of a report."""
        bins = one.against_base.bins if one.against_base else None
        metrics = one.metrics | preference_metrics(one)
        return cls(one.iteration, one.model, metrics, one.levels, one.selection, one.transfer, bins)


@dataclass(frozen=True)
class ArmRun(Facts):
    """The run of an arm with a seed."""

    arm: str
    seed: int
    run: str
    iterations: list[StudyPolicy]


@dataclass(frozen=True)
class StudyRuns(FactsFile):
    """All runs of a study."""

    FILE: ClassVar[str] = "results.json"

    study: str
    runs: list[ArmRun]

    @property
    def results(self) -> Results:
        """The runs by arm and seed."""
        runs = {(one.arm, one.seed): one.iterations for one in self.runs}
        return Results(runs, sorted({seed for _, seed in runs}))


@dataclass(frozen=True)
class Results:
    """(arm, seed) → policies of the run."""

    runs: Mapping[tuple[str, int], Sequence[StudyPolicy]]
    seeds: Sequence[int]
    confidence: float = 0.95

    @property
    def arms(self) -> list[str]:
        """Arms in order."""
        return list(dict.fromkeys(arm for arm, _ in self.runs))

    def policies(self, arm: str) -> int:
        """How many policies every seed of an arm has, the base included."""
        return min(len(run) for (name, _), run in self.runs.items() if name == arm)

    def value(self, arm: str, seed: int, metric: str, at: int = -1) -> float | None:
        """A metric of policy p_at; None where it was not measured.

        Args:
            metric: One of the run's (greedy, train, gap, validation, pass@k, maj@k) or of
                preference_metrics.py;
                `transfer:NAME`, or `transfer`, the mean of all other tasks that are not older
                skills; `bin:NAME` (gain over the base on problems of a difficulty);
                `level:L` (greedy accuracy); `accepted` (share of its samples); `rows` (that it was
                trained on).
            at: The policy; -1 is the last.
        """
        run = self.runs.get((arm, seed))
        if run is None or (at >= 0 and at >= len(run)):
            return None
        kind, _, name = metric.partition(":")
        now = run[at]
        if kind == "transfer":
            asked = {name} if name else set(now.transfer) - OLDER_SKILLS
            values = [now.transfer[key].greedy.value for key in asked & set(now.transfer)]
            return sum(values) / len(values) if values else None
        if kind == "bin":
            return next((b.difference.value for b in now.bins or () if b.bin == name), None)
        if metric == "accepted":
            counts = now.selection
            return counts.correct / counts.samples if counts else None
        if metric == "rows":
            counts = run[at - 1].selection if len(run) > 1 and at else None
            return counts and counts.kept
        found = now.levels.get(name) if kind == "level" else now.metrics.get(metric)
        return found and found.value

    def mean(self, quantity: Quantity) -> Interval | None:
        """The mean of a quantity over the seeds, with its interval; None: of no seed."""
        found = [quantity(self, seed) for seed in self.seeds]
        values = [value for value in found if value is not None]
        return over_seeds(values, self.confidence) if values else None


@dataclass(frozen=True)
class ClaimResult(Facts):
    """What came of a claim of the paper, and the same in plain words."""

    paper: str
    here: str
    mean: Interval | None
    verdict: ClaimVerdict
    sentence: str


@dataclass(frozen=True)
class Figure(Facts):
    """One drawn figure."""

    title: str
    svg: str


@dataclass
class Usage(Facts):
    """What the runs of a study asked for, by where it came from.

    Attributes:
        asked: What the runs would have cost with nothing shared.
        shared: Of it, what an earlier run of the same invocation had.
        found: Of it, what lay in the store before.
        made: Of it, what was made now.
    """

    asked: float = 0
    shared: float = 0
    found: float = 0
    made: float = 0

    def add(self, amount: float, how: Source) -> None:
        """Count an artifact."""
        self.asked += amount
        setattr(self, how, getattr(self, how) + amount)

    def merge(self, other: Usage) -> None:
        """Count what others asked for too."""
        for name, amount in vars(other).items():
            setattr(self, name, getattr(self, name) + amount)


@dataclass
class Account(Facts):
    """What a study cost; `wall` in seconds."""

    samples: Usage = field(default_factory=Usage)
    seconds: Usage = field(default_factory=Usage)
    tasks: Usage = field(default_factory=Usage)
    wall: float = 0.0

    def add(self, other: Account) -> None:
        """Count what a run of the study asked for; its time is in the study's own."""
        for mine, its in (
            (self.samples, other.samples),
            (self.seconds, other.seconds),
            (self.tasks, other.tasks),
        ):
            mine.merge(its)


@dataclass(frozen=True)
class StudyReport(Facts):
    """A study that was run, as study.json has it and a gallery shows it.

    Attributes:
        arms: What each changes: dotted field → value.
        numbers: The table of numbers, in lines of markdown.
        comparison: That of arms against one of them, with its title; empty where there is none.
    """

    study: str
    title: str
    question: str
    seeds: int
    arms: dict[str, dict[str, object]]
    claims: list[ClaimResult]
    warnings: list[str]
    figures: list[Figure]
    account: Account
    numbers: list[str] = field(default_factory=list)
    comparison: list[str] = field(default_factory=list)
