"""Inputs of a run's report: their names, and the readers of what they hold.

Names are in the report's key: `problems`; of policy N `pN policy`, `pN metrics`, `pN selection` and
sets of scored samples, `pN SET` (tasks/dag/shard_inputs.py). A set is one of SETS, or
`transfer:BENCHMARK`. Where a judge or a reward model rewards, there are `pN labels` and `pN proxy`,
and in a run by preferences `pN win_rates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from flows.orchestrator.shards import Shards
from flows.rest_em.iterations import LoopResult
from tasks.dag.shard_inputs import ScoredShard, inputs_of, rows_of, shards_of, verdicts_of
from tasks.dag.step_names import DIVERSITY, VERIFY
from tasks.evaluate.diversity import Diversity
from tasks.evaluate.labels import LabelMetrics
from tasks.evaluate.proxy import ProxyMetrics
from tasks.evaluate.results import Metrics
from tasks.evaluate.verified import Verified
from tasks.evaluate.win_rate import WinRates
from tasks.finetune.results import TrainingFacts
from tasks.problems.step import load_splits
from tasks.rows import Row
from tasks.select.relabel import VoteFacts
from tasks.select.results import SelectionCounts
from tasks.store.store import ArtifactRef, Store

PROBLEMS, POLICY, METRICS, SELECTION = "problems", "policy", "metrics", "selection"
WIN_RATES = "win_rates"
GREEDY, TRAIN, VALIDATION, SAMPLED, DRAWN = "greedy", "train", "validation", "sampled", "drawn"
LABELS, PROXY = "labels", "proxy"
SETS = (GREEDY, TRAIN, VALIDATION, SAMPLED, DRAWN)
TRANSFER = "transfer:"
# Drawn samples with the rewards of `filter.score` where these ask for no reference.
RELABELED = "relabeled"


def report_inputs(result: LoopResult) -> dict[str, ArtifactRef]:
    """All artifacts of a run that its report is made from."""
    inputs = {PROBLEMS: result.problems}
    for now in result.iterations:
        inputs[_name(now.number, POLICY)] = now.policy
        inputs[_name(now.number, METRICS)] = now.metrics
        if now.diversity is not None:
            inputs[_name(now.number, DIVERSITY)] = now.diversity
        if now.verified is not None:
            inputs[_name(now.number, VERIFY)] = now.verified
        if now.selection is not None:
            inputs[_name(now.number, SELECTION)] = now.selection
        if now.win_rates is not None:
            inputs[_name(now.number, WIN_RATES)] = now.win_rates
        if now.rated is not None and now.rated.measured is not None:
            inputs[_name(now.number, LABELS)] = now.rated.measured
        if now.proxy is not None:
            inputs[_name(now.number, PROXY)] = now.proxy
        sets: dict[str, Shards] = {kind: getattr(now, kind) for kind in SETS}
        sets |= {f"{TRANSFER}{name}": shards for name, shards in now.transfer.items()}
        sets[RELABELED] = now.relabeled
        for kind, shards in sets.items():
            inputs |= inputs_of(_name(now.number, kind), shards.samples, shards.verdicts)
    return inputs


def parse_name(name: str) -> tuple[int, str]:
    """The policy that an input is of, and its kind or its set; problems are of policy 0."""
    policy, _, rest = name.partition(" ")
    return (int(policy[1:]), rest.split()[0]) if rest else (0, name)


@dataclass(frozen=True)
class RunInputs:
    """Reads the inputs of a report."""

    store: Store
    refs: Mapping[str, ArtifactRef]

    @cached_property
    def splits(self) -> dict[str, list[Row]]:
        """Problems by split: train, validation, test."""
        return load_splits(self.store.path(self.refs[PROBLEMS]))

    @property
    def policies(self) -> list[int]:
        """Numbers of the policies that were evaluated, in order."""
        names = map(parse_name, self.refs)
        return sorted(number for number, kind in names if kind == METRICS)

    def ref(self, number: int, kind: Literal["policy", "metrics"]) -> ArtifactRef:
        """An artifact of a policy."""
        return self.refs[_name(number, kind)]

    @property
    def commits(self) -> dict[str, str]:
        """Of the Hub's repositories that the problems and the base policy were read from."""
        refs = [self.refs[PROBLEMS], self.ref(0, POLICY)]
        return {
            label: commit
            for ref in refs
            for label, commit in (self.store.manifest(ref).stats.commits or {}).items()
        }

    def metrics(self, number: int) -> Metrics:
        """Of a policy."""
        return Metrics.read(self.store.path(self.ref(number, METRICS)))

    def training(self, number: int) -> TrainingFacts | None:
        """How the fine-tune went that made a policy; None for the base."""
        return TrainingFacts.read(self.store.path(self.ref(number, POLICY))) if number else None

    def selection(self, number: int) -> SelectionCounts | None:
        """Counts of the samples drawn from a policy; None where none were."""
        ref = self.refs.get(_name(number, SELECTION))
        return SelectionCounts.read(self.store.path(ref)) if ref else None

    def win_rates(self, number: int) -> WinRates | None:
        """Of a policy over the base; None where none were measured."""
        ref = self.refs.get(_name(number, WIN_RATES))
        return WinRates.read(self.store.path(ref)) if ref else None

    def labels(self, number: int) -> LabelMetrics | None:
        """Of the labels of samples of a policy; None where nothing was labelled."""
        ref = self.refs.get(_name(number, LABELS))
        return LabelMetrics.read(self.store.path(ref)) if ref else None

    def proxy(self, number: int) -> ProxyMetrics | None:
        """Of the reward that a policy was trained for; None where that was the checker's."""
        ref = self.refs.get(_name(number, PROXY))
        return ProxyMetrics.read(self.store.path(ref)) if ref else None

    def solutions(self, number: int, kind: str) -> list[Row]:
        """Samples of a set merged with their verdicts."""
        return list(rows_of(self.store, self.refs, _name(number, kind)))

    def verdicts(self, number: int, kind: str) -> list[Row]:
        """Verdicts of a set: problem_id, index, reward, status."""
        return list(verdicts_of(self.store, self.refs, _name(number, kind)))

    def diversity(self, number: int) -> Diversity | None:
        """How different a policy's samples are; None where the run does not ask."""
        ref = self.refs.get(_name(number, DIVERSITY))
        return Diversity.read(self.store.path(ref)) if ref else None

    def verified(self, number: int) -> Verified | None:
        """What a verifier makes of a policy's samples; None where there is none."""
        ref = self.refs.get(_name(number, VERIFY))
        return Verified.read(self.store.path(ref)) if ref else None

    def votes(self, number: int) -> VoteFacts | None:
        """What the votes on the samples drawn from a policy are worth; None where nobody votes."""
        facts = VoteFacts()
        for shard in self.shards(number, RELABELED):
            if not (self.store.path(shard.verdicts) / VoteFacts.FILE).is_file():
                return None
            facts.add(VoteFacts.read(self.store.path(shard.verdicts)))
        return facts if facts.samples else None

    def shards(self, number: int, kind: str) -> list[ScoredShard]:
        """Shards of a set; none where there is no such set."""
        return shards_of(self.refs, _name(number, kind))


def _name(number: int, kind: str) -> str:
    return f"p{number} {kind}"
