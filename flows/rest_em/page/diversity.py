"""The report's section on how different a policy's samples are."""

from __future__ import annotations

from flows.report.panel import Panel, Table
from flows.report.values import policy_title
from flows.rest_em.results import RunReport
from tasks.evaluate.intervals import Interval


def diversity(report: RunReport) -> Panel:
    """Right paths a problem and the entropy of answers, policy by policy."""
    found = {now.iteration: now.diversity for now in report.iterations if now.diversity}
    columns = {
        "different right solutions a problem": [_cell(one.paths) for one in found.values()],
        "right samples of the same problems": [_cell(one.right) for one in found.values()],
        "entropy of the answers, bits": [_cell(one.entropy) for one in found.values()],
    }
    rows = [[text, *cells] for text, cells in columns.items() if set(cells) != {"–"}]
    table = Table(["", *(policy_title(number) for number in found)], rows)
    note = (
        "Samples of test problems. Two right solutions with the same equations in the same order "
        "count once. The entropy is 0 where all samples of a problem give one answer. A policy "
        "whose figures fall while its accuracy rises finds fewer ways, and pass@k of a large k "
        "falls next."
    )
    return Panel("How different the samples are", note, table=table if found else None).or_nothing()


def _cell(one: Interval | None) -> str:
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" if one else "–"
