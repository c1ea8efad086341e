"""`restem`: thin verbs over the flows. Exit codes: 0 done, 2 the user's mistake, 1 a failure."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli_audit import audit
from flows.cli_capacity import capacity
from flows.cli_compare import compare
from flows.cli_evaluate import evaluate
from flows.cli_ops import down, serve, up
from flows.cli_run import demo, resume, review, run
from flows.cli_sandbox import execute, sandbox_app
from flows.cli_study import study
from tasks.errors import StepError, UserError

app = typer.Typer(
    help="ReST^EM self-training: generate, filter, finetune, evaluate, repeat.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
engine_app = typer.Typer(help="The vLLM engine's own environment.", no_args_is_help=True)
store_app = typer.Typer(help="The artifact store.", no_args_is_help=True)
app.add_typer(engine_app, name="engine")
app.add_typer(store_app, name="store")
app.add_typer(sandbox_app, name="sandbox")
app.command()(demo)
app.command()(run)
app.command()(resume)
app.command()(review)
app.command()(audit)
app.command()(evaluate)
app.command()(compare)
app.command()(capacity)
app.command()(study)
app.command()(execute)
app.command()(up)
app.command()(down)
app.command()(serve)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(
    run: Annotated[str, typer.Argument(help="Run id, its beginning, or `latest`.")] = "latest",
    as_json: AsJson = False,
) -> None:
    """Show a run's metrics by iteration and the state of its steps."""
    from flows import status as reader

    facts = reader.status(run)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    from flows.console import results_table

    typer.echo(f"{facts['run']}: {facts['state']} {facts.get('error', '')}".rstrip())
    if "estimate" in facts:
        from flows.capacity.estimate import compared

        typer.echo(compared(facts["estimate"], facts.get("seconds")))
    if facts["iterations"]:
        typer.echo(results_table(facts))
    for one in facts.get("studies", []):
        for claim in one["claims"]:
            typer.echo(f"{one['study']}: {claim['here']}: {claim['sentence']}")
    if facts.get("results"):
        from flows.evaluate_words import results_table as evaluation_table

        typer.echo(evaluation_table(facts["results"]))
    from flows.cost import each_rows, table_rows

    for titles, rows in (table_rows(facts["cost"]), each_rows(facts["cost"])):
        if rows:
            _table(titles, rows)


@app.command()
def report(run: Annotated[str, typer.Argument(help="Run id or `latest`.")] = "latest") -> None:
    """Print where a run's report page is."""
    from flows.journal import find_run

    page = find_run(run) / "report.html"
    if not page.is_file():
        raise UserError(f"RUN {run}: it has no report yet; a report is written when a run ends")
    typer.echo(page)


@app.command()
def trace(run: str, row: str, as_json: AsJson = False) -> None:
    """Print the chain from a training row (17, or 2:17 in iteration 2) back to the base model."""
    from flows import status as reader

    chain = reader.trace(run, row)
    if as_json:
        typer.echo(json.dumps(chain))
        return
    for title, facts in chain.items():
        typer.echo(title if isinstance(facts, dict) else f"{title}: {facts}")
        for name, value in facts.items() if isinstance(facts, dict) else ():
            typer.echo(
                f"    {name}: {value!r}" if isinstance(value, str) else f"    {name}: {value}"
            )


@app.command()
def grade(
    file: Annotated[Path, typer.Argument(help='JSON lines {"gold", "prediction"}; - for input.')],
) -> None:
    """Grade math answers: the same lines with correct, status, extracted and seconds added."""
    from flows.services import GRADE_SECONDS
    from tasks.filter.grade_file import grade_lines
    from tasks.filter.pool import GradePool

    if str(file) != "-" and not file.is_file():
        raise UserError(f"{file}: no such file; expected JSON lines with gold and prediction")
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with stream, GradePool(os.cpu_count() or 1, GRADE_SECONDS) as pool:
        grade_lines(stream, pool, sys.stdout)


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(help="What to measure; a wrong name lists them all."),
    ],
    options: Annotated[list[str] | None, typer.Argument(help="Options of that bench.")] = None,
) -> None:
    """Measure something against its baseline in the same run; the last line is the ratio."""
    import importlib

    names = sorted(p.stem for p in (Path(__file__).parent / "bench").glob("[!_]*.py"))
    if name not in names:
        raise UserError(f"NAME {name}: expected one of: {', '.join(names)}")
    importlib.import_module(f"flows.bench.{name}").run(*(options or []))


@engine_app.command("install")
def engine_install(
    name: Annotated[str, typer.Argument(help="vllm")] = "vllm",
    cpu: Annotated[bool, typer.Option("--cpu", help="The CPU build.")] = False,
) -> None:
    """Make the engine's environment under RESTEM_HOME."""
    from tasks.generate.environment import install
    from tasks.runtime import home

    if name != "vllm":
        raise UserError(f"NAME {name}: expected vllm, the one engine with its own environment")
    typer.echo(install(home(), cpu))


@engine_app.command("check")
def engine_check() -> None:
    """Say which engines are there."""
    from tasks.generate.environment import check
    from tasks.runtime import home

    for fact in check(home()):
        typer.echo(fact)


@engine_app.command("serve")
def engine_serve(
    host: Annotated[str, typer.Option(help="Address under which runs reach it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="vLLM itself listens on the next one.")] = 8100,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="resources.KEY=VALUE, such as the store.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Argument(help="Flags for vLLM, after --.")] = None,
) -> None:
    """Sample for runs elsewhere: serve the policies of the store by vLLM, as they ask."""
    from flows.config import load_config
    from flows.engine_server import serve
    from tasks.generate.engine_token import TOKEN, token_file

    resources = load_config("math-demo", change or []).resources
    typer.echo(f"waiting for runs at http://{host}:{port} (resources.endpoints)")
    if not os.environ.get(TOKEN):
        typer.echo(f"runs of other homes need {TOKEN}, as it is in {token_file()}")
    serve(host, port, resources, extra or [])


Address = Annotated[
    str, typer.Option("--store", help="Folder or address; empty: RESTEM_HOME/store.")
]


@store_app.command("list")
def store_list(as_json: AsJson = False, store: Address = "") -> None:
    """List the artifacts."""
    from flows.storekeeping import listing

    rows = listing(store)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    _table(
        ["kind", "key", "rows", "bytes", "seconds", "made by"],
        [[r["kind"], r["key"], r["rows"], r["bytes"], r["seconds"], r["label"]] for r in rows],
    )


@store_app.command("verify")
def store_verify(
    store: Address = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Of a remote store: compare sizes and ETags alone.")
    ] = False,
) -> None:
    """Check every artifact against its manifest; exit 1 if one is damaged."""
    from flows.storekeeping import verify

    found = verify(store, content=not quick)
    for line in (*found.damaged, *found.unfinished):
        typer.echo(line)
    also = f", {len(found.unfinished)} unfinished" if found.unfinished else ""
    typer.echo(
        f"{found.whole} whole, {len(found.damaged)} damaged{also} (a run rebuilds what it needs)"
    )
    if found.damaged:
        raise typer.Exit(1)


@store_app.command("gc")
def store_gc(
    keep: Annotated[list[str] | None, typer.Option(help="Runs to keep; default: all.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete, not only list.")] = False,
    store: Address = "",
    others: Annotated[
        bool, typer.Option("--others", help="Of a remote store: also what other machines made.")
    ] = False,
) -> None:
    """Remove artifacts that no kept run reaches, and copies of what a remote store has no more."""
    from flows.storekeeping import collect

    for line in collect(keep or [], delete, store, others=others):
        typer.echo(line)


def _table(titles: list[str], rows: list[list[Any]]) -> None:
    from flows.console import plain_table

    typer.echo(plain_table(titles, rows))


def main() -> None:
    """Entry point: mistakes become one line and exit 2, failures one line and exit 1."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except UserError as error:
        _exit(2, str(error))
    except StepError as error:
        _exit(1, str(error))
    except KeyboardInterrupt:
        _exit(1, "interrupted; the same command resumes it")
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:
        _exit(1, f"{type(error).__name__}: {error} (log: {_write_traceback()})")


def _write_traceback() -> Path:
    """Keep the traceback of a failure of ours where a report of it can find it."""
    import traceback

    from tasks.runtime import home

    path = home() / "logs" / "failure.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(traceback.format_exc())
    return path


def _exit(code: int, text: str) -> None:
    print(f"restem: {' '.join(text.split())}", file=sys.stderr)
    raise SystemExit(code)


def _terminate(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
