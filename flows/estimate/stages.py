"""From a planned run to the stages that the simulation works through.

The plan (flows/estimate/plan.py) knows every call that is not cached; so what is cached costs
nothing here too, and counts of samples and shards are those that the run will have. How many
training rows an iteration keeps is not known before it is sampled: it is expected from the probe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flows.config.rest_em import RestEmConfig
from flows.estimate.simulation.jobs import Shard, Stage, Training
from tasks.dag.step import Call
from tasks.dag.step_names import FINETUNE, GENERATE, SCORE
from tasks.settings import FilterSettings, FinetuneSettings

Planned = tuple[int, str, Call]  # iteration, group, call


def training_of(settings: FinetuneSettings, validation: int) -> Training:
    """How the fine-tunes of a configuration go.

    Args:
        settings: The configuration's.
        validation: Validation problems; without any, nothing is checked.
    """
    return Training(
        settings.epochs,
        settings.batch_size,
        settings.max_length,
        settings.packing,
        settings.checks if validation else 0,
    )


def stages_of(planned: Sequence[Planned], config: RestEmConfig, rows: int) -> list[Stage]:
    """Stages of what is to do.

    Args:
        planned: Calls that are not cached, in order.
        config: Of the run.
        rows: Training rows that an iteration is expected to keep.
    """
    stages: list[Stage] = []
    open_at: tuple[int, str] | None = None
    generate: list[Shard] = []
    score: list[Shard] = []
    greedy = False
    sampled = 0
    sizes: dict[str, Shard] = {}

    def close() -> None:
        nonlocal open_at
        if open_at is not None:
            stages.append(Stage(*open_at, tuple(generate), tuple(score), greedy))
        open_at = None
        generate.clear()
        score.clear()

    for iteration, group, call in planned:
        step, _, name = group.partition(" ")
        if step in (GENERATE, SCORE) and name:
            if open_at != (iteration, name):
                close()
                open_at, greedy = (iteration, name), True
            place = call.label.removeprefix(group)
            if step == GENERATE:
                sizes[place] = shard_of(call)
                generate.append(sizes[place])
                greedy = call.settings["sampling"]["temperature"] == 0.0
            else:
                # Where the samples are cached the label still says how many they are.
                score.append(sizes.get(place) or _placed(call))
            sampled = sum(shard.rows for shard in score)
        else:
            close()
            stages.append(
                Stage(iteration, group, single=group.split()[0], rows=_read(group, sampled, rows))
            )
    close()
    if planned:
        stages.append(Stage(config.iterations, "report", single="report"))
    return stages


def shard_of(call: Call) -> Shard:
    """Size of a planned generate call."""
    first, last = call.settings["samples"]
    return Shard(call.hints["stop"] - call.hints["start"], last - first)


def expected_rows(keep: Sequence[float], problems: int, samples: int, rules: FilterSettings) -> int:
    """Training rows that an iteration keeps.

    Args:
        keep: For each probed problem the chance that a sample of it is kept (right, finished, not a
            duplicate).
        problems: Training problems.
        samples: For each.
        rules: The cap.
    """
    if not keep:
        return 0
    cap = rules.cap or math.inf
    mean = sum(_capped(samples, chance, cap) for chance in keep) / len(keep)
    return round(problems * mean)


def _capped(samples: int, chance: float, cap: float) -> float:
    """Mean of min(cap, X) for a binomial X."""
    if chance <= 0.0:
        return 0.0
    if cap >= samples:
        return samples * chance
    total, mass = 0.0, 0.0
    for count in range(int(cap)):
        log = (
            math.lgamma(samples + 1)
            - math.lgamma(count + 1)
            - math.lgamma(samples - count + 1)
            + count * math.log(chance)
            + ((samples - count) * math.log1p(-chance) if chance < 1.0 else -math.inf)
        )
        weight = math.exp(log)
        total, mass = total + count * weight, mass + weight
    return total + cap * max(0.0, 1.0 - mass)


def _read(group: str, sampled: int, rows: int) -> int:
    return rows if group == FINETUNE else sampled


def _placed(call: Call) -> Shard:
    """Size of a score call, from its label: ... [0:64]x[0:4]."""
    block, _, indices = call.label.rpartition(" ")[2].partition("x")
    sizes = []
    for part in (block, indices):
        first, last = part.strip("[]").split(":")
        sizes.append(int(last) - int(first))
    return Shard(*sizes)
