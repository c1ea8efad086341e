"""Sections about single samples: how they ended, those that were refused, problems won and lost."""

from __future__ import annotations

from flows.report.part import Part
from flows.report.values import name, number, percent, short
from flows.rest_em.page.view import View
from tasks.rows import Json

# Where nothing else happens, the accuracy says it already.
_PLAIN = {"correct", "wrong_answer", "no_answer"}


def endings(view: View) -> Part:
    """Statuses of greedy solutions of test problems and of samples drawn to train on."""
    columns: list[tuple[str, Json]] = []
    for now in view.iterations:
        if now.get("statuses"):
            columns.append((f"{short(now)}, greedy", now["statuses"]))
        drawn = (now.get("drawn") or {}).get("statuses")
        if drawn:
            columns.append((f"{short(now)}, drawn", drawn))
    found = {status for _, counts in columns for status in counts}
    totals = [sum(number(n) for n in counts.values()) for _, counts in columns]
    rows = [
        [
            status.replace("_", " "),
            *(
                f"{number(counts.get(status)):,.0f} ({percent(number(counts.get(status)) / total)})"
                for (_, counts), total in zip(columns, totals, strict=True)
            ),
        ]
        for status in sorted(found, key=lambda status: (status != "correct", status))
    ]
    table = {"head": ["", *(title for title, _ in columns)], "rows": rows}
    note = (
        "Greedy solutions of test problems, and samples drawn for training, by policy. "
        "A checker or sandbox error says nothing about the solution; it counts as wrong and is "
        "never trained on."
    )
    wide = "long" if found - _PLAIN else ""
    return Part("How solutions ended", note, table=table if rows else None, kind=wide).or_nothing()


def refused(view: View) -> Part:
    """A sample of each way to fail, from the last policy that was sampled to train on."""
    drawn = [now for now in view.iterations if (now.get("drawn") or {}).get("refused")]
    groups = [
        {
            "title": f"Drawn from {name(now)}",
            "problems": [
                {
                    **{key: item.get(key) or "" for key in ("id", "question", "reference")},
                    "before": "",
                    "policy": str(item.get("status") or "").replace("_", " "),
                    "after": item.get("text") or "",
                    "after_mark": "drawn",
                }
                for item in now["drawn"]["refused"]
            ],
        }
        for now in drawn[-1:]
    ]
    note = "The first sample of each way to fail. Nothing of them is trained on."
    return Part("Samples that were refused", note, groups=groups, kind="long").or_nothing()


def changes(view: View) -> Part:
    """Newly solved and newly lost problems of the best and the last policy, with their texts."""
    wanted = {
        id(now): now for now in (view.best, *view.iterations[-1:]) if now and now["iteration"]
    }
    groups = [
        _group(now, key, before, after)
        for now in wanted.values()
        for key, before, after in (("solved", "wrong", "right"), ("lost", "right", "wrong"))
    ]
    note = "Against the base policy, greedy, on test problems. Open one to read both solutions."
    return Part("Newly solved and newly lost", note, groups=groups, kind="long").or_nothing()


def _group(now: Json, key: str, before: str, after: str) -> Json:
    items = now.get(key) or []
    total, policy = now.get(f"{key}_total"), name(now).capitalize()
    count = f"{len(items)} shown" if total is None else f"{total} in all, {len(items)} shown"
    marks = {"policy": policy, "before_mark": before, "after_mark": after}
    texts = ("id", "question", "reference", "before", "after")
    return {
        "title": f"{policy}: newly {key} ({count})",
        "problems": [{text: item.get(text) or "" for text in texts} | marks for item in items],
    }
