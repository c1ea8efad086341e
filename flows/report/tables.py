"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows.report.values import hundredths
from tasks.evaluate.intervals import Interval

# The order of metrics in tables; pass@k and maj@k follow by their k.
ORDER = ("greedy", "train", "gap", "validation")


def metrics_text(policies: Mapping[int, Mapping[str, Interval]]) -> str:
    """Metrics of every policy of a run with their intervals, in percent, as a plain table."""
    names = metric_order({name for metrics in policies.values() for name in metrics})
    rows = [
        [f"p{number}" if number else "base", *(metric_cell(metrics.get(name)) for name in names)]
        for number, metrics in policies.items()
    ]
    return plain_table(["policy", *names], rows)


def plain_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, numbers to the right; never cut or wrapped."""
    cells = [titles, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if cell.replace(".", "").isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def metric_order(names: set[str]) -> list[str]:
    """Metric names in the order people read them."""
    first = [name for name in ORDER if name in names]
    rest = sorted(
        names - set(first), key=lambda n: (n.split("@")[0] != "pass", int(n.split("@")[1]))
    )
    return first + rest


def metric_cell(metric: Interval | None) -> str:
    """A value with its interval, in percent."""
    if not metric:
        return "-"
    low, high = (hundredths(bound, 0) for bound in (metric.low, metric.high))
    return f"{hundredths(metric.value)} [{low}, {high}]"
