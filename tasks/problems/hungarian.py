"""`hungarian`: the Hungarian national high-school finals in mathematics of May 2023, 33 questions.

Evaluation only, and graded by hand: the exam comes with a rubric in prose and no answers that a
program could compare, so samples are kept and marked `ungraded` (tasks/score/text.py). The set is
Paster's (keirp/hungarian_national_hs_finals_exam on the Hub, one CSV file with the one column
Question, split test; its rubric lies beside it as solutions.pdf).

Fields read: question (or Question); optional points (what a full solution is worth, kept as the
reference), solution, id, split. The published file has the question alone; the rest is for rows of
one's own. Not covered: reading grades back in.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.problems.source import Origin, Record, problem_row, refuse_training
from tasks.rows import Row

_ORIGIN = Origin(
    name="hungarian",
    hub="keirp/hungarian_national_hs_finals_exam",
    configs=(),
    files=("hungarian_{split}", "hungarian", "{split}"),
)
_POINTS = ("points", "Points")


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `test`; raises like `loading.load_split`."""
    refuse_training(_ORIGIN.name, split, "math")
    return (
        problem_row(
            *(_ORIGIN.name, split, record.optional("id") or index + 1, "hand"),
            question=record.text("question", "Question"),
            reference=_points(record),
            solution=record.optional("solution", "Solution"),
        )
        for index, record in _ORIGIN.numbered(split, source)
    )


def _points(record: Record) -> str:
    """What a full solution is worth, or nothing where the row does not say."""
    given = next((record.data[name] for name in _POINTS if name in record.data), None)
    return "" if given is None or given == "" else record.number(*_POINTS)
