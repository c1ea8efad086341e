"""What a run's report says in total: the best policy, its gain, the headline and its tiles."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from flows.report.paired import p_value
from flows.report.panel import Tile, tone_of
from flows.report.values import (
    between,
    counted,
    duration,
    pass_sizes,
    percent,
    points,
    policy_title,
)
from flows.rest_em.page.learned import few_rows, nothing_accepted, why_no_gain
from flows.rest_em.page.preferences import preference_line
from flows.rest_em.results import AgainstBase, PolicyReport, RunReport
from flows.runs.sample_filter import LOST, SOLVED, SampleFilter
from flows.runs.sample_link import samples_link
from tasks.dag.step_names import TEST
from tasks.evaluate.intervals import Interval, square_and_add


@dataclass(frozen=True)
class Headline:
    """What happened, in words and tiles."""

    title: str
    lines: list[str]
    tiles: list[Tile]


@dataclass(frozen=True)
class _Gain:
    """Gain in greedy accuracy over the base, and whether its interval is a paired one."""

    interval: Interval
    paired: bool


def headline(report: RunReport) -> Headline:
    """The first thing a reader sees."""
    base, best, last = report.iterations[0], report.best, report.iterations[-1]
    if last is base:
        title, said = nothing_accepted(report)
        return Headline(title, said, _tiles(report, None))
    now = last if best is base else best
    found = _gain(base, now)
    gain, start = found.interval, base.greedy.value
    if gain.value > 0:
        change = f"{percent(start)} → {percent(start + gain.value)}"
        named = policy_title(now.iteration)
        title = f"Greedy accuracy {change}: {points(gain.value)} in {named}"
        if gain.low <= 0:
            title = f"Greedy accuracy {change} in {named}, which may be chance"
    else:
        title = f"No iteration beats the base policy ({percent(start)} greedy)"
    if rows := few_rows(now):
        title = f"Trained on {counted(rows, 'row')} alone: {title[0].lower()}{title[1:]}"
    lines = [_verdict(report, found, now)]
    if now is not last:
        at = percent(last.greedy.value)
        lines.append(f"The last policy ({policy_title(last.iteration)}) is at {at}.")
    if len(report.iterations) > 2 and gain.value > 0:
        lines.append(
            f"{policy_title(now.iteration).capitalize()} is the best of "
            f"{len(report.iterations) - 1} on these same test problems, which flatters it a little."
        )
    why = why_no_gain(report, now, gain) if gain.low <= 0 else []
    said = [Markup(" ").join(lines), *why, *_variety(base, last), *preference_line(report)]
    return Headline(title, said, _tiles(report, now))


def _gain(base: PolicyReport, now: PolicyReport) -> _Gain:
    if now.against_base and now.against_base.gain:
        return _Gain(now.against_base.gain, True)
    before, after = base.greedy, now.greedy
    low, high = square_and_add(after, before)
    return _Gain(Interval(after.value - before.value, low, high, after.problems), False)


def _verdict(report: RunReport, found: _Gain, now: PolicyReport) -> str:
    gain = found.interval
    reach = f"{points(gain.low, '')} to {points(gain.high)}"
    how = "paired over the same" if found.paired else "over"
    if gain.low > 0:
        said = "the gain is larger than chance in the choice of problems explains"
    elif gain.high < 0:
        said = "the loss is larger than chance in the choice of problems explains"
    else:
        said = "which includes no change"
    text = (
        f"{policy_title(now.iteration).capitalize()} against the base policy: "
        f"{points(gain.value)}, {100 * report.confidence:g}% interval {reach} ({how} "
        f"{counted(gain.problems, 'test problem')}); {said}."
    )
    return text + (_tested(report, now.iteration, now.against_base) if now.against_base else "")


def _tested(report: RunReport, number: int, found: AgainstBase) -> Markup:
    """McNemar's exact test in words, with its counts leading to the samples."""
    p = p_value(found.p)

    def counts(kind: str, count: int, shown: str) -> str:
        asked = SampleFilter(TEST, number, flipped=kind)
        return samples_link(report.run, asked, shown) if count else shown

    return Markup(" Newly solved: {}; newly lost: {} (McNemar p {}).").format(
        counts(SOLVED, found.solved_total, counted(found.solved_total, "problem")),
        counts(LOST, found.lost_total, f"{found.lost_total:,}"),
        p if p[0] == "<" else f"= {p}",
    )


def _variety(base: PolicyReport, last: PolicyReport) -> list[str]:
    """A word on pass@k at the largest k, which a self-trained policy often loses."""
    sizes = pass_sizes(last.metrics)
    key = f"pass@{sizes[-1]}" if sizes else ""
    before, after = base.metrics.get(key), last.metrics.get(key)
    if not before or not after or sizes[-1] < 2:
        return []
    found = last.pass_gain
    low, high = (found.low, found.high) if found else square_and_add(after, before)
    was, now = percent(before.value), percent(after.value)
    if high < 0:
        return [f"{key} fell below the base policy's, {was} → {now}: the policy lost variety."]
    if low > 0:
        return [f"{key} rose too, {was} → {now}."]
    change = f"changed from {was} to {now}, within noise" if was != now else f"stayed at {now}"
    return [f"{key} {change}."]


def _tiles(report: RunReport, now: PolicyReport | None) -> list[Tile]:
    base = report.iterations[0]
    tiles = [Tile(percent(base.greedy.value), f"base policy, greedy {between(base.greedy)}")]
    if now:
        text = f"{policy_title(now.iteration)}, greedy {between(now.greedy)}"
        tiles.append(Tile(percent(now.greedy.value), text))
        gain = _gain(base, now).interval
        text = f"points over the base {between(gain, False)}"
        tiles.append(Tile(points(gain.value, ""), text, tone_of(gain)))
        if gap := now.metrics.get("gap"):
            tiles.append(
                Tile(points(gap.value, ""), f"points train over test {between(gap, False)}")
            )
    rates = [rate for one in report.iterations if (rate := one.acceptance) is not None]
    if rates:
        value = (
            percent(rates[0])
            if len(rates) == 1
            else f"{percent(rates[0], 0)} → {percent(rates[-1], 0)}"
        )
        tiles.append(Tile(value, f"of the drawn samples are {report.accepted}"))
    if report.cost and (seconds := report.cost.total.made["seconds"]):
        tiles.append(Tile(duration(seconds), "of work in steps, when first done"))
    return tiles
