"""Tables for a terminal."""

from __future__ import annotations

from typing import Any

from tasks.rows import Json

# The order of metrics in tables; pass@k and maj@k follow by their k.
ORDER = ("greedy", "train", "gap", "validation")


def results_table(summary: Json) -> str:
    """Metrics of every policy with their intervals, in percent, as a plain table."""
    names = metric_order({name for item in summary["iterations"] for name in item["metrics"]})
    rows = [
        [
            "base" if item["iteration"] == 0 else f"p{item['iteration']}",
            *[metric_cell(item["metrics"].get(name)) for name in names],
        ]
        for item in summary["iterations"]
    ]
    return plain_table(["policy", *names], rows)


def plain_table(titles: list[str], rows: list[list[Any]]) -> str:
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


def metric_cell(metric: Json | None) -> str:
    """A value with its interval, in percent."""
    if not metric:
        return "-"
    low, high = 100 * metric["low"], 100 * metric["high"]
    return f"{100 * metric['value']:.1f} [{low:.0f}, {high:.0f}]"
