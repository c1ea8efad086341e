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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.estimate.history import of_runs
from flows.estimate.simulation.costs import Parts
from flows.estimate.simulation.jobs import Shard, Stage, jobs_of
from flows.estimate.simulation.simulate import Result, Servers, simulate
from flows.estimate.stages import Planned, expected_rows, shard_of, stages_of, training_of
from flows.runs.journal import ESTIMATE
from tasks.dag.runtime import home
from tasks.dag.step_names import FINETUNE, GENERATE
from tasks.rows import Json
from tasks.store.store import digest_of

# The mean over so many draws of completion lengths; each is a whole run simulated.
DRAWS = 5


@dataclass(frozen=True)
class Line:
    """A stage of the estimate.

    Attributes:
        iteration: Of the policy.
        step: As in the plan, without `generate` and `score`.
        shards: Shards to be sampled or scored.
        samples: Samples to be drawn.
        rows: Training rows of a fine-tune.
        tokens: Tokens to be sampled, or trained on in all epochs.
        seconds: Of all of it.
    """

    iteration: int
    step: str
    shards: int
    samples: int
    rows: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Attributes:
        run: Its id.
        lines: By stage.
        seconds: From the first step to the last.
        most: The same where every sample is kept up to the cap.
        start: From the command to the first step.
        source: Where the parts are from.
        made: When, seconds since 1970.
    """

    run: str
    lines: tuple[Line, ...]
    seconds: float
    most: float
    start: float
    source: str
    made: float

    @property
    def total(self) -> float:
        """From the command to its end."""
        return self.seconds + self.start

    def to_json(self) -> Json:
        """Plain data."""
        return {**asdict(self), "total": self.total}


def estimate(
    config: RestEmConfig, planned: list[Planned], splits: dict[str, int], parts: Parts
) -> Estimate:
    """Estimate a run.

    Args:
        config: Of the run.
        planned: Calls that are not cached (`PlanCaller.to_do`).
        splits: Problems of each split.
        parts: What things cost here.
    """
    how = training_of(config.finetune, splits["validation"])
    rows = [
        expected_rows(keep, splits["train"], config.sampling.samples, config.filter)
        for keep in (parts.keep, (1.0,))
    ]
    usual, most = (stages_of(planned, config, count) for count in rows)
    results = [_simulated(usual, parts, config, splits, seed) for seed in range(DRAWS)]
    seconds = [sum(values) / DRAWS for values in zip(*(r.stages for r in results), strict=True)]
    epochs = how.epochs * parts.train.tokens_row
    lines = tuple(
        Line(
            stage.iteration,
            stage.name,
            max(len(stage.generate), len(stage.score)),
            sum(shard.rows for shard in stage.generate),
            stage.rows if stage.single == FINETUNE else 0,
            round(stage.rows * epochs) if stage.single == FINETUNE else _tokens(stage, parts),
            took,
        )
        for stage, took in zip(usual, seconds, strict=True)
    )
    return Estimate(
        run=config.run_id,
        lines=lines,
        seconds=sum(seconds),
        most=_simulated(most, parts, config, splits, 0).seconds,
        start=parts.start,
        source=parts.source,
        made=time.time(),
    )


def _simulated(
    stages: list[Stage], parts: Parts, config: RestEmConfig, splits: dict[str, int], seed: int
) -> Result:
    how = training_of(config.finetune, splits["validation"])
    servers = servers_of(config, parts.engine.load)
    jobs = jobs_of(stages, parts, how, scorers=1, overlap=True, seed=seed)
    return simulate(jobs, servers)


def servers_of(config: RestEmConfig, load: float) -> Servers:
    """Who works in a run of this configuration (`Services.lanes`).

    Several engines of one machine, or endpoints, share the shards they get: they are one engine to
    the DAG, and a probe has measured them as one.

    Args:
        config: Of the run.
        load: Seconds in which an engine loads a policy.
    """
    count = config.resources.engines if config.resources.ray_address else 1
    return Servers(engines=count, scorers=count, load=load)


def largest(planned: list[Planned]) -> tuple[Shard, Shard]:
    """The largest greedy shard and the largest sampled one of a plan."""
    found = {True: Shard(1, 1), False: Shard(1, 1)}
    for _, _, call in planned:
        if call.step.name == GENERATE:
            greedy = call.settings["sampling"]["temperature"] == 0.0
            found[greedy] = max(found[greedy], shard_of(call), key=lambda shard: shard.rows)
    return found[True], found[False]


def keep_parts(config: RestEmConfig, parts: Parts) -> None:
    """Remember what was measured, for dry runs without a probe."""
    path = _place(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"made": time.time(), "parts": parts.to_json()}))


def known_parts(config: RestEmConfig) -> Parts | None:
    """What was measured of the same model, engine and machine settings: by a probe or in a run."""
    try:
        kept = json.loads(_place(config).read_text())
        parts = Parts.from_json(kept["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return of_runs(parts_key(config), parts_key)
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept["made"]))
    return replace(parts, source=f"{parts.source} of {day}")


def parts_key(config: RestEmConfig) -> str:
    """Names what decides the costs: model, engine, problems, trainer and machine, not volumes."""
    keyed = {
        "model": config.model.model_dump(),
        "data": config.data.train,
        "sampling": config.sampling.model_dump(exclude={"samples"}),
        "finetune": config.finetune.model_dump(include={"method", "max_length", "packing"}),
        "resources": config.resources.model_dump(
            exclude={"store", "shard_problems", "shard_samples", "checkpoint_minutes"}
        ),
    }
    return digest_of(keyed)[:16]


def write(made: Estimate) -> Path:
    """Keep an estimate with its run, so that what it took can be told beside it."""
    folder = home() / "runs" / made.run
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ESTIMATE
    path.write_text(json.dumps(made.to_json(), indent=1))
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
    text = f"estimate: {duration(made.seconds)}"
    if made.start:
        text += f", and {duration(made.start)} to start and end"
    if made.most > 1.05 * made.seconds:
        text += f"; at most {duration(made.most)}, if every sample is kept up to the cap"
    return f"{text} ({made.source})"


def compared(made: Json, took: float | None) -> str:
    """An estimate beside what the run took, if it is done."""
    text = f"estimated {duration(made['seconds'])} ({made['source']})"
    return text if took is None else f"{text}, took {duration(took)}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _tokens(stage: Stage, parts: Parts) -> int:
    lengths = parts.greedy_lengths if stage.greedy else parts.lengths
    return round(sum(s.rows for s in stage.generate) * sum(lengths) / max(1, len(lengths)))


def _place(config: RestEmConfig) -> Path:
    return home() / "parts" / f"{parts_key(config)}.json"
