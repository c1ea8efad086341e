"""The report's section on votes: what it is worth to train on the majority's answer."""

from __future__ import annotations

from flows.report.panel import Panel, Table
from flows.report.values import percent, policy_title
from flows.rest_em.results import RunReport


def votes(report: RunReport) -> Panel:
    """How often the majority is right, and how often its reward is, held against the checker."""
    found = {now.iteration: now.votes for now in report.iterations if now.votes}
    columns = {
        "problems with a vote": [f"{one.problems:,}" for one in found.values()],
        "majority right": [_share(one.labels_right, one.problems) for one in found.values()],
        "reward as the checker's": [
            _share(one.rewards_right, one.samples) for one in found.values()
        ],
        "the same, where the majority is wrong": [
            _share(one.misled_right, one.misled) for one in found.values()
        ],
    }
    rows = [[text, *cells] for text, cells in columns.items()]
    table = Table(["", *(f"from {policy_title(number)}" for number in found)], rows)
    note = (
        "Samples were rewarded for the answer that most of them give. The checker's verdicts, "
        "which training did not see, say what that is worth: a wrong majority still gives the "
        "right reward, 0, to every wrong answer that is not its own."
    )
    return Panel("What the votes are worth", note, table=table if found else None).or_nothing()


def _share(part: int, whole: int) -> str:
    return f"{percent(part / whole)} ({part:,} of {whole:,})" if whole else "–"
