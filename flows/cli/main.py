"""`restem`: thin verbs over the flows. Exit codes: 0 done, 2 the user's mistake, 1 a failure."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

import typer
from typer.core import TyperGroup

from flows.cli.audit import audit
from flows.cli.backup import backup_command, restore_command
from flows.cli.bench import bench
from flows.cli.compare import compare_command
from flows.cli.configs import configs_command
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
from flows.cli.runs import runs_app
from flows.cli.samples import samples_command
from flows.cli.sandbox import execute, sandbox_app
from flows.cli.service import service_app
from flows.cli.station import down_command, serve_command, up_command
from flows.cli.status import report_command, status_command, trace_command
from flows.cli.store import store_app
from flows.cli.study import study_command
from tasks.errors import StepError, UserError
from tasks.terminal import shown, use_utf8, visible

# Verbs by what they are for, in the order of the help.
VERBS: dict[str, dict[str, Callable[..., object] | typer.Typer]] = {
    "Run": {
        "demo": demo,
        "init": init_command,
        "configs": configs_command,
        "run": run_command,
        "resume": resume,
        "review": review,
        "evaluate": evaluate_command,
        "study": study_command,
    },
    "Look": {
        "runs": runs_app,
        "status": status_command,
        "report": report_command,
        "samples": samples_command,
        "trace": trace_command,
        "compare": compare_command,
        "up": up_command,
        "down": down_command,
        "serve": serve_command,
    },
    "Check": {
        "doctor": doctor_command,
        "data": data_app,
        "grade": grade_command,
        "execute": execute,
        "sandbox": sandbox_app,
        "audit": audit,
        "label": label_command,
        "bench": bench,
    },
    "Keep": {
        "export": export_command,
        "import": import_command,
        "store": store_app,
        "engine": engine_app,
        "backup": backup_command,
        "restore": restore_command,
        "service": service_app,
    },
}


class Verbs(TyperGroup):
    """Lists the verbs in their own order, groups of verbs among them."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: D102 - click's interface
        return [name for panel in VERBS.values() for name in panel]


app = typer.Typer(
    cls=Verbs,
    help="ReST^EM self-training: generate, filter, finetune, evaluate, repeat.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for _panel, _verbs in VERBS.items():
    for _name, _verb in _verbs.items():
        if isinstance(_verb, typer.Typer):
            app.add_typer(_verb, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_verb)


def _print_version(asked: bool) -> None:
    if asked:
        import importlib.metadata

        typer.echo(f"restem {importlib.metadata.version('restem')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """ReST^EM self-training: generate, filter, finetune, evaluate, repeat."""


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


class _Verb(Protocol):
    callback: Callable[..., object] | None


def _show_data(command: _Verb) -> None:
    """Let no verb print what a terminal would obey; typer's own help may have its colours."""
    for verb in getattr(command, "commands", {}).values():
        _show_data(verb)
    if command.callback and getattr(command, "invoke_without_command", True):
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
