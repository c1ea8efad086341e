"""Asks a person before a run makes again what an emptied store has lost."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from tasks.errors import UserError

if TYPE_CHECKING:
    from tasks.settings import Resources


def see_store(run_id: str, resources: Resources, rebuild: bool) -> None:
    """Let a run start, or not.

    Without a terminal nobody is asked; the run then says what is missing and how to go on.

    Args:
        rebuild: Whether the command says to make it again.

    Raises:
        UserError: the person does not want to make it again.
    """
    from flows.runs.lost_store import REBUILD, refusal, see_before

    if rebuild:
        os.environ[REBUILD] = "1"  # for the flow, which runs in this process
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if not asks and "://" in resources.store:
        return  # the run says the same, and a store far away is not opened twice
    loss = see_before(run_id, resources)
    if loss is None:
        return
    if not asks:
        raise UserError(refusal(loss))
    if not typer.confirm(f"{loss.line}. Make all of it again?", err=True):
        raise UserError(f"{loss.place}: nothing was made again")
    os.environ[REBUILD] = "1"
