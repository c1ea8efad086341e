"""What a run costs, by step and iteration, for each accepted sample and for each point gained.

Two sums stand side by side. `made` is what the artifacts cost when they were made, by whichever
run, from their manifests' stats (tasks/metering.py). `spent` is what this attempt at the run spent:
steps that were cached cost it nothing. Work in other processes of the machine (Prefect's server)
is in neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tasks.metering import COST_NAMES
from tasks.rows import Json

# What makes training rows of a policy: the E-step.
E_STEP = ("generate draw", "score draw", "select")
_TITLES = {
    "seconds": "s",
    "cpu_seconds": "CPU s",
    "engine_seconds": "engine s",
    "sandbox_seconds": "sandbox s",
    "tokens": "tokens",
}


def costs(
    lines: Iterable[Json], counts: dict[int, Json] | None = None, greedy: list[float] | None = None
) -> Json:
    """The cost of a run.

    Args:
        lines: Lines of its journal: iteration, step, state (`Cached` or not) and NAMES.
        counts: counts.json of the selection of each iteration (samples, correct, kept).
        greedy: Test accuracy in [0, 1] of the base and each policy after it.

    Returns:
        `steps` (iteration, step, tasks, cached, made, spent), `total` (made, spent), `accepted`
        (an iteration's kept and correct samples, and what its E-step cost for each) and `points`
        (points of test accuracy gained from the base to the last policy, and what the whole run,
        its measuring included, cost for each; none where nothing was gained).
    """
    table: dict[tuple[int, str], Json] = {}
    total = {"made": _nothing(), "spent": _nothing()}
    for line in lines:
        key = (line["iteration"], line["step"])
        row = table.setdefault(
            key,
            {"iteration": key[0], "step": key[1], "tasks": 0, "cached": 0}
            | {"made": _nothing(), "spent": _nothing()},
        )
        cached = line["state"] == "Cached"
        row["tasks"] += 1
        row["cached"] += cached
        for kind in ("made",) if cached else ("made", "spent"):
            _add(row[kind], line)
            _add(total[kind], line)
    rows = [table[key] for key in sorted(table, key=lambda key: key[0])]
    return {
        "steps": rows,
        "total": total,
        "accepted": [
            _accepted(rows, number, one) for number, one in sorted((counts or {}).items())
        ],
        "points": _points(total["made"], greedy or []),
    }


def _accepted(rows: list[Json], number: int, counts: Json) -> Json:
    """What an accepted sample cost: the draw stands under the policy that drew, number - 1."""
    cost = _nothing()
    for row in rows:
        drawn = row["iteration"] == number - (row["step"] != "select")
        if row["step"] in E_STEP and drawn:
            _add(cost, row["made"])
    found = {"iteration": number, "kept": counts["kept"], "correct": counts["correct"]}
    return found | {
        "cost": cost,
        "per_kept": _each(cost, counts["kept"]),
        "per_correct": _each(cost, counts["correct"]),
    }


def _points(cost: Json, greedy: list[float]) -> Json | None:
    if len(greedy) < 2:
        return None
    gained = 100 * (greedy[-1] - greedy[0])
    return {"gained": gained, "per_point": _each(cost, gained)}


def _nothing() -> Json:
    return dict.fromkeys(COST_NAMES, 0)


def _add(into: Json, line: Json) -> None:
    for name in COST_NAMES:
        into[name] = round(into[name] + line.get(name, 0), 3)


def _each(cost: Json, count: float) -> Json | None:
    """The cost of one of so many; None where there are none."""
    return {name: cost[name] / count for name in COST_NAMES} if count > 0 else None


def table_rows(cost: Json) -> tuple[list[str], list[list[Any]]]:
    """Titles and rows of the table by step, its last row the total; a dash for nothing.

    Where the run spent less than what there is cost to make, a column says what it spent.
    """
    spent = cost["total"]["spent"] != cost["total"]["made"]
    titles = ["iteration", "step", "tasks", "cached", *_TITLES.values()]
    rows = [
        [row["iteration"], row["step"], row["tasks"], row["cached"], *_cells(row["made"])]
        + ([_cell(row["spent"]["seconds"])] if spent else [])
        for row in cost["steps"]
    ]
    tasks, cached = (sum(row[name] for row in cost["steps"]) for name in ("tasks", "cached"))
    last = ["all", "", tasks, cached, *_cells(cost["total"]["made"])]
    if spent:
        titles.append("spent now, s")
        last.append(_cell(cost["total"]["spent"]["seconds"]))
    return titles, [*rows, last]


def each_rows(cost: Json) -> tuple[list[str], list[list[Any]]]:
    """Titles and rows of the table for each accepted sample and each point."""
    titles = ["for each", "count", *_TITLES.values()]
    rows: list[list[Any]] = []
    for found in cost["accepted"]:
        where = f"iteration {found['iteration']}"
        # Accepted by its reward, which need not mean that all is right (`filter.score`).
        for name, title in (("correct", "accepted sample"), ("kept", "training row")):
            each = found[f"per_{name}"]
            rows.append([f"{title}, {where}", found[name], *_small(each)])
    if (points := cost["points"]) is not None:
        count = f"{points['gained']:+.1f}"
        rows.append(["point of test accuracy, whole run", count, *_small(points["per_point"])])
    return titles, rows


def _cells(cost: Json) -> list[str]:
    return [f"{cost[n]:,}" if n == "tokens" and cost[n] else _cell(cost[n]) for n in COST_NAMES]


def _cell(value: float) -> str:
    return f"{value:.1f}" if value else "-"


def _small(each: Json | None) -> list[str]:
    return [f"{each[name]:.3g}" if each and each[name] else "-" for name in COST_NAMES]
