"""`restem`: thin verbs over the flows. Exit codes: 0 done, 2 the user's mistake, 1 a failure."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from flows.cli.audit import audit
from flows.cli.backup import backup_command, restore_command
from flows.cli.bench import bench
from flows.cli.compare import compare_command
from flows.cli.data import data_app
from flows.cli.doctor import doctor_command
from flows.cli.engine import engine_app
from flows.cli.evaluate import evaluate_command
from flows.cli.export import export_command
from flows.cli.grade import grade_command
from flows.cli.import_file import import_command
from flows.cli.init import init_command
from flows.cli.label import label_command
from flows.cli.run import demo, resume, review, run_command
from flows.cli.sandbox import execute, sandbox_app
from flows.cli.service import service_app
from flows.cli.station import down_command, serve_command, up_command
from flows.cli.status import report_command, status_command, trace_command
from flows.cli.store import store_app
from flows.cli.study import study_command
from tasks.errors import StepError, UserError
from tasks.terminal import shown, use_utf8, visible

app = typer.Typer(
    help="ReST^EM self-training: generate, filter, finetune, evaluate, repeat.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.add_typer(engine_app, name="engine")
app.add_typer(store_app, name="store")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(service_app, name="service")
app.command()(demo)
app.command("init")(init_command)
app.command("run")(run_command)
app.command()(resume)
app.command()(review)
app.command("status")(status_command)
app.command("report")(report_command)
app.command("trace")(trace_command)
app.command("grade")(grade_command)
app.command()(audit)
app.command("label")(label_command)
app.command("evaluate")(evaluate_command)
app.command("export")(export_command)
app.command("import")(import_command)
app.command("compare")(compare_command)
app.command()(bench)
app.command("study")(study_command)
app.command()(execute)
app.command("up")(up_command)
app.command("down")(down_command)
app.command("serve")(serve_command)
app.command("doctor")(doctor_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)


def main() -> None:
    """Entry point: mistakes become one line and exit 2, failures one line and exit 1."""
    use_utf8()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        verbs = typer.main.get_command(app)
        _show_data(verbs)
        verbs()
    except UserError as error:
        _exit(2, str(error))
    except StepError as error:
        _exit(1, _system_error(error) or str(error))
    except KeyboardInterrupt:
        _exit(1, "interrupted; the same command resumes it")
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:
        from flows.api.start import failure

        _exit(1, _system_error(error) or failure(error))


def _show_data(command: Any) -> None:
    """Let no verb print what a terminal would obey; typer's own help may have its colours."""
    for verb in getattr(command, "commands", {}).values():
        _show_data(verb)
    if command.callback and not hasattr(command, "commands"):
        command.callback = _printing(command.callback)


def _printing(verb: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(verb)
    def run(*arguments: object, **more: object) -> object:
        with shown():
            return verb(*arguments, **more)

    return run


def _exit(code: int, text: str) -> None:
    print(visible(f"restem: {' '.join(text.split())}"), file=sys.stderr)
    raise SystemExit(code)


def _system_error(error: Exception) -> str:
    import tempfile

    from tasks.dag.runtime import written_folders
    from tasks.system_error import system_error

    return system_error(error, [*written_folders(), Path(tempfile.gettempdir())])


def _terminate(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
