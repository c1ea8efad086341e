"""`svamp`: one-step word problems with varied structure (Patel et al., arXiv 2103.07191).

700 train and 300 test problems. Fields read, in either spelling: question (with the body in it), or
Body and Question; answer or Answer, a number; optional id or ID, type or Type, split. The set has
no worked solutions and no levels of difficulty.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.problems.source import Origin, Record
from tasks.rows import Row

ORIGIN = Origin(
    name="svamp",
    hub="ChilleD/SVAMP",
    configs=(),
    files=("svamp", "svamp_{split}", "{split}"),
)
# One row of the published set spells its type so.
_MISSPELT = {"Common-Divison": "Common-Division"}


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `train` or `test`.

    Raises:
        UserError: The data are nowhere, or a row is malformed (file, line and field are named).
    """
    index = 0
    for record in ORIGIN.records(split, source):
        if record.split(split) != split:
            continue
        kind = record.optional("type", "Type")
        yield {
            "id": f"svamp/{split}/{record.optional('id', 'ID') or index}",
            "domain": "math",
            "question": _question(record),
            "reference": record.number("answer", "Answer"),
            "solution": "",
            "level": "",
            "subject": _MISSPELT.get(kind, kind),
            "split": split,
        }
        index += 1


def _question(record: Record) -> str:
    """The whole question: the original files keep the story apart, often without its full stop."""
    question = record.text("question", "Question")
    body = record.optional("Body", "body")
    if not body:
        return question
    return f"{body}{'' if body[-1] in '.,;:!?' else '.'} {question}"
