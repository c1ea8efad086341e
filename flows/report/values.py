"""Single values of a result in words: shares, differences, intervals, names of policies, texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from flows.report.charts import Point
from tasks.evaluate.intervals import Interval
from tasks.rows import Status
from tasks.terminal import visible

Value = TypeVar("Value")
# Longer model texts are cut: a page of a hundred of them stays under a megabyte.
_LONGEST_TEXT = 4000
# Of a hundredth, where the first are all 0 or all 9.
_MOST_DIGITS = 6
# Verdicts that say nothing of the solution.
UNCHECKED = (Status.CHECKER_ERROR, Status.SANDBOX_ERROR, Status.ENGINE_ERROR)


def point(x: float, m: Interval, text: str, *, signed: bool = False) -> Point:
    """A chart's point with its interval and the text for a pointer."""
    value = points(m.value) if signed else percent(m.value)
    tip = f"{text}: {value} {between(m, not signed)}, {counted(m.problems, 'problem')}"
    return Point(x, m.value, tip, m.low, m.high)


def pass_sizes(metrics: Iterable[str]) -> list[int]:
    """The k of the pass@k among names of metrics, in order."""
    return sorted(int(name[5:]) for name in metrics if name.startswith("pass@"))


def policy_title(number: int) -> str:
    """`base policy` or `iteration 2`."""
    return f"iteration {number}" if number else "base policy"


def policy_named(number: int) -> str:
    """The same within a sentence: `the base policy` or `iteration 2`."""
    return policy_title(number) if number else f"the {policy_title(number)}"


def policy_tick(number: int) -> str:
    """The number for an axis; `base` for 0."""
    return str(number) if number else "base"


def counted(number: int, noun: str) -> str:
    """A number and what it counts: `1 problem`, `1,200 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def hundredths(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """A share of 1 in hundredths.

    It has more digits than asked for where it would be taken for 0 or 100 and is neither.
    """
    exact = 100 * value
    if abs(exact) < 1e-9:
        return f"{0:.{digits}f}"
    while digits < _MOST_DIGITS and abs(round(exact, digits)) in (0, 100) and abs(exact) != 100:
        digits += 1
    return f"{exact:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def percent(value: float, digits: int = 1) -> str:
    """A share of 1 as text."""
    return f"{hundredths(value, digits)}%"


def points(value: float, unit: str = " points") -> str:
    """A difference of shares in percentage points."""
    return hundredths(value, signed=True) + unit


def between(m: Interval, share: bool = True, digits: int = 1) -> str:
    """An interval in brackets, in percent or in points; it does not break over lines.

    Bounds stay where the value itself can be: over a few seeds t-intervals reach further.
    """
    least = 0.0 if share else -1.0
    bounds = (min(1.0, max(least, bound)) for bound in (m.low, m.high))
    low, high = (hundredths(bound, digits, signed=not share) for bound in bounds)
    return f"[{low},\u00a0{high}]"


def duration(seconds: float) -> str:
    """Seconds in the two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.1 or not seconds else f"{seconds:.1g} s"
    minutes = round(seconds / 60)
    return f"{seconds / 60:.1f} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def share_cell(m: Interval | None) -> str:
    """A share with its interval, in percent; a dash for none."""
    return f"{percent(m.value)} {between(m)}" if m else "–"


def change_cell(m: Interval | None) -> str:
    """A difference with its interval, in points; a dash for none."""
    return f"{points(m.value, '')} {between(m, False)}" if m else "–"


def unchecked(statuses: Mapping[str, int]) -> int:
    """Solutions of which nobody knows whether they are right; they count as wrong."""
    return sum(statuses.get(name, 0) for name in UNCHECKED)


def by_size(levels: Sequence[str]) -> list[str]:
    """Levels in the order of their numbers, words after them."""
    return sorted(
        levels, key=lambda level: (not level.isdigit(), int(level) if level.isdigit() else 0, level)
    )


def clean(text: str) -> str:
    """Text of a model made fit to show: control characters visible, length bounded."""
    rest = len(text) - _LONGEST_TEXT
    return whole(text[:_LONGEST_TEXT] + (f"… ({rest} more characters)" if rest > 0 else ""))


def whole(text: str) -> str:
    """The same in its whole length."""
    shown = "".join(
        chr(0x2400 + ord(c))
        if ord(c) < 32 and c not in "\n\t"
        else "\ufffd"
        if 127 <= ord(c) < 160
        else c
        for c in text
    )
    # What is left of it turns the direction of writing, or ends a line.
    return visible(shown.encode("utf-8", "replace").decode("utf-8"))


def shown_reference(reference: str) -> str:
    """A reference in a few words: an answer as it is, of a program's tests their number."""
    try:
        tests = json.loads(reference)
    except ValueError:
        tests = None
    if not isinstance(tests, dict):
        return f"answer {reference}"
    cases = tests.get("tests") or tests.get("cases")
    return counted(len(cases), "test") if cases else "a check function"


def scrub(value: Value) -> Value:
    """A copy of a result in which every text, keys of dictionaries included, is `clean`."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: scrub(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, dict):
        return {clean(key): scrub(inner) for key, inner in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        return type(value)(scrub(inner) for inner in value)  # type: ignore[return-value]
    return clean(value) if isinstance(value, str) else value  # type: ignore[return-value]


def flat(value: object, prefix: str = "") -> Iterable[tuple[str, str]]:
    """Fields of nested plain data with dotted names, values as JSON but for texts."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, default=str)
