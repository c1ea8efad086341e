"""Reading single values of a run's summary, and putting them into words for the report.

The summary comes from artifacts that may be of an older version or a run that was stopped, so every
part may be missing or empty: a missing value is None or 0, and nothing here raises for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from flows.report.charts import Point
from tasks.evaluate.intervals import Interval
from tasks.rows import Json

# Longer model texts are cut: a page of a hundred of them stays under a megabyte.
_LONGEST_TEXT = 4000


def as_interval(raw: Any) -> Interval | None:
    """An interval of the summary, or None where it is missing or not a number."""
    if not isinstance(raw, dict):
        return None
    values = [raw.get(key) for key in ("value", "low", "high")]
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        return None
    value, low, high = (float(raw[key]) for key in ("value", "low", "high"))
    return Interval(value, low, high, int(number(raw.get("problems"))))


def metric(iteration: Json, key: str) -> Interval | None:
    """A metric of an iteration."""
    return as_interval((iteration.get("metrics") or {}).get(key))


def point(x: float, m: Interval, text: str, *, signed: bool = False) -> Point:
    """A chart's point with its interval and the text for a pointer."""
    value = points(m.value) if signed else percent(m.value)
    tip = f"{text}: {value} {between(m, not signed)}, {m.problems} problems"
    return Point(x, m.value, tip, m.low, m.high)


def pass_sizes(iteration: Json) -> list[int]:
    """The k of pass@k that were measured, in order."""
    keys = [key.partition("@") for key in iteration.get("metrics") or {}]
    return sorted(int(size) for kind, _, size in keys if kind == "pass" and size.isdigit())


def acceptance(iteration: Json) -> float | None:
    """Share of correct samples among those drawn from this policy."""
    selection = iteration.get("selection") or {}
    samples = number(selection.get("samples"))
    return number(selection.get("correct")) / samples if samples else None


def name(iteration: Json) -> str:
    """`base policy` or `iteration 2`."""
    return f"iteration {iteration['iteration']}" if iteration["iteration"] else "base policy"


def short(iteration: Json) -> str:
    """The same for an axis."""
    return str(iteration["iteration"]) if iteration["iteration"] else "base"


def percent(value: float, digits: int = 1) -> str:
    """A share of 1 as text."""
    return f"{100 * value:.{digits}f}%"


def points(value: float, unit: str = " points") -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:+.1f}".replace("-", "−") + unit


def between(m: Interval, share: bool = True) -> str:
    """An interval in brackets, in percent or in points; it does not break over lines."""
    form = "{:.1f}" if share else "{:+.1f}"
    low, high = (form.format(100 * bound).replace("-", "−") for bound in (m.low, m.high))
    return f"[{low},\u00a0{high}]"


def duration(seconds: float) -> str:
    """Seconds in the two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{seconds / 60:.1f} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: Any) -> float:
    """A finite number, 0 where there is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def by_size(levels: Sequence[str]) -> list[str]:
    """Levels in the order of their numbers, words after them."""
    return sorted(
        levels, key=lambda level: (not level.isdigit(), int(level) if level.isdigit() else 0, level)
    )


def clean(text: Any) -> str:
    """Text of a model made fit to show: control characters visible, length bounded."""
    shown = "" if text is None else str(text)
    rest = len(shown) - _LONGEST_TEXT
    shown = shown[:_LONGEST_TEXT] + (f"… ({rest} more characters)" if rest > 0 else "")
    shown = "".join(
        chr(0x2400 + ord(c))
        if ord(c) < 32 and c not in "\n\t"
        else "\ufffd"
        if 127 <= ord(c) < 160
        else c
        for c in shown
    )
    return shown.encode("utf-8", "replace").decode("utf-8")


def shown_reference(reference: str) -> str:
    """A reference in a few words: an answer as it is, of a program's tests their number."""
    try:
        tests = json.loads(reference)
    except ValueError:
        tests = None
    if not isinstance(tests, dict):
        return f"answer {reference}"
    cases = tests.get("tests") or tests.get("cases")
    return f"{len(cases)} tests" if cases else "a check function"


def scrub(value: Any) -> Any:
    """A copy of plain data in which every text, keys included, is `clean`."""
    if isinstance(value, dict):
        return {clean(key): scrub(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(inner) for inner in value]
    return clean(value) if isinstance(value, str) else value


def flat(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    """Fields of nested plain data with dotted names, values as JSON but for texts."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, default=str)
