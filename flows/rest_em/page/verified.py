"""The report's section on a verifier at test time."""

from __future__ import annotations

from flows.report.panel import Panel, Table
from flows.report.values import change_cell, policy_title, share_cell
from flows.rest_em.results import RunReport


def verified(report: RunReport) -> Panel:
    """Best of k and weighted votes beside the plain vote, policy by policy."""
    found = {now.iteration: now.verified for now in report.iterations if now.verified}
    names = list(dict.fromkeys(name for one in found.values() for name in one.metrics))
    rows: list[list[str]] = []
    for name in names:
        cells = (one.metrics.get(name) for one in found.values())
        rows.append([name, *map(share_cell, cells)])
        if any(name in one.over_majority for one in found.values()):
            more = (one.over_majority.get(name) for one in found.values())
            rows.append(
                [
                    f"{name} minus the plain vote, points",
                    *map(change_cell, more),
                ]
            )
    table = Table(["", *(policy_title(number) for number in found)], rows)
    note = (
        "A reward model chooses among the first k samples of each test problem: best@k takes the "
        "sample that it rates highest, wvote@k the answer with the largest sum of its ratings; "
        "maj@k counts each answer once. It saw training problems alone."
    )
    return Panel("A verifier at test time", note, table=table if found else None).or_nothing()
