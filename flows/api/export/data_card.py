"""The card (README.md) of exported data."""

from __future__ import annotations

from pathlib import Path

from flows.api.export.card import PAPER, README, licences, reproduce
from flows.api.export.columns import COLUMNS
from flows.api.export.data import FOLDER
from flows.api.export.licences import data_origin, public_name
from flows.api.export.source import Data, Source
from flows.report.tables import metrics_text
from tasks.select.results import SelectionCounts

_WHAT: dict[Data, str] = {
    "rows": "Training rows: solutions that a policy sampled and the checker accepted",
    "samples": "Every solution that was sampled for training, right and wrong, with its verdict",
    "pairs": "Preference pairs: a correct and a wrong solution of the same problem",
}
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


def write_data_card(folder: Path, source: Source, data: Data, rows: int) -> None:
    """Write the card of rows, samples or pairs.

    Args:
        folder: Of the export.
        source: The run and the iteration.
        data: What is exported.
        rows: How many.
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    origin = data_origin(source.config.data, "train")
    base = public_name(source.config.model.base)
    head = DatasetCardData(
        license=origin.licence,
        pretty_name=f"{source.run}: {data}",
        task_categories=["text-generation"],
        size_categories=next((name for most, name in _SIZES if rows < most), "n>1M"),
        source_datasets=[origin.hub] if origin.hub else None,
        tags=["restem", "rest-em", "synthetic"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": f"{FOLDER}/*.parquet"}],
            }
        ],
    )
    text = "\n".join(
        [
            f"# {source.run}: {data}",
            "",
            f"{_WHAT[data]}. Made by restem in a run of {PAPER} of `{base}` "
            f"on {origin.name}: {_which(source)}, {rows:,} rows. No test problem is among them.",
            "",
            "## Columns",
            "",
            "| column | type | |",
            "|---|---|---|",
            *(f"| {one.name} | {one.kind} | {one.meaning} |" for one in COLUMNS[data]),
            "",
            *_counts(source),
            *_results(source),
            *licences(source),
            *reproduce(source),
        ]
    )
    DatasetCard(f"---\n{head}\n---\n\n{text}").save(folder / README)


def _which(source: Source) -> str:
    return "all iterations" if source.iteration is None else f"iteration {source.iteration}"


def _counts(source: Source) -> list[str]:
    """What was sampled and what was kept of it."""
    lines = [
        "## Counts",
        "",
        "| iteration | samples | accepted | problems | solved | kept for training |",
        "|---|---|---|---|---|---|",
    ]
    for iteration, step, ref in source.selections():
        counts = SelectionCounts.read(source.store.path(ref))
        name = f"{iteration}" if step == 1 else f"{iteration}, step {step}"
        cells = (name, counts.samples, counts.correct, counts.problems, counts.problems_solved)
        lines.append(f"| {' | '.join(map(str, cells))} | {ref.rows} |")
    return [*lines, ""]


def _results(source: Source) -> list[str]:
    """Metrics of the policies that were sampled, and of those that the rows made."""
    numbers = {
        number for iteration, _, _ in source.selections() for number in (iteration - 1, iteration)
    }
    found = {n: one.metrics for n in sorted(numbers) if (one := source.metrics(n)) is not None}
    if not found:
        return []
    confidence = f"{100 * source.config.evaluation.confidence:g}%"
    return [
        "## Policies",
        "",
        f"Iteration i is sampled from policy i-1 and makes policy i. In percent, with {confidence} "
        "intervals:",
        "",
        "```",
        metrics_text(found),
        "```",
        "",
    ]
