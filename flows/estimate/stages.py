"""From a planned run to its stages: sets of shards, and the steps between them.

The plan (flows/estimate/plan.py) knows every call that is not cached; so what is cached costs
nothing here too, and counts of samples and shards are those that the run will have. How many
training rows an iteration keeps is not known before it is sampled: it is expected from the costs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.estimate.plan import PlannedCall
from tasks.dag.step import Call
from tasks.dag.step_names import COMPARE, GENERATE, RATE, REPORT, SCORE
from tasks.rows import Json

_PLACE = re.compile(r"\[(\d+):(\d+)\]x\[(\d+):(\d+)\]$")
_BLOCK = re.compile(r"\[(\d+):(\d+)\]")
# Steps whose calls are of one block of problems each: what they cost goes with its problems.
_BY_BLOCK = (COMPARE, RATE)


@dataclass
class PlannedShard:
    """What is to do of a shard.

    Attributes:
        generate: Whether they are to be drawn.
        score: Whether they are to be scored.
    """

    samples: int
    generate: bool = False
    score: bool = False


@dataclass
class PlannedStage:
    """A set of shards, or a step without shards.

    Attributes:
        iteration: Of the policy.
        name: As in the journal, without `generate` and `score`.
        shards: What is to do of a set.
        greedy: Whether its samples are greedy.
        before: Samples of the sets before a step without shards (see `work_before`).
    """

    iteration: int
    name: str
    shards: list[PlannedShard] = field(default_factory=list)
    greedy: bool = False
    before: int = 0

    @property
    def samples(self) -> int:
        """Samples to be drawn."""
        return sum(shard.samples for shard in self.shards if shard.generate)


def stages_of_plan(planned: Sequence[PlannedCall], iterations: int) -> list[PlannedStage]:
    """Stages of what is to do.

    Args:
        planned: Calls that are not cached, in order.
        iterations: Of the run; after the last one comes the report.
    """
    stages: list[PlannedStage] = []
    places: dict[str, PlannedShard] = {}
    before, last = 0, 0
    for one in planned:
        step, _, name = one.group.partition(" ")
        if step not in (GENERATE, SCORE):
            before, last = last or before, 0
            work = work_before(one.group, one.call.label, before)
            stages.append(PlannedStage(one.iteration, one.group, before=work))
            continue
        now = stages[-1] if stages else None
        if now is None or not now.shards or (now.iteration, now.name) != (one.iteration, name):
            places = {}
            now = PlannedStage(one.iteration, name, greedy=True)
            stages.append(now)
        place = one.call.label.rpartition(" ")[2]
        if place not in places:
            places[place] = PlannedShard(_samples(one.call))
            now.shards.append(places[place])
            last += places[place].samples
        if step == GENERATE:
            places[place].generate = True
            now.greedy = is_greedy(one.call.settings)
        else:
            places[place].score = True
    if planned:
        stages.append(PlannedStage(iterations, REPORT, before=last or before))
    return stages


def work_before(group: str, label: str, samples: int) -> int:
    """By what the cost of a call without shards grows: samples before it, or a block's problems.

    Args:
        group: Of the call, as in the journal.
        label: Of the call.
        samples: Of the sets before it.
    """
    found = _BLOCK.search(label) if group.partition(" ")[0] in _BY_BLOCK else None
    return int(found[2]) - int(found[1]) if found else samples


def is_greedy(settings: Json) -> bool:
    """Whether the settings of a sampling step draw greedily; of imported samples nobody knows."""
    return settings.get("sampling", {}).get("temperature") == 0.0


def _samples(call: Call) -> int:
    """Samples of a shard, from its label, ... [0:64]x[0:4], and which problems have them."""
    found = _PLACE.search(call.label)
    assert found, call.label
    start, stop, first, last = map(int, found.groups())
    problems = len(call.settings.get("only", range(start, stop)))
    return problems * (last - first)
