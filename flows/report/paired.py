"""Sections of the report on what changed against the base: by difficulty, and elsewhere."""

from __future__ import annotations

from flows.report.values import as_interval, between, percent, points
from tasks.rows import Json

TESTED = ("greedy, points", "newly solved", "newly lost", "p", "p, Holm", "")
BINS = ("base solves, of its samples", "problems", "base", "policy", "difference, points")


def tested(found: Json) -> list[str]:
    """Cells under TESTED of a comparison (form: flows/evaluate/tables.py)."""
    test = found["mcnemar"]
    return [
        _change(found["metrics"].get("greedy")),
        str(test["solved"]),
        str(test["lost"]),
        p_value(test["p"]),
        p_value(test["p_holm"]),
        "regression" if found["regression"] else "",
    ]


def bins(found: Json) -> list[list[str]]:
    """Rows under BINS of a comparison, easiest problems first."""
    return [
        [
            one["bin"],
            str(one["problems"]),
            percent(one["before"]),
            percent(one["after"]),
            _change(one["difference"]),
        ]
        for one in found.get("bins") or []
    ]


def changed(found: Json, before: str, after: str) -> list[Json]:
    """Newly solved and newly lost problems of a comparison, as groups of a section.

    Args:
        found: The comparison.
        before: Name of the policy that is compared with.
        after: Name of the other.
    """
    groups = []
    for key, was, now in (("solved", "wrong", "right"), ("lost", "right", "wrong")):
        marks = {"before_policy": before, "before_mark": was, "policy": after, "after_mark": now}
        groups.append(
            {
                "title": f"Newly {key} ({found['mcnemar'][key]} in all, {len(found[key])} shown)",
                "problems": [item | marks for item in found[key]],
            }
        )
    return groups


def p_value(value: float) -> str:
    """The p of a test."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _change(raw: Json | None) -> str:
    m = as_interval(raw)
    return f"{points(m.value, '')} {between(m, False)}" if m else "–"
