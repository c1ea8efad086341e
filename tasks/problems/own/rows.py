"""A row of one's own as a problem of its domain.

The id is `file/` and what the id column says, else a digest of the question: rows that move, or
others that come and go, then change no problem, and its samples are found in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from tasks.problems.math import last_boxed
from tasks.problems.own.choice import choice_parts
from tasks.problems.own.code import code_parts
from tasks.problems.own.columns import Columns, Role
from tasks.problems.own.parts import Parts
from tasks.problems.own.values import MAX_ANSWER, MAX_NAME, MAX_QUESTION, answer_of, text_of
from tasks.problems.source import Record
from tasks.rows import Row

# A solution of GSM8K's form ends in it and the answer.
_MARK = "####"


@dataclass(frozen=True)
class RowMaker:
    """Makes problems of the rows of one file.

    Attributes:
        columns: Of the file.
        domain: Of the problems.
        prefix: Of ids.
    """

    columns: Columns
    domain: str
    prefix: str

    def row(self, record: Record, split: str) -> Row:
        """The problem that a row is.

        Raises:
            UserError: Naming file, row, column, and what was expected.
        """
        parts = _PARTS[self.domain](record, self.columns)
        return {
            "id": f"{self.prefix}/{self._own_id(record) or _digest(parts.question)}",
            "domain": self.domain,
            "question": parts.question,
            "reference": parts.reference,
            "solution": parts.solution,
            "level": self._name("level", record),
            "subject": self._name("subject", record),
            "split": split,
        }

    def _own_id(self, record: Record) -> str:
        if "id" not in self.columns:
            return ""
        return text_of(record, self.columns.name("id"), MAX_NAME)

    def _name(self, role: Role, record: Record) -> str:
        if role not in self.columns:
            return ""
        return text_of(record, self.columns.name(role), MAX_NAME, needed=False)


def _answered(record: Record, columns: Columns) -> Parts:
    """A question with its answer, as mathematics or as text."""
    question = text_of(record, columns.name("question"), MAX_QUESTION)
    solution = ""
    if "solution" in columns:
        solution = text_of(record, columns.name("solution"), MAX_QUESTION, needed=False)
    if "reference" in columns:
        return Parts(question, answer_of(record, columns.name("reference")), solution)
    return Parts(question, "", solution)


def _math(record: Record, columns: Columns) -> Parts:
    """The answer may stand at the end of a solution, in the column of either."""
    parts = _answered(record, columns)
    worked = parts.reference or parts.solution
    before, reference = _marked(worked)
    if reference is None and parts.reference:
        return parts
    if not reference or len(reference) > MAX_ANSWER:
        name = columns.name("reference" if parts.reference else "solution")
        record.fail(name, rf"a solution with its answer in \boxed{{...}} or after {_MARK}")
    return Parts(parts.question, reference, parts.solution or (worked if before else ""))


def _marked(text: str) -> tuple[str, str | None]:
    r"""What stands before the last \boxed{} or ####, and the answer in or after it, if any."""
    boxed = last_boxed(text)
    if boxed is not None:
        return text.partition("\\boxed")[0].strip(" $"), boxed
    before, mark, rest = text.rpartition(_MARK)
    return before.strip(), rest.strip() if mark else None


_PARTS: dict[str, Callable[[Record, Columns], Parts]] = {
    "math": _math,
    "text": _answered,
    "choice": choice_parts,
    "code": code_parts,
}


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:12]
