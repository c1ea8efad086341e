"""Which column of a preference set holds what: as `judge.columns` says, else by the usual names.

There are two forms: `chosen` and `rejected`; or two answers, `first` and `second`, and beside them
one of `p`, `strength` and `better`. A name may lead into a column: `info.post`, `summaries.0.text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Literal, NoReturn

from tasks.errors import UserError
from tasks.facts import is_list, is_object
from tasks.problems.source import Record
from tasks.settings.judge import PairColumns

Role = Literal["question", "chosen", "rejected", "first", "second", "better", "strength", "p"]
# Which of two answers is better, from the surest to the plainest.
LABELS: tuple[Role, ...] = ("p", "strength", "better")
USUAL_NAMES: dict[Role, tuple[str, ...]] = {
    "question": ("prompt", "question", "instruction", "query", "input", "context", "post"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "better": ("better", "choice", "preferred", "better_response_id", "winner", "label"),
    "strength": ("strength", "preference_strength", "overall_preference"),
    "p": ("p",),
}
# Two answers side by side.
USUAL_PAIRS = (
    ("first", "second"),
    ("response_0", "response_1"),
    ("response_1", "response_2"),
    ("response1", "response2"),
    ("response_a", "response_b"),
    ("answer_a", "answer_b"),
    ("answer_0", "answer_1"),
    ("answer_1", "answer_2"),
    ("output_1", "output_2"),
    ("conversation_a", "conversation_b"),
)
FORMS = "chosen and rejected, or first and second with p, strength or better"
# Rows of JSON may leave fields out: the names in so many rows are the columns there are.
_LOOKED_AT = 100


@dataclass(frozen=True)
class FoundColumns:
    """The columns of one file, by role."""

    names: dict[Role, str]

    def __contains__(self, role: Role) -> bool:
        return role in self.names

    def of(self, record: Record) -> Record:
        """The record with what stands in these columns alone, under their names."""
        found: dict[str, object] = {}
        for name in self.names.values():
            there, value = _inside(record.data, name)
            if there:
                found[name] = value
        return replace(record, data=found)

    def words(self) -> str:
        """Such as `chosen = "chosen", rejected = "rejected"`."""
        return ", ".join(f'{role} = "{name}"' for role, name in self.names.items())


def find_pair_columns(
    records: Iterator[Record], settings: PairColumns, file: str
) -> tuple[FoundColumns, Iterator[Record]]:
    """The columns of a file, and all of its rows again.

    Args:
        records: Its rows.
        settings: The names that the user gives.
        file: For messages.

    Raises:
        UserError: A named column is not there, or one that is needed is not found.
    """
    first = list(islice(records, _LOOKED_AT))
    if not first:
        return FoundColumns({}), iter(())
    there = list(dict.fromkeys(name for record in first for name in record.data if name))
    given: dict[Role, str] = {
        role: name for role, name in _named(settings).items() if _is_there(first, role, name, file)
    }
    names = _form(given, there, file)
    if question := given.get("question") or _usual("question", there, set(names.values())):
        names["question"] = question
    return FoundColumns(names), chain(first, records)


def _form(given: dict[Role, str], there: Sequence[str], file: str) -> dict[Role, str]:
    """Both answers, and what says which is better."""
    sides: tuple[Role, Role] = ("chosen", "rejected")
    other: tuple[Role, ...] = ("first", "second", *LABELS)
    named = [role for role in sides if role in given]
    if named and (clash := next((role for role in other if role in given), None)):
        raise UserError(
            f"judge.columns.{clash}: expected none beside {named[0]}; a set has {FORMS}"
        )
    found: dict[Role, str] = {role: given.get(role) or _usual(role, there, set()) for role in sides}
    if named or (all(found.values()) and not any(role in given for role in other)):
        for role in sides:
            if not found[role]:
                _missing(role, there, file)
        return {role: found[role] for role in sides}
    answers = _answers(given, there, file)
    labels: list[Role] = [role for role in LABELS if role in given]
    if len(labels) > 1:
        raise UserError(f"judge.columns.{labels[1]}: expected none beside {labels[0]}")
    taken = set(answers.values())
    labels = labels or [role for role in LABELS if _usual(role, there, taken)]
    if not labels:
        _missing("better", there, file)
    label = labels[0]
    return {**answers, label: given.get(label) or _usual(label, there, taken)}


def _answers(given: dict[Role, str], there: Sequence[str], file: str) -> dict[Role, str]:
    plain = {name.casefold(): name for name in there}
    usual = next((pair for pair in USUAL_PAIRS if set(pair) <= plain.keys()), ("", ""))
    sides: tuple[Role, Role] = ("first", "second")
    if not any(side in given for side in sides):
        if not any(usual):
            raise UserError(
                f"judge.columns.chosen: {file} has no columns of the usual names of a preference "
                f"set; expected {FORMS}: it has {_list(there)}"
            )
        return {side: plain[name] for side, name in zip(sides, usual, strict=True)}
    for side in sides:
        if side not in given:
            _missing(side, there, file)
    return {side: given[side] for side in sides}


def _named(settings: PairColumns) -> dict[Role, str]:
    roles: tuple[Role, ...] = ("question", "chosen", "rejected", "first", "second", *LABELS)
    return {role: name for role in roles if (name := getattr(settings, role).strip())}


def _is_there(first: Sequence[Record], role: Role, name: str, file: str) -> bool:
    if not any(_inside(record.data, name)[0] for record in first):
        there = dict.fromkeys(name for record in first for name in record.data if name)
        raise UserError(f"judge.columns.{role}: {name!r:.80}: {file} has {_list(there)}")
    return True


def _usual(role: Role, there: Sequence[str], taken: set[str]) -> str:
    plain = {name.casefold(): name for name in reversed(there) if name not in taken}
    return next((plain[name] for name in USUAL_NAMES[role] if name in plain), "")


def _inside(data: dict[str, object], name: str) -> tuple[bool, object]:
    """Whether there is something of this name, and what it is; a whole name goes before a path."""
    if name in data:
        return True, data[name]
    value: object = data
    for part in name.split("."):
        if is_object(value) and part in value:
            value = value[part]
        elif is_list(value) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value


def _missing(role: Role, there: Sequence[str], file: str) -> NoReturn:
    raise UserError(
        f"judge.columns.{role}: {file} has no column of it; expected {FORMS}: it has {_list(there)}"
    )


def _list(names: Sequence[str] | dict[str, None]) -> str:
    shown = [repr(name[:40]) for name in names]
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "") or "no column"
