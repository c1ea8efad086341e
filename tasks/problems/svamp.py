"""`svamp` and `svamp_code`: one-step word problems (SVAMP, Patel et al., arXiv 2103.07191).

700 train and 300 test problems. Fields read, in either spelling: question (with the body in it), or
Body and Question; answer or Answer, a number; optional id or ID, type or Type, split. The set has
no worked solutions and no levels of difficulty.

In `svamp_code` the solution is a program that prints the answer, so that a model has to find the
operation and the interpreter does the sum (Gao et al., PAL, arXiv 2211.10435).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tasks.problems.source import Origin, Record, problem_row
from tasks.rows import Row

_ORIGIN = Origin(
    name="svamp",
    hub="ChilleD/SVAMP",
    configs=(),
    files=("svamp", "svamp_{split}", "{split}"),
)
# One row of the published set spells its type so.
_MISSPELT = {"Common-Divison": "Common-Division"}


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `train` or `test`; raises like `loading.load_split`."""
    for index, (_, record) in enumerate(_ORIGIN.numbered(split, source)):
        kind = record.optional("type", "Type")
        yield problem_row(
            *(_ORIGIN.name, split, record.optional("id", "ID") or index, "math"),
            question=_question(record),
            reference=record.number("answer", "Answer"),
            subject=_MISSPELT.get(kind, kind),
        )


def load_code_split(split: str, *, source: str = "") -> Iterator[Row]:
    """The same problems, each with a test of a program: no input, the answer as output."""
    for row in load_split(split, source=source):
        # Written as a float, so that 5 and 5.0 are both right: a division prints 5.0.
        tests = [{"input": "", "output": str(float(row["reference"]))}]
        yield {
            **row,
            "id": row["id"].replace(_ORIGIN.name, "svamp_code", 1),
            "domain": "code",
            "reference": json.dumps({"tests": tests}),
        }


def _question(record: Record) -> str:
    """The whole question: the original files keep the story apart, often without its full stop."""
    question = record.text("question", "Question")
    body = record.optional("Body", "body")
    if not body:
        return question
    return f"{body}{'' if body[-1] in '.,;:!?' else '.'} {question}"
