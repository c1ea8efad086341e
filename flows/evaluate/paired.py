"""Two policies compared on the same problems, and what of it deserves a warning.

Of an evaluation on each of its benchmarks, of runs (flows/compare/compare.py) on their test
problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flows.evaluate.tables import difference
from flows.report.values import as_interval, shown_reference
from tasks.evaluate.metrics import Groups, sampled_scores, scores
from tasks.evaluate.paired import differences, difficulty_bins, holm, mcnemar
from tasks.evaluate.results import Change
from tasks.evaluate.solved_and_lost import solved_and_lost
from tasks.rows import Json, Row
from tasks.settings import MeasureSettings

# Intervals are a property of the samples, so equal samples have equal intervals.
SEED = 0
SHOWN = 10


class Solved(Protocol):
    """Problems with a policy's greedy solutions, its samples' verdicts and groups of answers."""

    @property
    def problems(self) -> list[Row]:
        """The problems."""
        ...

    @property
    def greedy(self) -> list[Row]:
        """Greedy solutions with verdicts."""
        ...

    @property
    def sampled(self) -> list[Row]:
        """Verdicts on samples."""
        ...

    @property
    def groups(self) -> Groups:
        """Which samples gave equal answers; empty: no vote."""
        ...


def compared(
    before: Solved,
    after: Solved,
    measure: Json,
    *,
    hard_for: Iterable[Row] | None = None,
    shown: int = SHOWN,
) -> Json:
    """The comparison of two policies on one set of problems (form: flows/evaluate/tables.py).

    Args:
        before: What one did.
        after: What the other did, on the same problems.
        measure: Which metrics, as MeasureSettings.
        hard_for: Verdicts on the samples that say how hard a problem is; without them those of
            `before`.
        shown: Most problems of which the texts are kept, newly solved and newly lost each.
    """
    settings = MeasureSettings(**measure)
    how = (settings.bootstrap, settings.confidence, SEED)
    greedy = scores(before.greedy), scores(after.greedy)
    metrics = [
        {"greedy": of, **sampled_scores(one.sampled, settings, one.groups or None)}
        for of, one in zip(greedy, (before, after), strict=True)
    ]
    found = differences(metrics[0], metrics[1], *how)
    solved, lost = solved_and_lost(before.greedy, after.greedy, before.problems, shown)
    drawn = before.sampled if hard_for is None else hard_for
    bins = difficulty_bins(scores(drawn), *greedy, *how)
    return {
        "metrics": {name: value.to_json() for name, value in found.items()},
        "mcnemar": mcnemar(*greedy).to_json(),
        "bins": [one.to_json() for one in bins],
        "regression": "greedy" in found and found["greedy"].high < 0,
        "crossing": [
            int(name[5:]) for name, m in found.items() if name.startswith("pass@") and m.high < 0
        ],
        "solved": [_shown(one) for one in solved],
        "lost": [_shown(one) for one in lost],
    }


def _shown(change: Change) -> Json:
    return {**change.to_json(), "reference": shown_reference(change.reference)}


def flags(results: Json, confidence: float) -> None:
    """Add corrected p-values to the comparisons, and warnings of what became worse."""
    comparisons = [one for one in results["benchmarks"] if one["comparison"]]
    tests = [one["comparison"]["mcnemar"] for one in comparisons]
    for test, adjusted in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = adjusted
    for one in comparisons:
        found, name = one["comparison"], one["name"]
        if found["regression"]:
            sure = found["mcnemar"]["p_holm"] < 1 - confidence
            results["warnings"].append(
                f"{name}: regression against {results['against']}: greedy "
                f"{difference(found['metrics']['greedy'])} points"
                + ("" if sure else f", not beyond chance for {len(tests)} comparisons (Holm)")
            )
        for k in found["crossing"]:
            if as_interval(found["metrics"][f"pass@{k}"]):
                results["warnings"].append(
                    f"{name}: pass@{k} is below that of {results['against']}: "
                    f"{difference(found['metrics'][f'pass@{k}'])} points"
                )
    for one in results["benchmarks"]:
        for policy in one["policies"]:
            unchecked = sum(
                (policy.get("statuses") or {}).get(status, 0)
                for status in ("checker_error", "sandbox_error", "engine_error")
            )
            if unchecked:
                results["warnings"].append(
                    f"{one['name']}: {unchecked} greedy solutions could not be checked and count "
                    "as wrong"
                )
