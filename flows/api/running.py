"""`run` and `resume`: a run from a script or a notebook.

The run has a process of its own, as `restem run` has. So it works inside a running event loop,
Prefect's settings and servers stay out of the caller's process, and memory is free after it. It
ends with the caller's process, however that ends; an interrupt (Ctrl-C, a notebook's stop) ends the
run in order first and is raised then. What is done stays, and `resume` goes on with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from flows.api.reading import Run, read_run
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig, load_config
from flows.runs.folder import folder_of
from flows.runs.journal import read_journal
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.paths import ROOT

# A pipe holds so much before its reader has to read; the outcome is read at the end.
_OUTCOME_BYTES = 65_536
# `python -m` would put the caller's folder first, where a folder `tasks` may lie.
_CHILD = "import sys; sys.path.insert(0, sys.argv.pop()); from flows.api.child import main; main()"


def run(config: RestEmConfig | str | Path, *, quiet: bool = False) -> Run:
    """Run a configuration, or resume it: what is done already comes from the cache.

    Args:
        config: A configuration, or what `load_config` reads one from.
        quiet: Print nothing while it goes.

    Returns:
        The finished run; or one whose `state` is "awaits review", where the configuration asks for
        reviews.

    Raises:
        UserError: the user's mistake; one line names the field or file and what was expected.
        StepError: a step failed; one line says where the log is.
        KeyboardInterrupt: somebody interrupted it.
    """
    if not isinstance(config, RestEmConfig):
        config = load_config(config)
    return _run(config.seeded(uuid.uuid4().hex), quiet)


def _run(config: RestEmConfig, quiet: bool, folder: str | None = None) -> Run:
    """Run it in a process of its own, in a folder; None: where we are."""
    with _started(config, quiet, folder) as (process, outcome):
        try:
            _follow(process)
        except BaseException:
            _interrupt(process)
            raise
        _raise(process.returncode, outcome)
    return read_run(config.run_id)


def resume(run_id: str = "latest", *, quiet: bool = False) -> Run:
    """Go on with a run that was ended early, or failed, or was reviewed.

    Args:
        run_id: A run's id or the beginning of it; `latest` is the one that was started last.
        quiet: Print nothing while it goes.

    Raises:
        UserError: there is no such run; and what `run` raises.
    """
    head, _ = read_journal(run_id, "rest-em")
    if head.flow != "rest-em":
        raise UserError(f"RUN {head.run}: its flow is {head.flow}; expected a run of the loop")
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    return _run(config, quiet, folder_of(head) or None)


@contextlib.contextmanager
def _started(
    config: RestEmConfig, quiet: bool, folder: str | None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The run's process, and the end of the pipe from which its outcome is read."""
    outcome, written = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, str(written), str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if quiet else None if _on_terminal() else subprocess.PIPE,
            stderr=None if _on_terminal() and not quiet else subprocess.STDOUT,
            pass_fds=[written],
            # Ctrl-C comes to the caller, who passes it on, once.
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env={**os.environ, "RESTEM_HOME": str(home()), "PYTHONUNBUFFERED": "1"},
        )
        os.close(written)
        assert process.stdin is not None
        with process.stdin:  # open as long as we live
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(config.model_dump_json() + "\n")
                process.stdin.flush()
            yield process, outcome
    finally:
        os.close(outcome)


def _on_terminal() -> bool:
    """Whether what the run prints can go to a terminal as it is, with a bar that moves."""
    return sys.stdout is sys.__stdout__ and sys.stdout.isatty()


def _follow(process: subprocess.Popen[str]) -> None:
    """Print what the run prints, until it ends."""
    for line in process.stdout or ():
        print(line, end="", flush=True)
    process.wait()


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End the run in order; at once if it is asked for again."""
    try:
        process.send_signal(signal.SIGINT)
        _follow(process)
    finally:
        process.kill()
        process.wait()


def _raise(code: int, outcome: int) -> None:
    """What the run raised, in the process of the caller."""
    if code == 0:
        return
    said = os.read(outcome, _OUTCOME_BYTES)
    if not said:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise StepError(f"the process of the run ended early, with {how}; resume goes on with it")
    kind, text = json.loads(said)
    raise (UserError if kind == UserError.__name__ else StepError)(" ".join(text.split()))
