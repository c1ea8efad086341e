"""`--dry-run`: how long what is not cached will take, from a probe or from what is known already.

What is assumed, beside that the machine stays as it was: later policies write solutions as long as
the base policy's, they are right as often, and no fine-tune is stopped early by validation. A
policy that learns a lot keeps more rows, so `at most` gives the time where every sample is kept up
to the cap. Where verdicts decide how many samples a problem gets (sampling.enough, hard_samples),
all that may be drawn is counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from flows.config.rest_em import RestEmConfig
from flows.estimate.costs import Costs, single_name
from flows.estimate.plan import PlannedCall
from flows.estimate.stages import PlannedStage, expected_rows, stages_of_plan
from flows.runs.journal import ESTIMATE
from tasks.dag.runtime import home
from tasks.dag.step_names import FINETUNE
from tasks.facts import Facts
from tasks.settings.finetune import RL


@dataclass(frozen=True)
class EstimateLine(Facts):
    """A stage of the estimate.

    Attributes:
        step: As in the plan, without `generate` and `score`.
        shards: Shards to be sampled or scored.
        tokens: Tokens to be sampled, or trained on in all epochs.
    """

    iteration: int
    step: str
    shards: int
    samples: int
    rows: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Estimate(Facts):
    """What a run is expected to take.

    Attributes:
        seconds: From the first step to the last.
        most: The same where every sample is kept up to the cap.
        start: From the command to the first step.
        source: Where the costs are from.
        made: When, seconds since 1970.
    """

    STRICT: ClassVar[bool] = False

    run: str
    lines: tuple[EstimateLine, ...]
    seconds: float
    most: float
    start: float
    source: str
    made: float

    @property
    def total(self) -> float:
        """From the command to its end."""
        return self.seconds + self.start

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return {**super().to_json(), "total": self.total}


def estimate(
    config: RestEmConfig, planned: Sequence[PlannedCall], splits: dict[str, int], costs: Costs
) -> Estimate:
    """Estimate a run.

    Args:
        planned: Calls that are not cached (`PlanCaller.to_do`).
    """
    stages = stages_of_plan(planned, config.iterations)
    rows, most = (
        expected_rows(keep, splits["train"], config.sampling.samples, config.filter)
        for keep in (costs.keep, (1.0,))
    )
    if config.finetune.improve == RL:
        rows = most = splits["train"]  # it is given the problems
    validation = splits["validation"]
    seconds = stage_seconds(stages, costs, config, rows, validation)
    lines = tuple(
        EstimateLine(
            stage.iteration,
            stage.name,
            len(stage.shards),
            stage.samples,
            rows if stage.name == FINETUNE else 0,
            _tokens(stage, costs, rows * config.finetune.epochs),
            took,
        )
        for stage, took in zip(stages, seconds, strict=True)
    )
    return Estimate(
        run=config.run_id,
        lines=lines,
        seconds=sum(seconds),
        most=sum(stage_seconds(stages, costs, config, most, validation)),
        start=costs.start,
        source=costs.source,
        made=time.time(),
    )


def stage_seconds(
    stages: Sequence[PlannedStage], costs: Costs, config: RestEmConfig, rows: int, validation: int
) -> list[float]:
    """Seconds of each stage, from the end of the one before it.

    A shard is scored when it is sampled and the one before it is scored, while the next ones are
    sampled, and sets follow each other without a barrier (flows/orchestrator/pipeline.py). A step
    without shards waits for all before it.
    """
    # As many shards are scored at once as there are engines; what sampling takes with so many
    # engines has been measured with all of them.
    scorers = config.resources.engines if config.resources.ray_address else 1
    engine, policy, first = costs.sampling, -1, costs.sampling.first
    end = sampled = scored = 0.0
    found = []
    for stage in stages:
        for shard in stage.shards:
            if shard.generate:
                if stage.iteration != policy:
                    policy, sampled = stage.iteration, sampled + engine.load
                each = engine.greedy if stage.greedy else engine.sampled
                sampled += first + engine.shard + each * shard.samples
                first = 0.0
            if shard.score:
                took = costs.scoring.seconds(shard.samples) / scorers
                scored = max(scored, sampled) + took
        if not stage.shards:
            sampled = scored = max(sampled, scored) + _single(
                stage, costs, config, rows, validation
            )
        now = max(sampled, scored)
        found.append(now - end)
        end = now
    return found


def _single(
    stage: PlannedStage, costs: Costs, config: RestEmConfig, rows: int, validation: int
) -> float:
    """Seconds of a step without shards."""
    if stage.name == FINETUNE:
        how = config.finetune
        checks = how.checks if validation else 0
        return costs.training.seconds(rows * how.epochs, checks, validation)
    cost = costs.single.get(single_name(stage.name))
    return cost.seconds(stage.before) if cost else 0.0


def _tokens(stage: PlannedStage, costs: Costs, rows: float) -> int:
    if stage.name == FINETUNE:
        return round(rows * costs.training.tokens)
    engine = costs.sampling
    return round(stage.samples * (engine.greedy_tokens if stage.greedy else engine.sampled_tokens))


def write(made: Estimate) -> Path:
    """Keep an estimate with its run, so that what it took can be told beside it."""
    folder = home() / "runs" / made.run
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ESTIMATE
    path.write_text(json.dumps(made.to_json(), indent=1), encoding="utf-8")
    return path


def table(made: Estimate) -> tuple[list[str], list[list[str]]]:
    """Titles and rows for people."""
    titles = ["iteration", "step", "shards", "samples", "rows", "tokens", "seconds"]
    rows = [
        [
            str(line.iteration),
            line.step,
            *(
                f"{value:,}" if value else ""
                for value in (line.shards, line.samples, line.rows, line.tokens)
            ),
            f"{line.seconds:.1f}",
        ]
        for line in made.lines
    ]
    return titles, rows


def words(made: Estimate | None) -> str:
    """The estimate in a sentence or two."""
    if made is None:
        return "estimate: nothing was measured here yet; --dry-run --probe does, in about a minute"
    text = f"estimate: {rough_duration(made.seconds)}"
    if made.start:
        text += f", and {rough_duration(made.start)} to start and end"
    if made.most > 1.05 * made.seconds:
        text += f"; at most {rough_duration(made.most)}, if every sample is kept up to the cap"
    return f"{text} ({made.source})"


def compared(made: Estimate, took: float | None) -> str:
    """An estimate beside what the run took, if it is done."""
    text = f"estimated {rough_duration(made.seconds)} ({made.source})"
    return text if took is None else f"{text}, took {rough_duration(took)}"


def rough_duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
