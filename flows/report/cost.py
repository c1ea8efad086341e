"""What a run costs, by step and iteration, for each accepted sample and for each point gained.

Two sums stand side by side. `made` is what the artifacts cost when they were made, by whichever
run, from their manifests' stats (tasks/metering.py). `spent` is what this attempt at the run spent:
steps that were cached cost it nothing. Work in other processes of the machine (Prefect's server)
is in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flows.report.panel import Table
from tasks.dag.step_names import COMPARE, DRAW, FIT, GENERATE, RATE, SCORE, SELECT, line_name
from tasks.facts import Facts
from tasks.metering import ALL_COSTS, COST_NAMES, HOSTED_COSTS
from tasks.select.results import SelectionCounts
from tasks.store.manifest import Stats

# What makes training rows of a policy: the E-step.
E_STEP = (
    *(line_name(step, DRAW) for step in (GENERATE, SCORE, COMPARE, RATE)),
    FIT,
    SELECT,
)
_TITLES = {
    "seconds": "seconds",
    "cpu_seconds": "CPU s",
    "engine_seconds": "engine s",
    "sandbox_seconds": "sandbox s",
    "tokens": "tokens",
    "input_tokens": "tokens read",
    "money": "money",
}
# An amount of each of COST_NAMES, and of what a hosted model cost where there is one.
Amounts = dict[str, float]


@dataclass(frozen=True)
class CostLine:
    """What one artifact cost; names that are missing in `made` cost nothing."""

    iteration: int
    step: str
    cached: bool
    made: Mapping[str, float]


@dataclass
class MadeAndSpent(Facts):
    """What artifacts cost when they were made, and what this attempt at the run spent."""

    made: Amounts
    spent: Amounts


@dataclass
class StepCost(Facts):
    """One step of an iteration: so many task runs, of which so many were cached."""

    iteration: int
    step: str
    tasks: int
    cached: int
    made: Amounts
    spent: Amounts


@dataclass(frozen=True)
class AcceptedCost(Facts):
    """An iteration's accepted samples, and what its E-step cost in all and for each of them."""

    iteration: int
    kept: int
    correct: int
    cost: Amounts
    per_kept: Amounts | None
    per_correct: Amounts | None


@dataclass(frozen=True)
class PointCost(Facts):
    """Points of test accuracy gained over the base, and what the whole run cost for each."""

    gained: float
    per_point: Amounts | None


@dataclass(frozen=True)
class Cost(Facts):
    """The cost of a run; `points` is None where only the base was evaluated."""

    steps: list[StepCost]
    total: MadeAndSpent
    accepted: list[AcceptedCost]
    points: PointCost | None


def costs(
    lines: Iterable[CostLine],
    counts: Mapping[int, SelectionCounts] | None = None,
    greedy: Sequence[float] = (),
) -> Cost:
    """The cost of a run.

    Args:
        lines: One for each artifact.
        counts: Counts of the selection of each iteration.
        greedy: Test accuracy in [0, 1] of the base and each policy after it.
    """
    table: dict[tuple[int, str], StepCost] = {}
    total = MadeAndSpent(_nothing(), _nothing())
    for line in lines:
        row = table.setdefault(
            (line.iteration, line.step),
            StepCost(line.iteration, line.step, 0, 0, _nothing(), _nothing()),
        )
        row.tasks += 1
        row.cached += line.cached
        for into in (row, total):
            _add(into.made, line.made)
            if not line.cached:
                _add(into.spent, line.made)
    rows = sorted(table.values(), key=lambda row: row.iteration)
    accepted = [_accepted(rows, number, one) for number, one in sorted((counts or {}).items())]
    return Cost(rows, total, accepted, _points(total.made, greedy))


def made_line(iteration: int, step: str, stats: Stats) -> CostLine:
    """The cost of an artifact by the stats of its manifest."""
    return CostLine(iteration, step, False, stats.costs())


def _accepted(rows: list[StepCost], number: int, counts: SelectionCounts) -> AcceptedCost:
    """What an accepted sample cost: the draw stands under the policy that drew, number - 1."""
    cost = _nothing()
    for row in rows:
        if row.step in E_STEP and row.iteration == number - (row.step != SELECT):
            _add(cost, row.made)
    kept, correct = counts.kept, counts.correct
    return AcceptedCost(number, kept, correct, cost, _each(cost, kept), _each(cost, correct))


def _points(cost: Amounts, greedy: Sequence[float]) -> PointCost | None:
    if len(greedy) < 2:
        return None
    gained = 100 * (greedy[-1] - greedy[0])
    return PointCost(gained, _each(cost, gained))


def _nothing() -> Amounts:
    return dict.fromkeys(COST_NAMES, 0)


def _add(into: Amounts, more: Mapping[str, float]) -> None:
    for name in COST_NAMES:
        into[name] = round(into[name] + more.get(name, 0), 3)
    for name in HOSTED_COSTS:
        if name in into or more.get(name):
            into[name] = round(into.get(name, 0) + more.get(name, 0), 6)


def _each(cost: Amounts, count: float) -> Amounts | None:
    """The cost of one of so many; None where there are none."""
    return {name: amount / count for name, amount in cost.items()} if count > 0 else None


def steps_table(cost: Cost) -> Table:
    """The table by step, its last row the total; a dash for nothing.

    Where the run spent less than what there is cost to make, a column says what it spent.
    """
    spent = cost.total.spent != cost.total.made
    names = _names(cost)
    titles = ["iteration", "step", "tasks", "cached", *(_TITLES[name] for name in names)]
    rows = [
        [row.iteration, row.step, row.tasks, row.cached, *_cells(row.made, names)]
        + ([_cell(row.spent["seconds"])] if spent else [])
        for row in cost.steps
    ]
    tasks, cached = sum(row.tasks for row in cost.steps), sum(row.cached for row in cost.steps)
    last: list[str | int] = ["all", "", tasks, cached, *_cells(cost.total.made, names)]
    if spent:
        titles.append("spent now, s")
        last.append(_cell(cost.total.spent["seconds"]))
    return Table(titles, [*rows, last])


def each_table(cost: Cost) -> Table:
    """The table for each accepted sample and each point."""
    rows: list[list[str | int]] = []
    names = _names(cost)
    for one in cost.accepted:
        where = f"iteration {one.iteration}"
        # Accepted by its reward, which need not mean that all is right (`filter.score`).
        rows.append([f"accepted sample, {where}", one.correct, *_small(one.per_correct, names)])
        rows.append([f"training row, {where}", one.kept, *_small(one.per_kept, names)])
    if cost.points:
        gained = f"{cost.points.gained:+.1f}"
        each = _small(cost.points.per_point, names)
        rows.append(["point of test accuracy, whole run", gained, *each])
    return Table(["for each", "count", *(_TITLES[name] for name in names)], rows)


def _names(cost: Cost) -> list[str]:
    """The columns: those of a hosted model where there is one."""
    return [name for name in ALL_COSTS if name in cost.total.made]


def _cells(cost: Amounts, names: Sequence[str]) -> list[str]:
    return [_counted(name, cost.get(name, 0)) for name in names]


def _counted(name: str, amount: float) -> str:
    if name in ("tokens", "input_tokens") and amount:
        return f"{amount:,}"
    return f"{amount:,.4f}" if name == "money" and amount else _cell(amount)


def _cell(value: float) -> str:
    return f"{value:.1f}" if value else "-"


def _small(each: Amounts | None, names: Sequence[str]) -> list[str]:
    return [_significant(each[name]) if each and each.get(name) else "-" for name in names]


def _significant(value: float) -> str:
    """Three digits that count, and all of a large number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
