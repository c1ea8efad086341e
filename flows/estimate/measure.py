"""From the journal of a run, or of a probe, to costs.

A journal says when each step ended. So a stage took from the end of the one before it to its own
end, with all that is around its steps (Prefect, the cache, waiting) and with its shards side by
side as they were. Of a set of shards the time of sampling is taken so, and of scoring the time of
each shard, for scoring goes on beside sampling. Only stages that did their own work are counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flows.estimate.costs import Costs, SamplingCosts, TrainingCosts, single_name
from flows.estimate.fit import least_squares, linear
from flows.estimate.stages import is_greedy, work_before
from flows.runs.journal_forms import StepLine
from tasks.dag.step_names import DRAW, FINETUNE, GENERATE, SCORE
from tasks.finetune.results import TrainingFacts
from tasks.generate.step import SAMPLES_FILE
from tasks.rows import VERDICTS_FILE, read_rows
from tasks.settings import FilterSettings
from tasks.settings.finetune import RL
from tasks.store.store import ArtifactRef, Store

VALIDATION = "validation"
# Fewer sets of shards cannot tell apart what loading, a shard and a sample cost.
LEAST_SETS = 3


@dataclass
class JournalStage:
    """A set of shards, or a step without shards, as a journal tells it.

    Attributes:
        iteration: Of the policy.
        name: Without `generate` and `score`.
        seconds: From the end of the stage before it; of a set until all of it is sampled.
        loads: Whether its policy was loaded for it.
        before: Samples of the sets before a step without shards.
        generate: Lines of the shards that were sampled.
        score: Lines of those that were scored.
        line: The line of a step without shards.
    """

    iteration: int
    name: str
    seconds: float = 0.0
    loads: bool = False
    before: int = 0
    generate: list[StepLine] = field(default_factory=list)
    score: list[StepLine] = field(default_factory=list)
    line: StepLine | None = None

    @property
    def samples(self) -> int:
        """Samples that were drawn."""
        return sum(line.rows for line in self.generate)

    @property
    def fresh(self) -> bool:
        """Whether nothing of it was there before."""
        lines = [self.line] if self.line else [*self.generate, *self.score]
        return all(not line.cached for line in lines)


def stages_of_journal(lines: Sequence[StepLine]) -> list[JournalStage]:
    """Stages of a journal, in their order."""
    found: list[JournalStage] = []
    sets: dict[tuple[int, str], JournalStage] = {}
    end, before, policy = 0.0, 0, -1

    def close() -> None:
        nonlocal end, before, policy
        for one in sets.values():
            if one.generate:
                sampled = max(line.ended for line in one.generate)
                one.seconds = max(0.0, sampled - end)
                end = max(end, sampled)
                if any(not line.cached for line in one.generate):
                    one.loads, policy = one.iteration != policy, one.iteration
        if sets:
            before = sum(one.samples for one in sets.values())
            scored = [line.ended for one in sets.values() for line in one.score]
            end = max([end, *scored])
        found.extend(sets.values())
        sets.clear()

    for line in lines:
        end = end or line.ended - line.took
        step, _, name = line.step.partition(" ")
        if step in (GENERATE, SCORE):
            key = line.iteration, name
            one = sets.setdefault(key, JournalStage(*key))
            (one.generate if step == GENERATE else one.score).append(line)
            continue
        close()
        taken = max(0.0, line.ended - end)
        work = work_before(line.step, line.label, before)
        single = JournalStage(line.iteration, line.step, taken, before=work, line=line)
        found.append(single)
        end = line.ended
    close()
    return found


def costs_of_journal(
    lines: Sequence[StepLine], store: Store, rules: FilterSettings
) -> Costs | None:
    """What the steps of a journal cost; None where it did too little work of its own.

    Args:
        rules: Which samples a run trains on.

    Raises:
        Damage: the store does not have an artifact any more.
    """
    stages = stages_of_journal(lines)
    fresh = [stage for stage in stages if stage.fresh]
    sets = [stage for stage in fresh if stage.generate]
    scored = [line for stage in fresh for line in stage.score]
    training = _training(stages, store)
    if len(sets) < LEAST_SETS or not scored or training is None:
        return None
    single: dict[str, list[tuple[float, float]]] = {}
    for stage in fresh:
        if stage.line:
            points = single.setdefault(single_name(stage.name), [])
            points.append((stage.before, stage.seconds))
    return Costs(
        sampling=_sampling(sets, store),
        # The checkers start in the first shard.
        scoring=linear([(line.rows, line.took) for line in scored[1:] or scored]),
        training=training,
        single={name: linear(points) for name, points in single.items() if name != FINETUNE},
        keep=list(_kept_shares(stages, store, rules)),
    )


def _sampling(sets: list[JournalStage], store: Store) -> SamplingCosts:
    kinds = [_is_greedy(stage, store) for stage in sets]
    features = [
        [
            float(stage.loads),
            len(stage.generate),
            stage.samples if plain else 0,
            0 if plain else stage.samples,
        ]
        for stage, plain in zip(sets, kinds, strict=True)
    ]
    # What is there once in a run is in the first set.
    costs = least_squares(features[1:], [stage.seconds for stage in sets[1:]])
    predicted = sum(cost * count for cost, count in zip(costs, features[0], strict=True))
    load, shard, greedy_seconds, sampled_seconds = costs
    tokens = []
    for kind in (True, False):
        alike = [s for s, plain in zip(sets, kinds, strict=True) if plain is kind] or sets
        drawn = sum(line.tokens for stage in alike for line in stage.generate)
        tokens.append(drawn / max(1, sum(stage.samples for stage in alike)))
    if all(kinds) or not any(kinds):  # one kind stands for the other
        greedy_seconds = sampled_seconds = max(greedy_seconds, sampled_seconds)
    return SamplingCosts(
        load=load,
        shard=shard,
        greedy=greedy_seconds,
        sampled=sampled_seconds,
        first=max(0.0, sets[0].seconds - predicted),
        greedy_tokens=tokens[0],
        sampled_tokens=tokens[1],
    )


def _is_greedy(stage: JournalStage, store: Store) -> bool:
    made = store.read_manifest(*stage.generate[0].artifact.split("/")).provenance
    return is_greedy(made.settings)


def _training(stages: list[JournalStage], store: Store) -> TrainingCosts | None:
    """From all fine-tunes: what they did (training.json), and in which seconds (stats)."""
    works: list[tuple[float, float]] = []
    checked: list[tuple[float, float]] = []
    starts, tokens = [], []
    validation = 0
    for stage in stages:
        if stage.name == VALIDATION:
            validation = stage.samples
        if stage.name != FINETUNE or stage.line is None or not stage.fresh:
            continue
        ref = _ref(stage.line)
        manifest = store.read_manifest(ref.kind, ref.key)
        taken, how = manifest.stats.parts or {}, manifest.provenance.settings
        # Of rl the problems, of each of which some samples are drawn.
        batch = how["batch_size"] // (how.get("generations", 2) if how.get("improve") == RL else 1)
        facts = TrainingFacts.read(store.path(ref))
        epochs = facts.steps * min(batch, facts.sequences) / max(1, facts.sequences)
        checks = taken.get("checkpoints", 0.0) + taken.get("validation", 0.0)
        worked = taken["training"] - taken.get("checkpoints", 0.0) + taken["packing"]
        works.append((facts.rows * epochs, max(0.0, worked)))
        if facts.checks:
            checked.append((validation, checks / facts.checks))
        starts.append(max(0.0, stage.seconds - worked - checks))
        tokens.append(facts.tokens / max(1, facts.rows))
    if not starts:
        return None
    work, check = linear(works), linear(checked)
    return TrainingCosts(
        start=statistics.mean(starts) + work.fixed,  # the trainer is built within `training`
        row=work.each,
        check=check,
        tokens=statistics.mean(tokens),
    )


def _kept_shares(
    stages: list[JournalStage], store: Store, rules: FilterSettings
) -> Iterator[float]:
    """For each problem drawn for the share of its samples that become rows, but for the cap."""
    least = min(rules.thresholds, default=rules.min_reward)
    for stage in stages:
        if stage.name != DRAW:
            continue
        samples = {line.label.partition(" ")[2]: line for line in stage.generate}
        counts: dict[str, int] = {}
        kept: dict[str, list[str]] = {}
        for line in stage.score:
            drawn = samples[line.label.partition(" ")[2]]
            for sample, verdict in zip(
                read_rows(store.path(_ref(drawn)) / SAMPLES_FILE),
                read_rows(store.path(_ref(line)) / VERDICTS_FILE),
                strict=True,
            ):
                name = sample["problem_id"]
                counts[name] = counts.get(name, 0) + 1
                cut = rules.finished_only and sample["finish"] == "length"
                if verdict["reward"] >= least and not cut:
                    kept.setdefault(name, []).append(" ".join(sample["text"].split()))
        for name, count in counts.items():
            texts = kept.get(name, [])
            yield len(set(texts) if rules.dedup == "exact" else texts) / count


def _ref(line: StepLine) -> ArtifactRef:
    kind, key = line.artifact.split("/")
    return ArtifactRef(kind, key, line.digest, line.rows)
