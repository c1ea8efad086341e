"""An audit in words and rows, for console, page and markdown (its facts: flows/audit/audit.py)."""

from __future__ import annotations

from typing import Any

from flows.audit.sample import Stratum
from flows.report.tables import plain_table
from flows.report.values import as_interval, between, by_size, clean, percent
from tasks.rows import Json

# Kinds of disagreement on the console; the page has more.
SHOWN = 8
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


def table(facts: Json) -> str:
    """What the console shows."""
    blocks = [
        f"{facts['run']}: {headline(facts)}",
        lead(facts),
        plain_table(*strata_rows(facts)),
        plain_table(*rate_rows(facts)),
    ]
    titles, rows = group_rows(facts)
    if rows:
        blocks.append(plain_table(titles, rows))
    for side, title in DIRECTIONS.items():
        titles, rows = disagreement_rows(facts, side)
        if rows:
            short = [[cut(value, _WIDTH) for value in row] for row in rows[:SHOWN]]
            blocks.append(f"{title}:\n{plain_table(titles, short)}")
            if len(rows) > SHOWN:
                blocks[-1] += f"\n… and {len(rows) - SHOWN} kinds more"
    blocks += [f"note: {text}" for text in notes(facts)]
    return "\n\n".join(blocks)


def headline(facts: Json) -> str:
    """One line with the agreement."""
    m = as_interval(facts["agreement"]["overall"])
    name = second_name(facts)
    if m is None:
        return f"{name} decided none of the pairs"
    return f"{name} agrees with our checker on {percent(m.value)} of pairs {between(m)}"


def second_name(facts: Json) -> str:
    """The second checker with its version."""
    return f"{facts['second']['name']} {facts['second']['version']}"


def lead(facts: Json) -> str:
    """What was drawn from what."""
    strata = facts["strata"].values()
    asked, whole = (sum(one[key] for one in strata) for key in ("asked", "pairs"))
    return (
        f"{asked:,} of {whole:,} unlike (reference, text) pairs, from {facts['samples']:,} samples "
        f"of {facts['problems']:,} problems; seed {facts['seed']}."
    )


def strata_rows(facts: Json) -> tuple[list[str], list[list[Any]]]:
    """What was asked of each of our verdicts, and the opinions."""
    titles = ["our verdict", "pairs", "asked", "equal", "unequal", "undecided"]
    rows = [
        [name, *(one[key] for key in ("pairs", "asked", "equal", "unequal", "undecided"))]
        for name, one in facts["strata"].items()
        if one["pairs"]
    ]
    return titles, rows


def rate_rows(facts: Json) -> tuple[list[str], list[list[str]]]:
    """Error rates: the bound, and the estimate where there are labels."""
    labelled = facts["estimates"] is not None
    titles = ["our errors", "at most, if the second is right"] + ["with labels"] * labelled
    rows = []
    for key, title in RATES.items():
        row = [title, cell(facts["bounds"][key])]
        if labelled:
            row.append(cell(facts["estimates"][key]))
        rows.append(row)
    return titles, rows


def group_rows(facts: Json) -> tuple[list[str], list[list[Any]]]:
    """Agreement by subject, or by level."""
    groups = facts["agreement"]["groups"]
    rows = [
        [group, groups[group]["pairs"], groups[group]["disagreements"], cell(one["agreement"])]
        for group, one in ((name, groups[name]) for name in by_size(list(groups)))
    ]
    return [facts["grouped_by"], "decided", "disagree", "agreement"], rows


def disagreement_rows(facts: Json, side: str) -> tuple[list[str], list[list[Any]]]:
    """Kinds of disagreement of a direction, the most common first."""
    titles = ["pairs", "reference", "we found", "our status", "second found", "read as"]
    rows = [
        [
            one["pairs"],
            one["reference"],
            one["extracted"],
            one["status"].replace("_", " "),
            one["second_text"] or "nothing",
            one["second_value"] or "–",
        ]
        for one in facts["disagreements"][side]
    ]
    return titles, rows


def notes(facts: Json) -> list[str]:
    """What a reader must know to read the numbers."""
    said = [
        "Disagreements are errors of one of the two, so what rests on the second checker alone is "
        "an upper bound for our errors, but for those that both make alike: nothing here sees "
        "them.",
        *_nothing_seen(facts),
        *_undecided(facts),
        *_unsettled(facts),
        *_labels(facts),
        *facts["notes"],
    ]
    return said


def _nothing_seen(facts: Json) -> list[str]:
    said = []
    for key in ("false_positive", "false_negative"):
        m = as_interval(facts["bounds"][key])
        if m and m.value == 0:
            said.append(
                f"{RATES[key].split(':')[0].capitalize()}: none seen in {m.problems:,} problems, "
                f"so it may be as large as {percent(m.high)} (exact; the rule of three, "
                f"3/{m.problems:,}, says {percent(min(1.0, 3 / m.problems))} one-sided)."
            )
    return said


def _undecided(facts: Json) -> list[str]:
    count = sum(facts["undecided"].values())
    if not count:
        return []
    why = ", ".join(f"{clean(reason)}: {n}" for reason, n in facts["undecided"].items())
    return [
        f"{_count(count, 'pair')} left undecided by the second checker ({why}): out of the rates, "
        "as if like the others of the same verdict."
    ]


def _unsettled(facts: Json) -> list[str]:
    one = facts["strata"][Stratum.UNSETTLED.value]
    if not one["pairs"]:
        return []
    return [
        f"On {_count(one['pairs'], 'pair')} our checker has no verdict (that counts as wrong, and "
        f"is out of the rates); of {one['asked']:,} asked the second says equal for "
        f"{one['equal']:,}."
    ]


def _labels(facts: Json) -> list[str]:
    if facts["estimates"] is None:
        return []
    said = []
    for side, one in facts["labels"].items():
        if one["disagreements"]:
            said.append(
                f"{DIRECTIONS[side]}: {one['labelled']} of {one['disagreements']} disagreements "
                f"are labelled; our checker is wrong in {one['ours_wrong']} of these."
            )
    return said


def cell(raw: Any) -> str:
    """A share with its interval."""
    m = as_interval(raw)
    return f"{percent(m.value, 2)} {_between(m)}" if m else "–"


def _between(m: Any) -> str:
    return f"[{100 * m.low:.2f},\u00a0{100 * m.high:.2f}]"


def cut(value: Any, width: int) -> Any:
    """A cell on one line, not wider than `width`."""
    if not isinstance(value, str):
        return value
    text = " ".join(clean(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
