"""`restem grade`: the math checker alone, over a file of answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tasks.errors import UserError
from tasks.processes.cores import usable_cores


def grade_command(
    file: Annotated[Path, typer.Argument(help='JSON lines {"gold", "prediction"}; - for input.')],
    work_out: Annotated[
        bool, typer.Option("--work-out", help="Accept sums and the like still to be worked out.")
    ] = False,
) -> None:
    """Grade math answers: the same lines with correct, status, extracted and seconds added."""
    from tasks.score.grade_file import grade_lines
    from tasks.score.math.limits import GRADE_SECONDS
    from tasks.score.math.pool import GradePool

    if str(file) != "-" and not file.is_file():
        raise UserError(f"{file}: no such file; expected JSON lines with gold and prediction")
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with stream, GradePool(usable_cores(), GRADE_SECONDS, work_out=work_out) as pool:
        grade_lines(stream, pool, sys.stdout)
