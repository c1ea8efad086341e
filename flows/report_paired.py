"""Sections of the report on what changed against the base: by difficulty, and elsewhere."""

from __future__ import annotations

from markupsafe import Markup

from flows.report_part import Part
from flows.report_view import View
from flows.report_words import Json, as_interval, between, name, number, percent, points


def by_base_success(view: View) -> Part:
    """Gains by how often the base policy solves a problem (figure 8)."""
    wanted = [now for now in view.iterations[1:] if now.get("bins")]
    kinds = [str(one.get("bin")) for one in wanted[0]["bins"]] if wanted else []
    for now in wanted[1:]:
        kinds += [str(o.get("bin")) for o in now["bins"] if str(o.get("bin")) not in kinds]
    rows = []
    for kind in kinds:
        found = [_of(now, kind) for now in wanted]
        first = next(one for one in found if one)
        cells = [_change(one.get("difference")) if one else "–" for one in found]
        rows.append(
            [kind, f"{number(first.get('problems')):.0f}", percent(number(first["before"])), *cells]
        )
    head = ["base solves, of its samples", "problems", "base", *(name(now) for now in wanted)]
    note = (
        "Difference in greedy accuracy, in points, by the share of the base policy's samples that "
        "are right. The bins come from samples and the differences from greedy solutions, so "
        "selection makes no gain of its own."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Gain by difficulty for the base policy", note, table=table).or_nothing()


def transfer(view: View) -> Part:
    """Greedy accuracy on other benchmarks (figure 9), with regressions marked."""
    names = sorted({key for now in view.iterations for key in now.get("transfer") or {}})
    rows = []
    for benchmark in names:
        cells = []
        for now in view.iterations:
            found = (now.get("transfer") or {}).get(benchmark) or {}
            m = as_interval(found.get("greedy"))
            text = f"{percent(m.value)} {between(m)}" if m else "–"
            change = _change(found.get("difference")) if found.get("difference") else ""
            mark = " regression" if found.get("regression") else ""
            cells.append(Markup("{}<br><small>{}{}</small>").format(text, change, mark))
        rows.append([benchmark, *cells])
    head = ["", *(name(now) for now in view.iterations)]
    note = (
        "Greedy accuracy on benchmarks that the policy is not trained for, and the difference to "
        "the base policy on the same problems, in points. A regression is a difference whose whole "
        "interval lies below zero."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Transfer", note, table=table, kind="long").or_nothing()


TESTED = ("greedy, points", "newly solved", "newly lost", "p", "p, Holm", "")
BINS = ("base solves, of its samples", "problems", "base", "policy", "difference, points")


def tested(found: Json) -> list[str]:
    """Cells under TESTED of a comparison (form: flows/evaluate_words.py)."""
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


def _of(now: Json, kind: str) -> Json | None:
    return next((one for one in now["bins"] if str(one.get("bin")) == kind), None)


def _change(raw: Json | None) -> str:
    m = as_interval(raw)
    return f"{points(m.value, '')} {between(m, False)}" if m else "–"
