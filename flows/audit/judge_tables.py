"""An audit of a judge in words and rows, for the console."""

from __future__ import annotations

from flows.audit.judge_results import AskedSo, JudgeAudit
from flows.report.panel import Table
from flows.report.tables import metric_cell, plain_table
from flows.report.values import counted, percent
from tasks.evaluate.alignment import Alignment

THIRDS = ("hard problems", "middle", "easy problems")


def judge_text(facts: JudgeAudit) -> str:
    """What the console shows."""
    blocks = [
        f"{facts.run}: {facts.judge}, asked which of two samples is better ({facts.prompt})",
        f"{counted(facts.pairs, 'pair')} of a right and a wrong sample of "
        f"{counted(facts.problems, 'problem')}; seed {facts.seed}. In %, with "
        f"{100 * facts.confidence:g}% intervals over problems.",
    ]
    tables = (ways_table(facts), calibration_table(facts))
    blocks += [plain_table(one.head, one.rows) for one in tables if one.rows]
    return "\n\n".join([*blocks, *(f"note: {text}" for text in notes(facts))])


def ways_table(facts: JudgeAudit) -> Table:
    """How far the judge agrees, by how it is asked."""
    head = ["asked", "agreement", "same place", "first place", *THIRDS, "calibration error"]
    rows = [[way_name(way), *_cells(way.alignment)] for way in facts.ways]
    if any(way.unjudged for way in facts.ways):
        head.append("without an answer")
        rows = [[*row, str(way.unjudged)] for row, way in zip(rows, facts.ways, strict=True)]
    return Table(head, rows)


def calibration_table(facts: JudgeAudit) -> Table:
    """How often the judge is right, by how sure it is."""
    rows = [
        [
            way_name(way),
            f"{100 * one.low:.0f} to {100 * one.high:.0f}",
            str(one.pairs),
            percent(one.sure),
            metric_cell(one.right),
        ]
        for way in facts.ways
        if way.alignment
        for one in way.alignment.calibration
    ]
    return Table(["asked", "its p in %", "pairs", "mean p", "right"], rows)


def way_name(way: AskedSo) -> str:
    """How the judge is asked, in words."""
    orders = "both orders" if way.swap else "one order"
    return f"{orders}, {'a reason first' if way.reasoning else 'at once'}"


def notes(facts: JudgeAudit) -> list[str]:
    """What a reader must know to read the numbers."""
    said = [
        "Agreement: the share of pairs on which it prefers the right sample; where it is undecided "
        "a pair counts half. A judge that knows nothing has 50%.",
        "Same place: of the pairs asked in both orders, those on which it prefers the same place "
        "twice. First place: of its answers, those that prefer what stands first.",
    ]
    lost = sum(way.unjudged for way in facts.ways if way.swap)
    if lost:
        said.append(f"{lost} times it gave no answer about a pair; these are left out.")
    return said


def _cells(found: Alignment | None) -> list[str]:
    if found is None:
        return ["-"] * (4 + len(THIRDS))
    thirds = [metric_cell(one) for one in found.by_difficulty]
    return [
        metric_cell(found.agreement),
        metric_cell(found.same_place),
        f"{100 * found.first_place:.1f}",
        *thirds,
        *["-"] * (len(THIRDS) - len(thirds)),
        metric_cell(found.calibration_error),
    ]
