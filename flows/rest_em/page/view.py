"""What a run's summary says in total: the best policy, its gain, the headline and its tiles."""

from __future__ import annotations

from dataclasses import dataclass

from flows.report.part import tile
from flows.report.values import (
    acceptance,
    as_interval,
    between,
    duration,
    metric,
    name,
    number,
    pass_sizes,
    percent,
    points,
    scrub,
)
from tasks.evaluate.intervals import Interval, square_and_add
from tasks.rows import Json


@dataclass(frozen=True)
class Headline:
    """What happened, in words and tiles."""

    title: str
    lines: list[str]
    tiles: list[Json]


class View:
    """A run's summary with defaults for everything that is missing."""

    def __init__(self, report: Json) -> None:
        # Models and data sets wrote much of it: nothing is used that was not cleaned.
        self.report: Json = scrub(report)
        self.iterations: list[Json] = self.report.get("iterations") or []
        self.config: Json = self.report.get("config") or {}
        evaluation = self.config.get("evaluation") or {}
        self.level = f"{100 * evaluation.get('confidence', 0.95):g}%"

    @property
    def accepted(self) -> str:
        """What a sample is called that has enough reward to be trained on."""
        scored = (self.config.get("filter") or {}).get("score", "correct")
        return "correct" if scored == "correct" else "accepted"

    @property
    def best(self) -> Json | None:
        """The policy with the highest greedy accuracy; the earliest of equals."""
        measured = [
            (m.value, -now["iteration"], now)
            for now in self.iterations
            if (m := metric(now, "greedy"))
        ]
        return max(measured, key=lambda item: item[:2])[2] if measured else None

    def shown(self) -> list[Json]:
        """Policies that fit one chart: the base and the last five."""
        if len(self.iterations) <= 6:
            return self.iterations
        return [self.iterations[0], *self.iterations[-5:]]

    def gain(self, now: Json) -> tuple[Interval, bool] | None:
        """Gain in greedy accuracy over the base, and whether its interval is a paired one."""
        given = as_interval(now.get("gain"))
        if given:
            return given, True
        before, after = metric(self.iterations[0], "greedy"), metric(now, "greedy")
        if not before or not after:
            return None
        low, high = square_and_add(after, before)
        return Interval(after.value - before.value, low, high, after.problems), False

    def headline(self) -> Headline:
        """The first thing a reader sees."""
        best = self.best
        base = metric(self.iterations[0], "greedy") if self.iterations else None
        if best is None or base is None:
            return Headline("No policy has been measured yet", [], self._tiles(None))
        if len(self.iterations) == 1:
            title = f"The base policy solves {percent(base.value)} of the test problems"
            return Headline(title, ["No iteration is done yet."], self._tiles(None))
        last = self.iterations[-1]
        now = best if best is not self.iterations[0] else last
        found = self.gain(now)
        if found is None:
            title = f"The base policy solves {percent(base.value)} of the test problems"
            return Headline(title, ["The later policies are not measured."], self._tiles(None))
        gain, paired = found
        after = base.value + gain.value
        change = f"{percent(base.value)} → {percent(after)}"
        if gain.value > 0:
            title = f"Greedy accuracy {change}: {points(gain.value)} in {name(now)}"
        else:
            title = f"No iteration beats the base policy ({percent(base.value)} greedy)"
        lines = [self._verdict(gain, paired, now)]
        iterations = len(self.iterations) - 1
        if now is not last and (m := metric(last, "greedy")):
            lines.append(f"The last policy ({name(last)}) is at {percent(m.value)}.")
        if iterations > 1 and gain.value > 0:
            lines.append(
                f"{name(now).capitalize()} is the best of {iterations} on these same test "
                "problems, which flatters it a little."
            )
        return Headline(title, [" ".join(lines), *self._crossings(last)], self._tiles(now))

    def _verdict(self, gain: Interval, paired: bool, now: Json) -> str:
        between = f"{points(gain.low, '')} to {points(gain.high)}"
        how = "paired over the same" if paired else "over"
        if gain.low > 0:
            said = "the gain is larger than chance in the choice of problems explains"
        elif gain.high < 0:
            said = "the loss is larger than chance in the choice of problems explains"
        else:
            said = "which includes no change: more test problems are needed to tell"
        return (
            f"{name(now).capitalize()} against the base policy: {points(gain.value)}, "
            f"{self.level} interval {between} ({how} {gain.problems} test problems); {said}."
            + _tested(now)
        )

    def _crossings(self, last: Json) -> list[str]:
        """A word on pass@k at the largest k, which a self-trained policy often loses."""
        sizes = pass_sizes(last)
        if not sizes or sizes[-1] < 2:
            return []
        key = f"pass@{sizes[-1]}"
        before, after = metric(self.iterations[0], key), metric(last, key)
        if not before or not after:
            return []
        low, high = square_and_add(after, before)
        change = f"{percent(before.value)} → {percent(after.value)}"
        if high < 0:
            return [f"{key} fell below the base policy's, {change}: the policy lost variety."]
        if low > 0:
            return [f"{key} rose too, {change}."]
        return [
            f"{key} changed from {percent(before.value)} to {percent(after.value)}, within noise."
        ]

    def _tiles(self, now: Json | None) -> list[Json]:
        tiles: list[Json] = []
        if self.iterations and (base := metric(self.iterations[0], "greedy")):
            tiles.append(tile(percent(base.value), f"base policy, greedy {between(base)}"))
        if now:
            if after := metric(now, "greedy"):
                tiles.append(tile(percent(after.value), f"{name(now)}, greedy {between(after)}"))
            if found := self.gain(now):
                gain = found[0]
                tone = "up" if gain.low > 0 else "down" if gain.high < 0 else ""
                tiles.append(
                    tile(
                        points(gain.value, ""), f"points over the base {between(gain, False)}", tone
                    )
                )
            if gap := metric(now, "gap"):
                tiles.append(
                    tile(points(gap.value, ""), f"points train over test {between(gap, False)}")
                )
        rates = [r for i in self.iterations if (r := acceptance(i)) is not None]
        if rates:
            value = (
                percent(rates[0])
                if len(rates) == 1
                else f"{percent(rates[0], 0)} → {percent(rates[-1], 0)}"
            )
            tiles.append(tile(value, f"of the drawn samples are {self.accepted}"))
        seconds = sum(number(s.get("seconds")) for s in self.report.get("steps") or [])
        if seconds:
            tiles.append(tile(duration(seconds), "of work in steps, when first done"))
        return tiles


def _tested(now: Json) -> str:
    """McNemar's exact test in words, where it was made."""
    if not isinstance(now.get("p"), int | float):
        return ""
    p = now["p"]
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    solved, lost = number(now.get("solved_total")), number(now.get("lost_total"))
    return f" {solved:.0f} problems are newly solved, {lost:.0f} newly lost (McNemar {said})."
