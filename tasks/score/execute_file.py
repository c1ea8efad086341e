"""`restem execute FILE`: programs with tests in, one line for each with its verdict out."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from sandbox.images import Language
from sandbox.pool import SandboxPool
from sandbox.verdict import Job, ProgramStatus, Verdict
from tasks.errors import UserError
from tasks.score.code.languages import LANGUAGES
from tasks.score.execute_row import MEMORY_MB, name_of, read_job

__all__ = ["MALFORMED", "MEMORY_MB", "execute_lines", "read_job"]
# In the place of a verdict's status, for a line that is no job.
MALFORMED = "malformed"


@dataclass(frozen=True)
class _Line:
    """A line that waits for its turn; with a mistake it has no verdict to wait for."""

    number: int
    name: object
    mistake: str = ""
    language: Language = "python"

    def malformed(self) -> dict[str, object]:
        return {"id": self.name, "status": MALFORMED, "line": self.number, "error": self.mistake}


def execute_lines(
    lines: Iterable[str | bytes],
    pool: SandboxPool,
    out: TextIO,
    languages: Sequence[Language] = LANGUAGES,
) -> int:
    """Run each line's program on its tests and write its verdict, in the order of the input.

    What a line may be says execute_row.py. Empty lines are skipped. A malformed line has a line of
    its own in the output that says what is wrong with it, and the rest is judged.

    Returns:
        How many programs were run.

    Raises:
        UserError: at the end, where lines were malformed; it names the first one and the field.
    """
    waiting: deque[_Line] = deque()
    mistakes: list[_Line] = []

    def jobs() -> Iterator[Job]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                name, job = read_job(line, languages)
            except UserError as error:
                mistakes.append(_Line(number, name_of(line), str(error)))
                waiting.append(mistakes[-1])
                continue
            waiting.append(_Line(number, name, language=job.language))
            yield job

    def write(row: dict[str, object]) -> None:
        out.write(json.dumps(row) + "\n")
        out.flush()

    def write_malformed() -> None:
        while waiting and waiting[0].mistake:
            write(waiting.popleft().malformed())

    count = 0
    for verdict in pool.run(jobs()):
        write_malformed()
        write(_judged(waiting.popleft(), verdict))
        count += 1
    write_malformed()
    if mistakes:
        more = f" (and {len(mistakes) - 1} more such lines)" if len(mistakes) > 1 else ""
        raise UserError(f"line {mistakes[0].number}: {mistakes[0].mistake}{more}")
    return count


def _judged(line: _Line, verdict: Verdict) -> dict[str, object]:
    compiled = line.language != "python"
    no_program = compiled and verdict.status is ProgramStatus.COMPILE_ERROR
    return {
        "id": line.name,
        "status": verdict.status.value,
        "passed": verdict.passed,
        "total": verdict.total,
        "first_failure": verdict.first_failure,
        "seconds": verdict.seconds,
        **({"error": verdict.detail} if no_program else {}),
    }
