"""An audit in words and rows, for console, page and markdown."""

from __future__ import annotations

from flows.audit.results import AuditReport
from flows.audit.sample import Stratum
from flows.report.panel import Table
from flows.report.tables import plain_table
from flows.report.values import between, by_size, clean, counted, percent
from tasks.evaluate.intervals import Interval

# Kinds of disagreement on the console; the page has more.
SHOWN_KINDS = 8
# A cell of the console's tables is cut here.
_WIDTH = 40

RATES = {
    "false_positive": "false-positive rate: of wrong answers, accepted",
    "false_negative": "false-negative rate: of right answers, refused",
    "accepted_wrong": "of what we accept, wrong",
    "refused_right": "of what we refuse, right",
}
DIRECTIONS = {
    Stratum.ACCEPTED.value: "we accept, the second checker says unequal",
    Stratum.REFUSED.value: "we refuse, the second checker says equal",
}


def audit_text(facts: AuditReport) -> str:
    """What the console shows."""
    blocks = [f"{facts.run}: {agreement_line(facts)}", lead(facts)]
    tables = (strata_table(facts), rates_table(facts), groups_table(facts))
    blocks += [plain_table(one.head, one.rows) for one in tables if one.rows]
    for side, title in DIRECTIONS.items():
        table = disagreements_table(facts, side, _WIDTH)
        if table.rows:
            blocks.append(f"{title}:\n{plain_table(table.head, table.rows[:SHOWN_KINDS])}")
            if len(table.rows) > SHOWN_KINDS:
                blocks[-1] += f"\n… and {len(table.rows) - SHOWN_KINDS} more"
    blocks += [f"note: {text}" for text in notes(facts)]
    return "\n\n".join(blocks)


def agreement_line(facts: AuditReport) -> str:
    """One line with the agreement."""
    m, name = facts.agreement.overall, second_name(facts)
    if m is None:
        return f"{name} decided none of the pairs"
    return f"{name} agrees with our checker on {percent(m.value)} of pairs {between(m)}"


def second_name(facts: AuditReport) -> str:
    """The second checker with its version."""
    return f"{facts.second.name} {facts.second.version}"


def lead(facts: AuditReport) -> str:
    """What was drawn from what."""
    asked = sum(one.asked for one in facts.strata.values())
    whole = sum(one.pairs for one in facts.strata.values())
    return (
        f"{asked:,} of {counted(whole, 'unlike (reference, text) pair')}, from "
        f"{counted(facts.samples, 'sample')} of {counted(facts.problems, 'problem')}; "
        f"seed {facts.seed}."
    )


def strata_table(facts: AuditReport) -> Table:
    """What was asked of each of our verdicts, and the opinions."""
    rows = [
        [name, one.pairs, one.asked, one.equal, one.unequal, one.undecided]
        for name, one in facts.strata.items()
        if one.pairs
    ]
    return Table(["our verdict", "pairs", "asked", "equal", "unequal", "undecided"], rows)


def rates_table(facts: AuditReport) -> Table:
    """Error rates: the bound, and the estimate where there are labels."""
    found = [facts.bounds, *([facts.estimates] if facts.estimates else [])]
    titles = ["our errors", "at most, if the second is right", "with labels"][: 1 + len(found)]
    rows = [[title, *(_error_cell(vars(of)[key]) for of in found)] for key, title in RATES.items()]
    return Table(titles, rows)


def groups_table(facts: AuditReport) -> Table:
    """Agreement by subject, or by level."""
    groups = facts.agreement.groups
    rows = [
        [name, groups[name].pairs, groups[name].disagreements, _rate_cell(groups[name].agreement)]
        for name in by_size(list(groups))
    ]
    return Table([facts.grouped_by, "decided", "disagree", "agreement"], rows)


def disagreements_table(facts: AuditReport, side: str, width: int = 0) -> Table:
    """Kinds of disagreement of a direction, the most common first; cells are cut at `width`."""
    rows = []
    for one in facts.disagreements[side]:
        status = one.status.replace("_", " ")
        read = (one.second_text or "nothing", one.second_value or "–")
        cells = (one.reference, one.extracted, status, *read)
        rows.append([one.pairs, *(_cut(cell, width) if width else cell for cell in cells)])
    return Table(["pairs", "reference", "we found", "our status", "second found", "read as"], rows)


def notes(facts: AuditReport) -> list[str]:
    """What a reader must know to read the numbers."""
    return [
        "Where the two checkers disagree, one of them is wrong. So a rate that rests on the second "
        "checker alone is the most that ours can be wrong, among the errors that this audit can "
        "see. It cannot see an error that both checkers make.",
        *_nothing_seen(facts),
        *_undecided(facts),
        *_unsettled(facts),
        *_labels(facts),
        *facts.notes,
    ]


def _nothing_seen(facts: AuditReport) -> list[str]:
    said = []
    rates = {
        "false_positive": facts.bounds.false_positive,
        "false_negative": facts.bounds.false_negative,
    }
    for key, m in rates.items():
        if m and m.value == 0:
            said.append(
                f"{RATES[key].split(':')[0].capitalize()}: none seen in "
                f"{counted(m.problems, 'problem')}, so it may be as large as {percent(m.high)} "
                f"(exact; the rule of three, 3/{m.problems:,}, says "
                f"{percent(min(1.0, 3 / m.problems))} one-sided)."
            )
    return said


def _undecided(facts: AuditReport) -> list[str]:
    count = sum(facts.undecided.values())
    if not count:
        return []
    why = ", ".join(f"{clean(reason)}: {n}" for reason, n in facts.undecided.items())
    return [
        f"{counted(count, 'pair')} left undecided by the second checker ({why}): out of the rates, "
        "as if like the others of the same verdict."
    ]


def _unsettled(facts: AuditReport) -> list[str]:
    one = facts.strata[Stratum.UNSETTLED.value]
    if not one.pairs:
        return []
    return [
        f"On {counted(one.pairs, 'pair')} our checker has no verdict (that counts as wrong, and "
        f"is out of the rates); of {one.asked:,} asked the second says equal for "
        f"{one.equal:,}."
    ]


def _labels(facts: AuditReport) -> list[str]:
    if facts.estimates is None:
        return []
    return [
        f"{DIRECTIONS[side]}: {one.labelled} of {counted(one.disagreements, 'disagreement')} "
        f"labelled; our checker is wrong in {one.ours_wrong} of these."
        for side, one in facts.labels.items()
        if one.disagreements
    ]


def _error_cell(m: Interval | None) -> str:
    """An error rate; of an error that was not seen, how large it may be."""
    if m and m.value == 0:
        return f"none seen, at most {percent(m.high, 2)}"
    return _rate_cell(m)


def _rate_cell(m: Interval | None) -> str:
    """A rate with its interval, to a hundredth of a percent."""
    if m is None:
        return "–"
    return f"{percent(m.value, 2)} {between(m, digits=2)}"


def _cut(text: str, width: int) -> str:
    """A text on one line, not wider than `width`."""
    text = " ".join(clean(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"
