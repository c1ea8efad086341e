"""An evaluation's two policies compared on each benchmark, and what of it deserves a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.evaluate_words import difference
from flows.report_words import as_interval, shown_reference
from tasks.artifacts import Json
from tasks.evaluate.compare import solved_and_lost
from tasks.evaluate.metrics import sampled_scores, scores
from tasks.evaluate.paired import differences, difficulty_bins, holm, mcnemar
from tasks.settings import MeasureSettings

if TYPE_CHECKING:
    from flows.evaluate_summary import Result

# Intervals are a property of the samples, so equal samples have equal intervals.
_SEED = 0


def compared(before: Result, after: Result, measure: Json) -> Json:
    """The comparison of two policies on one benchmark (form: flows/evaluate_words.py)."""
    settings = MeasureSettings(**measure)
    how = (settings.bootstrap, settings.confidence, _SEED)
    greedy = scores(before.greedy), scores(after.greedy)
    metrics = [
        {"greedy": of, **sampled_scores(one.sampled, settings, one.groups or None)}
        for of, one in zip(greedy, (before, after), strict=True)
    ]
    found = differences(metrics[0], metrics[1], *how)
    solved, lost = solved_and_lost(before.greedy, after.greedy, before.problems)
    for item in (*solved, *lost):
        item["reference"] = shown_reference(item["reference"])
    bins = difficulty_bins(scores(before.sampled), *greedy, *how)
    return {
        "metrics": {name: value.to_json() for name, value in found.items()},
        "mcnemar": mcnemar(*greedy).to_json(),
        "bins": [one.to_json() for one in bins],
        "regression": "greedy" in found and found["greedy"].high < 0,
        "crossing": [
            int(name[5:]) for name, m in found.items() if name.startswith("pass@") and m.high < 0
        ],
        "solved": solved,
        "lost": lost,
    }


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
                + ("" if sure else f", not beyond chance for {len(tests)} benchmarks (Holm)")
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
