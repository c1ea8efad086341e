"""`python -m bench.gpus`: time and cost of the paper's runs on GPUs that are not here."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tasks.errors import UserError


def capacity(
    model: Annotated[
        list[str] | None, typer.Option(help="7b, 70b or 540b; may be repeated; default: all.")
    ] = None,
    gpus: Annotated[
        list[int] | None, typer.Option(help="How many; may be repeated; default: 8 to 512.", min=1)
    ] = None,
    gpu: Annotated[str, typer.Option(help="h100 or a100.")] = "h100",
    task: Annotated[str, typer.Option(help="math or apps.")] = "math",
    price: Annotated[float, typer.Option(help="Of a GPU and hour; 0: the table's.", min=0.0)] = 0.0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe, such as samples=64 or mean=400."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Engines start a shard in the tail of the last.")
    ] = False,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Score a set only when all of it is sampled.")
    ] = False,
    no_failures: Annotated[bool, typer.Option("--no-failures", help="Nothing fails.")] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Hours by samples of a shard instead of the best.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan the paper's runs: time, cost, bottleneck and best shard size by number of GPUs."""
    from bench.gpus import _planning as planning
    from bench.gpus._cluster import TASKS, changed, cluster, published

    if task not in TASKS:
        raise UserError(f"--task {task}: expected one of: {', '.join(TASKS)}")
    recipe = changed(TASKS[task], changes or [])
    way = planning.Schedule(overlap=not sequential, stream=stream, failures=not no_failures)
    names = model or list(published()["models"])
    clusters = [
        (name, cluster(name, gpu, count, recipe))
        for name in names
        for count in gpus or planning.COUNTS
    ]
    if sweep:
        _sweep(clusters, recipe, way, as_json)
        return
    price = price or published()["gpus"][gpu]["price"]
    rows = [planning.planned(name, made, recipe, price, way) for name, made in clusters]
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows]))
        return
    _print(
        [
            *("model", "GPUs", "engines", "fine-tune", "hours", "GPU-hours", "cost", "sampling"),
            *("scoring", "training", "shard", "bottleneck"),
        ],
        [
            [
                row.model,
                f"{row.gpus}",
                f"{row.engines}",
                row.method or "does not fit",
                *(
                    [
                        f"{row.hours:.2f}",
                        f"{row.gpu_hours:,.0f}",
                        f"{row.cost:,.0f}",
                        *(f"{100 * part:.0f}%" for part in (row.sampling, row.scoring)),
                        f"{100 * row.training:.0f}%",
                        f"{row.shard:,}",
                        row.bottleneck,
                    ]
                    if row.hours
                    else ["-"] * 8
                ),
            ]
            for row in rows
        ],
    )


def _sweep(clusters: list, recipe: object, way: object, as_json: bool) -> None:  # type: ignore[type-arg]
    from bench.gpus import _planning as planning

    found = [
        (name, made.gpus, planning.sweep(made, recipe, way))  # type: ignore[arg-type]
        for name, made in clusters
        if made.engines and made.method
    ]
    if as_json:
        typer.echo(json.dumps([{"model": n, "gpus": g, "seconds": s} for n, g, s in found]))
        return
    _print(
        ["model", "GPUs", *(f"{size:,}" for size in planning.SHARDS)],
        [
            [name, f"{count}", *(f"{seconds / 3600:.2f}" for seconds in swept.values())]
            for name, count, swept in found
        ],
    )


def _print(titles: list[str], rows: list[list[str]]) -> None:
    from flows.report.tables import plain_table

    typer.echo(plain_table(titles, rows))


def main() -> None:
    """A mistake becomes one line and exit 2."""
    try:
        typer.run(capacity)
    except UserError as error:
        print(f"bench.gpus: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
