"""What a run found: the one form of its report, from the last step to every page that shows it.

report.json holds `run` and `iterations`; the rest is known to the step that writes the report, and
is empty where the file was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

from flows.report.cost import Cost
from flows.report.validation import Checks
from tasks.evaluate.diversity import Diversity
from tasks.evaluate.intervals import Interval
from tasks.evaluate.labels import LabelMetrics
from tasks.evaluate.proxy import ProxyMetrics
from tasks.evaluate.results import Bin, Change, Metrics
from tasks.evaluate.verified import Verified
from tasks.evaluate.win_rate import WinRates
from tasks.facts import Facts, FactsFile
from tasks.finetune.results import TrainingFacts
from tasks.rows import Json
from tasks.select.relabel import VoteFacts
from tasks.select.results import SelectionCounts


@dataclass(frozen=True)
class RefusedSample(Facts):
    """A sample that is not trained on, and why."""

    id: str
    question: str
    reference: str
    status: str
    text: str


@dataclass(frozen=True)
class DrawnSamples(Facts):
    """How the samples drawn for training ended, and the first one of each way to fail."""

    statuses: dict[str, int]
    refused: list[RefusedSample]


@dataclass(frozen=True)
class Transfer(Facts):
    """Greedy accuracy on another benchmark, and the difference to the base; None for the base."""

    greedy: Interval
    difference: Interval | None = None
    regression: bool = False


@dataclass(frozen=True, kw_only=True)
class AgainstBase(Facts):
    """What a policy does better than the base on the same test problems, greedy.

    Attributes:
        gain: None where no problem was tried by both.
        p: Of McNemar's exact test.
        bins: Gains by how often the base's samples solve a problem.
        solved: Texts of some newly solved problems.
    """

    gain: Interval | None
    p: float
    bins: list[Bin]
    solved: list[Change]
    lost: list[Change]
    solved_total: int
    lost_total: int


@dataclass(frozen=True, kw_only=True)
class PolicyReport(Metrics):
    """Policy p_iteration: its metrics, how it was made, and what was drawn from it.

    Attributes:
        model: Digest of its artifact.
        selection: Counts of the samples drawn from it; None where it was the last.
        drawn: How these ended.
        diversity: How different its samples of the test problems are.
        verified: What a verifier makes of these.
        votes: What the votes on them are worth, where the majority is the reward.
        finetune: That made it; None for the base.
        checks: Of that fine-tune, with intervals; not in the file. None where there were none.
        transfer: By name of the benchmark.
        against_base: None for the base. In the file its fields stand beside the others.
        pass_gain: Over the base in pass@k at the largest k, paired by problem; not in the file.
            None for the base, and where there are no such samples.
        labels: Of the pairs of samples drawn from it, and the reward model that was fit on them;
            None, and not in the file, where nothing was labelled.
        proxy: What it was trained for beside what is meant; None, and not in the file, where that
            is the checker's reward.
        win_rates: Over the base on the test problems, greedy; None, and not in the file, in a run
            without preferences.
    """

    SPARSE: ClassVar[tuple[str, ...]] = (
        *("votes", "diversity", "verified"),
        *("labels", "proxy", "win_rates"),
    )

    iteration: int
    model: str
    selection: SelectionCounts | None = None
    drawn: DrawnSamples | None = None
    votes: VoteFacts | None = None
    diversity: Diversity | None = None
    verified: Verified | None = None
    finetune: TrainingFacts | None = None
    checks: Checks | None = None
    transfer: dict[str, Transfer] = field(default_factory=dict)
    against_base: AgainstBase | None = None
    pass_gain: Interval | None = None
    labels: LabelMetrics | None = None
    proxy: ProxyMetrics | None = None
    win_rates: WinRates | None = None

    @property
    def acceptance(self) -> float | None:
        """Share of the samples drawn from it that have enough reward."""
        counts = self.selection
        return counts.correct / counts.samples if counts and counts.samples else None

    def to_json(self) -> dict[str, object]:
        """As in report.json."""
        data = super().to_json()
        del data["against_base"], data["checks"], data["pass_gain"]
        return data | (self.against_base.to_json() if self.against_base else {})

    @classmethod
    def from_json(cls, data: object, place: str = "") -> PolicyReport:
        """The inverse of `to_json`.

        Raises:
            WrongFacts: naming the place and the field.
        """
        names = {one.name for one in fields(AgainstBase)}
        if isinstance(data, dict) and (named := names & data.keys()):
            rest = {name: value for name, value in data.items() if name not in named}
            data = rest | {"against_base": {name: data[name] for name in named}}
        return super().from_json(data, place)


@dataclass(frozen=True)
class RunReport(FactsFile):
    """A run: its policies, what they cost, and what a reader must know.

    Attributes:
        iterations: The base and every policy after it.
        config: The resolved configuration without resources.
        commits: Of the Hub's repositories that the problems and the base policy were read from.
    """

    FILE: ClassVar[str] = "report.json"

    run: str
    iterations: list[PolicyReport]
    name: str = ""
    base: str = ""
    config: Json = field(default_factory=dict)
    cost: Cost | None = None
    warnings: list[str] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """What is in the file: times differ between equal runs and stay out of its digest."""
        return {"run": self.run, "iterations": [one.to_json() for one in self.iterations]}

    @property
    def win_rates(self) -> dict[int, WinRates]:
        """Over the base, by policy; empty where none were measured."""
        return {one.iteration: one.win_rates for one in self.iterations if one.win_rates}

    @property
    def confidence(self) -> float:
        """Level of the intervals, such as 0.95."""
        return self.config["evaluation"]["confidence"]

    @property
    def accepted(self) -> Literal["correct", "accepted"]:
        """What a sample is called that has enough reward to be trained on."""
        rules = self.config["filter"]
        whole = rules.get("min_reward", 1.0) == 1.0 and not rules.get("rewards")
        return "correct" if whole and rules["score"] == "correct" else "accepted"

    @property
    def best(self) -> PolicyReport:
        """The policy with the highest greedy accuracy; the earliest of equals."""
        return max(self.iterations, key=lambda one: (one.greedy.value, -one.iteration))
