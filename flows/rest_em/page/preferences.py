"""The report's sections on what rewards a run: labels, reward model, and proxy reward."""

from __future__ import annotations

from flows.report.charts import Axes, Point, Series, bar_chart, line_chart
from flows.report.palette import AMBER, GREY, INK, OLIVE, PINK, RIGHT, policy_colour
from flows.report.panel import Panel, ShownSolution, SolutionGroup, Table, charts
from flows.report.values import percent, point, policy_named, policy_title, share_cell
from flows.rest_em.page.policies import iteration_ticks, shown_policies
from flows.rest_em.page.proxy import proxy
from flows.rest_em.results import RunReport
from tasks.evaluate.alignment import Alignment
from tasks.evaluate.intervals import Interval
from tasks.evaluate.labels import MARKS, LabelMetrics, ShownPair
from tasks.evaluate.reward_model import ModelAccuracy

_MARKS = {
    "right": "Labels that are right",
    "wrong": "Labels that are wrong",
    "undecided": "Labels of one half",
    "not known": "Labels",
}
# Accuracies of a reward model: field of ModelAccuracy -> words and colour.
_ACCURACIES = {
    "accuracy": ("reward model", INK),
    "shuffled": ("fit on shuffled labels", OLIVE),
    "longer": ("longer wins", PINK),
    "random": ("coins", GREY),
    "ceiling": ("ceiling", RIGHT),
}
_THIRDS = ("smallest third", "middle third", "largest third")


def preference_sections(report: RunReport) -> list[Panel]:
    """Panels; none in a run that the checker alone rewards."""
    found = _labels(report).values()
    panels = [labels(report)] if found else []
    if any(one.alignment for one in found):
        panels += [calibration(report), position(report), difficulty(report)]
    if any(one.model for one in found):
        panels.append(reward_model(report))
    if any(now.proxy for now in report.iterations):
        panels.append(proxy(report))
    if any(one.shown for one in found):
        panels.append(pairs(report))
    return panels


def preference_line(report: RunReport) -> list[str]:
    """A sentence on the newest labels and the model that was fit on them; none without any."""
    found = list(_labels(report).items())
    if not found:
        return []
    number, last = found[-1]
    said = []
    if last.alignment:
        said.append(f"labels are right on {share_cell(last.alignment.agreement)} of the pairs")
    if last.model:
        longer = percent(last.model.longer.value)
        said.append(
            f"the reward model agrees with {share_cell(last.model.accuracy)} of held-out labels "
            f"(longer wins: {longer})"
        )
    return [f"Samples of {policy_named(number)}: {', '.join(said)}."] if said else []


def labels(report: RunReport) -> Panel:
    """Counts of the labels, and their agreement with the reference."""
    found = _labels(report)
    of = _aligned(report)
    reference = {one.reference for one in found.values()}
    against = " and ".join(sorted(reference))
    rows = [
        ["pairs compared", *(f"{one.pairs:,}" for one in found.values())],
        ["without a label", *(f"{one.lost:,}" for one in found.values())],
        ["undecided", *(f"{one.undecided:,}" for one in found.values())],
    ]
    if of:
        rows += [
            [f"agreement with {against}", *(_of(of, n, "agreement") for n in found)],
            ["stays with the place", *(_of(of, n, "same_place") for n in found)],
            ["calibration error", *(_of(of, n, "calibration_error") for n in found)],
        ]
    if any(one.ceiling for one in found.values()):
        ceilings = (share_cell(one.ceiling) for one in found.values())
        rows.append(["ceiling: the checker", *ceilings])
    by = " and ".join(dict.fromkeys(one.labels for one in found.values()))
    note = (
        f"Pairs of samples of a problem, labelled by {by}. Agreement: share of the pairs on which "
        "the reference prefers one; an undecided label is right by half. Stays with the place: of "
        "pairs asked in both orders, the place is preferred and not the answer. Calibration error: "
        "the expected one, of how sure the labels are. Ceiling: how often the checker agrees with "
        "these people."
    )
    head = ["", *(f"from {policy_title(number)}" for number in found)]
    return Panel("Labels of pairs", note, table=Table(head, rows), kind="long").or_nothing()


def calibration(report: RunReport) -> Panel:
    """How often labels of a sureness are right."""
    series = [
        Series(
            policy_title(number),
            policy_colour(number),
            [point(one.sure, one.right, f"{one.pairs:,} pairs") for one in found.calibration],
        )
        for number, found in _aligned(report).items()
    ]
    exact = [Point(x, x, "") for x in (0.5, 1.0)]
    series.append(Series("exact", INK, exact, dashed=True, markers=False))
    axes = Axes(
        "Calibration of labels",
        "Share of labels that are right, by how sure the labeller was.",
        "mean p for the preferred sample",
        "right",
        [(x / 10, f"{10 * x}%") for x in range(5, 11)],
    )
    note = "Below the dashed line the labeller is surer than it should be."
    return Panel("Calibration of labels", note, charts(line_chart(series, axes))).or_nothing()


def position(report: RunReport) -> Panel:
    """What the place of an answer has to do with its label."""
    of = _aligned(report)
    same = [
        point(n, one.same_place, f"{policy_title(n)}, same place in both orders")
        for n, one in of.items()
        if one.same_place
    ]
    first = [
        Point(n, one.first_place, f"{policy_title(n)}, first place: {percent(one.first_place)}")
        for n, one in of.items()
    ]
    series = [Series("same place in both orders", PINK, same), Series("first place", AMBER, first)]
    axes = Axes(
        "Position bias",
        "Share of pairs whose answer stays with the place, and of answers for the first place.",
        "samples of",
        "share",
        iteration_ticks([now for now in report.iterations if now.iteration in of]),
    )
    note = (
        "Same place: of pairs asked in both orders, those on which the place is preferred and not "
        "the answer. First place: share of answers for what was shown first; 50% without a bias."
    )
    return Panel("Position bias", note, charts(bar_chart(series, axes))).or_nothing()


def difficulty(report: RunReport) -> Panel:
    """Agreement by how far apart the samples of a pair are."""
    of = {n: one for n, one in _aligned(report).items() if one.by_difficulty}
    series = [
        Series(
            policy_title(number),
            policy_colour(number),
            [
                point(place, m, f"{policy_title(number)}, mean difference {apart:.2f}")
                for place, (m, apart) in enumerate(
                    zip(found.by_difficulty, found.differences, strict=True)
                )
            ],
        )
        for number, found in of.items()
    ]
    axes = Axes(
        "Agreement by difficulty",
        "Share of labels that are right, by the difference of the checker's rewards.",
        "difference of the checker's rewards",
        "right",
        list(enumerate(_THIRDS)),
    )
    note = "Pairs in thirds by how far apart both samples are; the smallest third is the hardest."
    drawn = charts(bar_chart(series, axes))
    return Panel("Agreement by difficulty of the pair", note, drawn).or_nothing()


def reward_model(report: RunReport) -> Panel:
    """Pairwise accuracy beside what can be had without a model, and the most that can be had."""
    of = {number: one.model for number, one in _labels(report).items() if one.model}
    series = [
        Series(
            words,
            colour,
            [
                point(number, m, f"{policy_title(number)}, {words}")
                for number, one in of.items()
                if (m := _field(one, name))
            ],
        )
        for name, (words, colour) in _ACCURACIES.items()
    ]
    shown = [now for now in report.iterations if now.iteration in of]
    axes = Axes(
        "Accuracy of the reward model",
        "Share of held-out pairs on which the preferred sample gets the higher reward.",
        "fit on samples of",
        "agreement with labels",
        iteration_ticks(shown),
    )
    rows = [
        [words, *(share_cell(_field(one, name)) for one in of.values())]
        for name, (words, _) in _ACCURACIES.items()
        if any(_field(one, name) for one in of.values())
    ]
    rows.append(["against the checker", *(share_cell(one.oracle) for one in of.values())])
    rows.append(["held-out pairs", *(f"{one.pairs:,}" for one in of.values())])
    table = Table(["", *(f"from {policy_title(number)}" for number in of)], rows)
    note = (
        "Of pairs that neither trained the model nor chose its weights. Coins: what guessing "
        "reaches on so many pairs. Ceiling: how often the checker agrees with labels of people; no "
        "model that is right does so more often. Against the checker: agreement with its rewards."
    )
    drawn = charts(bar_chart(series, axes))
    return Panel("Accuracy of the reward model", note, drawn, table, kind="long").or_nothing()


def pairs(report: RunReport) -> Panel:
    """Pairs of the newest labels with both answers and the reasons."""
    number, found = [(n, one) for n, one in _labels(report).items() if one.shown][-1]
    groups = [
        SolutionGroup(_MARKS[mark], [_pair(one) for one in found.shown if one.mark == mark])
        for mark in MARKS
        if any(one.mark == mark for one in found.shown)
    ]
    note = f"Samples of {policy_named(number)}; drawn by the seed. Open one to read it."
    return Panel("Preference pairs", note, groups=groups, kind="long").or_nothing()


def _labels(report: RunReport) -> dict[int, LabelMetrics]:
    shown = shown_policies(report.iterations)
    return {now.iteration: now.labels for now in shown if now.labels}


def _aligned(report: RunReport) -> dict[int, Alignment]:
    return {n: one.alignment for n, one in _labels(report).items() if one.alignment}


def _of(found: dict[int, Alignment], number: int, name: str) -> str:
    one = found.get(number)
    return share_cell(getattr(one, name)) if one else "–"


def _field(found: ModelAccuracy, name: str) -> Interval | None:
    return getattr(found, name)


def _pair(one: ShownPair) -> ShownSolution:
    names = ("First", "Second")
    said = [f"label {percent(one.p, 0)} for the first"]
    if one.rewards:
        said.append(f"checker {one.rewards[0]:.2f} against {one.rewards[1]:.2f}")
    sides = [f"{percent(p, 0)}" for p in (one.p, 1 - one.p)]
    orders = ("first shown first", "first shown second")
    more = [
        (f"Reason, {order}", text.strip()) for order, text in zip(orders, one.reasons, strict=False)
    ]
    if len(one.shown) > 1:
        answers = ", ".join(
            f"{percent(p, 0)} {order}" for p, order in zip(one.shown, orders, strict=False)
        )
        said.append(answers)
    return ShownSolution(
        one.problem_id,
        one.question,
        ", ".join(said),
        policy=names[1],
        after=one.texts[1],
        after_mark=sides[1],
        before=one.texts[0],
        before_mark=sides[0],
        before_policy=names[0],
        more=more,
    )
