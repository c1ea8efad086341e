"""Which column of one's own rows holds what: as `data.columns` says, else by the usual names.

Usual names are found whatever their case, and with blanks or hyphens in them too. A column that is
named must be there; of the usual names the first that is there is taken, and what was taken is said
(`Columns.words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, NoReturn

from tasks.errors import UserError
from tasks.problems.own.contests import Form, columns_of_tests, form_of
from tasks.problems.source import Record
from tasks.settings import ColumnSettings

Role = Literal[
    "question",
    "reference",
    "solution",
    "tests",
    "entry_point",
    "starter_code",
    "checker",
    "time_limit",
    "memory_limit",
    "float_error",
    "in_place",
    "options",
    "level",
    "subject",
    "id",
    "split",
]
# Rows of JSON may leave fields out: the names in so many rows are the columns there are.
_LOOKED_AT = 100

USUAL_NAMES: dict[Role, tuple[str, ...]] = {
    "question": (
        *("question", "problem", "prompt", "instruction", "query", "input", "text", "task"),
        *("question_content", "description"),
    ),
    "reference": (
        *("final_answer", "reference", "reference_answer", "gold", "gold_answer", "ground_truth"),
        *("expected_answer", "correct_answer", "answer", "answerkey", "answer_key", "label"),
        *("target", "output", "result"),
    ),
    "solution": (
        *("solution", "solutions", "canonical_solution", "worked_solution", "rationale"),
        *("explanation", "reasoning", "code"),
    ),
    "tests": ("tests", "test", "test_cases", "input_output", "test_list", "unit_tests"),
    "entry_point": ("entry_point", "fn_name", "function_name", "function"),
    "starter_code": ("starter_code", "starter"),
    # Of sets of contest problems alone (contests.py); else they are named.
    "checker": (),
    "time_limit": (),
    "memory_limit": (),
    "float_error": (),
    "in_place": (),
    "options": ("options", "choices"),
    "level": ("level", "difficulty"),
    "subject": ("subject", "category", "topic"),
    "id": ("id", "problem_id", "task_id", "question_id", "unique_id", "uid", "uuid"),
    "split": ("split",),
}
# Roles that may take several columns: one for each option; what goes into a program and comes out.
_SEVERAL = ("options", "tests")
IN_AND_OUT = ("inputs", "outputs")
# What problems of each domain may have beside question, level, subject, id and split.
_OF_DOMAIN: dict[str, tuple[Role, ...]] = {
    "math": ("reference", "solution"),
    "text": ("reference", "solution"),
    "choice": ("reference", "solution", "options"),
    "code": (
        *("tests", "solution", "entry_point", "starter_code", "checker", "time_limit"),
        *("memory_limit", "float_error", "in_place"),
    ),
}


@dataclass(frozen=True)
class Columns:
    """The columns of one file.

    Attributes:
        names: By role what the column is called; of options and tests there may be several.
        others: What else the file has.
        form: Of the tests, where the file is of a public set of contest problems.
    """

    names: dict[Role, tuple[str, ...]]
    others: tuple[str, ...] = ()
    form: Form | None = None

    def __contains__(self, role: Role) -> bool:
        return role in self.names

    def name(self, role: Role) -> str:
        """The column of a role that there is."""
        return self.names[role][0]

    def words(self) -> str:
        """Such as `question = "problem", reference = "answer"`."""
        return ", ".join(
            f"{role} = {', '.join(names)!r}".replace("'", '"') for role, names in self.names.items()
        )


def find_columns(
    records: Iterator[Record], settings: ColumnSettings, domain: str, file: str
) -> tuple[Columns, Iterator[Record]]:
    """The columns of a file, and all of its rows again.

    Args:
        records: Its rows.
        settings: The names that the user gives.
        domain: Of the problems.
        file: For messages.

    Raises:
        UserError: A named column is not there, or one that is needed is not found.
    """
    first = list(islice(records, _LOOKED_AT))
    there = list(dict.fromkeys(name for record in first for name in record.data if name))
    roles: tuple[Role, ...] = ("question", *_OF_DOMAIN[domain], "level", "subject", "id", "split")
    names: dict[Role, tuple[str, ...]] = {}
    form: Form | None = None
    for role in roles:
        if given := getattr(settings, role).strip():
            names[role] = _named(role, given, there, file)
            if role == "tests" and len(names[role]) > 1:
                form = form_of(names[role])
        elif found := _usual(role, there, {one for kept in names.values() for one in kept}):
            names[role] = (found,)
        elif role == "tests" and set(IN_AND_OUT) <= set(there):
            names[role] = IN_AND_OUT
        elif role == "tests" and (found := columns_of_tests(there)):
            names[role], form = found, form_of(found)
        elif form and (found := _first(form.more.get(role, ()), there)):
            names[role] = (found,)
    for role in set(USUAL_NAMES) - set(roles):
        if getattr(settings, role):
            raise UserError(
                f"data.columns.{role}: expected none, for problems of {domain} have no {role}"
            )
    if first:
        _see_all_needed(names, domain, there, file)
    used = {one for kept in names.values() for one in kept}
    others = tuple(name for name in there if name not in used)
    return Columns(names, others, form), chain(first, records)


def _named(role: Role, given: str, there: Sequence[str], file: str) -> tuple[str, ...]:
    parts = (given,)
    if role in _SEVERAL and given not in there:
        parts = tuple(part.strip() for part in given.split(","))
    for part in parts:
        if there and part not in there:
            raise UserError(f"data.columns.{role}: {part!r}: {file} has {_list(there)}")
    return parts


def _usual(role: Role, there: Sequence[str], taken: set[str]) -> str:
    by_name = {_plain(name): name for name in reversed(there) if name not in taken}
    return next((by_name[name] for name in USUAL_NAMES[role] if name in by_name), "")


def _first(names: Iterable[str], there: Sequence[str]) -> str:
    return next((name for name in names if name in there), "")


def _plain(name: str) -> str:
    """`Final answer` and `final-answer` are `final_answer`."""
    return re.sub(r"[\W_]+", "_", name.strip()).casefold()


def _see_all_needed(
    names: dict[Role, tuple[str, ...]], domain: str, there: Sequence[str], file: str
) -> None:
    if "question" not in names:
        _missing("question", there, file)
    if domain == "code" and "tests" not in names:
        _missing("tests", there, file)
    # A solution may end in the answer.
    if domain != "code" and not names.keys() & (
        {"reference", "solution"} if domain == "math" else {"reference"}
    ):
        _missing("reference", there, file)


def _missing(role: Role, there: Sequence[str], file: str) -> NoReturn:
    raise UserError(
        f"data.columns.{role}: {file} has no column of a usual name "
        f"({', '.join(USUAL_NAMES[role])}); expected one of its own: {_list(there)}"
    )


def _list(names: Iterable[str]) -> str:
    shown = [repr(name[:40]) for name in names]
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "") or "no column"
