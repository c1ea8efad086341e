"""The report's sections on how the policies were made: acceptance, filter, fine-tunes."""

from __future__ import annotations

from flows.report.charts import Axes, Part, stacked_bars
from flows.report.palette import AMBER, BROWN, INK, OLIVE, PINK, RIGHT, WRONG
from flows.report.panel import Panel, Table, charts
from flows.report.values import percent, policy_tick, policy_title
from flows.rest_em.page.policies import Shares, level_bars
from flows.rest_em.results import PolicyReport, RunReport
from flows.runs.sample_filter import NOT_CORRECT, SampleFilter
from flows.runs.sample_link import samples_address, samples_link
from tasks.dag.step_names import DRAW
from tasks.rows import Json, Status
from tasks.select.results import FATES, OUTSIDE_BAND, OVER_CAP, SelectionCounts
from tasks.select.selectors import SELECTORS, every

# What becomes of a sample: field of SelectionCounts -> words.
FATE_WORDS = {
    "kept": "kept",
    "dropped_reward": "wrong",
    "dropped_unfinished": "cut at the limit",
    "dropped_duplicate": "duplicate",
    "dropped_cap": "over the cap",
    "dropped_contaminated": "overlaps the test set",
    "dropped_band": "solved too rarely or too often",
}
# Selectors that want all of a problem's samples.
_ALL = {name for name, selector in SELECTORS.items() if selector is every}
_FATE_COLOURS = dict(zip(FATE_WORDS, (RIGHT, WRONG, BROWN, PINK, AMBER, INK, OLIVE), strict=True))


def acceptance_by_level(report: RunReport) -> Panel:
    """Share of correct samples by difficulty, of the samples drawn for training."""
    word = report.accepted

    def values(now: PolicyReport) -> Shares:
        return {
            level: (one.correct / one.samples, f"{one.correct:,} of {one.samples:,} {word}")
            for level, one in (now.selection.levels if now.selection else {}).items()
            if one.samples
        }

    chart = level_bars(report.iterations, values, "Acceptance by difficulty", f"samples {word}")
    note = "Samples drawn from each policy on training problems, before the filter's other rules."
    return Panel("Acceptance by difficulty", note, charts(chart)).or_nothing()


def fates(report: RunReport) -> Panel:
    """What became of the samples drawn from each policy."""
    rows, words, found = [], _fates(report), set()
    for now in report.iterations:
        counts, number = now.selection, now.iteration
        amounts = {name: count for name in words if (count := getattr(counts, name, 0))}
        marks = [
            Part(
                _FATE_COLOURS[name],
                count,
                f"from {policy_title(number)}: {count:,} {words[name]} "
                f"({percent(count / sum(amounts.values()))})",
                samples_address(asked) if (asked := _asked(report, now, name)) else "",
            )
            for name, count in amounts.items()
        ]
        found |= amounts.keys()
        if marks:
            rows.append((f"from {policy_tick(number)}", marks))
    axes = Axes("Fate of samples", "Samples kept and dropped by each rule.", "samples", "", [])
    names = [(_FATE_COLOURS[name], text) for name, text in words.items() if name in found]
    chart = stacked_bars(rows, axes, names)
    note = "Every sample falls to the first rule that drops it, or is kept for training."
    return Panel("What became of the samples", note, charts(chart)).or_nothing()


def _selections(report: RunReport) -> dict[int, SelectionCounts]:
    """The counts of each policy that samples were drawn from to train on."""
    return {now.iteration: now.selection for now in report.iterations if now.selection}


def _fates(report: RunReport) -> dict[str, str]:
    """The words for each fate; a sample that passes some tests is not just wrong."""
    scored = report.accepted != "correct"
    words = FATE_WORDS | ({"dropped_reward": "too little reward"} if scored else {})
    if not any(counts.dropped_band for counts in _selections(report).values()):
        del words["dropped_band"]
    return words


def filter_table(report: RunReport) -> Panel:
    """The counts of every rule."""
    accepted, drawn = report.accepted, _selections(report)
    article = "an" if accepted == "accepted" else "a"
    dropped = {name: f"dropped: {text}" for name, text in _fates(report).items() if name != "kept"}
    paired = any(counts.pairs is not None for counts in drawn.values())
    overlap = any(counts.problems_contaminated for counts in drawn.values())
    columns = {
        "samples": "samples drawn",
        "correct": accepted,
        **dropped,
        "kept": "kept for training",
        **({"pairs": "pairs with a wrong sample"} if paired else {}),
        "problems": "problems",
        **({"problems_contaminated": "problems that overlap the test set"} if overlap else {}),
        "problems_solved": f"problems with {article} {accepted} sample",
    }
    rows = [
        [text, *(_count(report, now, name) for now in report.iterations if now.selection)]
        for name, text in columns.items()
    ]
    rates = [now.acceptance for now in report.iterations if now.selection]
    rows.insert(2, [f"share {accepted}", *("–" if r is None else percent(r) for r in rates)])
    firsts = [counts.first for counts in drawn.values()]
    if any(firsts):  # further samples hang on verdicts, so their share is no accuracy
        shares = ("–" if not f else percent(f.correct / f.samples) for f in firsts)
        rows.insert(3, [f"share {accepted} of the samples that every problem has", *shares])
    table = Table(["", *(f"from {policy_title(number)}" for number in drawn)], rows)
    note = "Samples drawn from each policy, and how many each rule dropped."
    return Panel("What the filter dropped", note, table=table if drawn else None).or_nothing()


def _count(report: RunReport, now: PolicyReport, name: str) -> str:
    """A count of a policy's selection, which leads to the samples where they can be told."""
    asked = _asked(report, now, name)
    shown = f"{getattr(now.selection, name) or 0:,}"
    return samples_link(report.run, asked, shown) if asked else shown


def _asked(report: RunReport, now: PolicyReport, name: str) -> SampleFilter | None:
    """The samples behind a count of a policy's selection; None where they cannot be told."""
    count = getattr(now.selection, name) or 0
    fate = next((fate for fate, counted in FATES.items() if counted == name), "")
    if fate:
        told = now.selection and _told(report.config["filter"], now.selection, fate)
        return SampleFilter(DRAW, now.iteration, fate=fate) if count and told else None
    statuses = now.drawn.statuses if now.drawn else {}
    right = statuses.get(Status.CORRECT, 0)
    status, found = {
        "samples": ("", sum(statuses.values())),
        "correct": (Status.CORRECT.value, right),
        "dropped_reward": (NOT_CORRECT, sum(statuses.values()) - right),
    }.get(name, ("", 0))
    # Rules of the selection may count in another way.
    return SampleFilter(DRAW, now.iteration, status) if count and count == found else None


def _told(rules: Json, counts: SelectionCounts, fate: str) -> bool:
    """Whether what was selected tells which samples had a fate (flows/api/fates.py)."""
    if counts.pairs is not None or counts.wrong is not None or rules.get("select") == "human":
        return False
    if rules.get("thinking", "keep") != "keep" or rules.get("pool", "last") != "last":
        return False
    # A selector that leaves samples out does so before the band.
    banded = not counts.dropped_band or rules.get("select", "threshold") in _ALL
    if fate == OVER_CAP:
        besides = counts.samples - counts.correct != counts.dropped_reward
        return banded and not (besides or counts.dropped_contaminated)
    return banded or fate != OUTSIDE_BAND
