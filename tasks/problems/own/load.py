"""Reads one's own problems: the rows of all splits, each once, or one line on what is wrong.

Of rows that name no split there are three cases. Files or Hub splits say it by their names, a split
column by its values, and what says nothing is for training, of which a share is drawn for test
where there is no other test problem (tasks/problems/loading.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.errors import UserError
from tasks.problems.own.columns import Columns, find_columns
from tasks.problems.own.contests import Unusable
from tasks.problems.own.places import SPLITS, Part, Where
from tasks.problems.own.rows import RowMaker
from tasks.problems.own.values import MAX_NAME, text_of
from tasks.problems.source import Record
from tasks.rows import Row
from tasks.settings import ColumnSettings

TWICE = "the question of an earlier row"


@dataclass
class Seen:
    """Where each id and each question stands, over all sets of a run.

    Attributes:
        first: Whether a question that comes again is left out rather than refused.
    """

    first: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)

    def again(self, row: Row, record: Record, columns: Columns) -> bool:
        """Whether the row is to be left out.

        Raises:
            UserError: It has the id, or the question, of another row; both are named.
        """
        question = " ".join(row["question"].split())
        if before := self.questions.get(question):
            if self.first:
                return True
            _twice(record, columns.name("question"), "question", before)
        if before := self.ids.get(row["id"]):
            name = columns.name("id") if "id" in columns else columns.name("question")
            _twice(record, name, "id", before)
        self.questions[question] = self.ids[row["id"]] = record.place
        return False


def _twice(record: Record, name: str, what: str, before: str) -> None:
    more = " (data.repeated = first leaves such rows out)" if what == "question" else ""
    raise UserError(
        f"{record.place}: {record.column} {name!r}: expected another {what} than that of "
        f"{before}{more}"
    )


@dataclass(frozen=True)
class Found:
    """How the rows of one place were read.

    Attributes:
        place: File, or data set and split on the Hub.
        columns: What each column was taken for.
        rows: How many, by split.
    """

    place: str
    columns: Columns
    rows: Counter[str]


@dataclass
class OwnProblems:
    """All problems of one source.

    Attributes:
        splits: By split; all three are there.
        found: How its places were read.
        left_out: Rows that are left out, by split and reason.
        places: File and row of each problem, by its id.
        notes: What else there is to say.
    """

    splits: dict[str, list[Row]]
    found: list[Found] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_own(
    where: Where,
    columns: ColumnSettings,
    domain: str,
    seen: Seen,
    *,
    prefix: str = "file",
    rest: str = "train",
    only: tuple[str, ...] = SPLITS,
) -> OwnProblems:
    """Read all problems of a source.

    Args:
        where: The source.
        columns: Names that the user gives.
        domain: Of the problems.
        seen: The rows so far, of other sources too.
        prefix: Of ids.
        rest: Split of the rows that name none.
        only: Splits that are used; rows of others are checked no further than their split.

    Raises:
        UserError: Naming the source, or file, row and column.
    """
    made = OwnProblems({split: [] for split in SPLITS})
    # Test rows first, so that of a question that comes twice it is the test's that stays.
    for part in sorted(where.parts(), key=lambda one: SPLITS[::-1].index(one.split or rest)):
        _read_part(part, where, columns, domain, seen, made, prefix, rest, only)
    return made


def _read_part(
    part: Part,
    where: Where,
    settings: ColumnSettings,
    domain: str,
    seen: Seen,
    made: OwnProblems,
    prefix: str,
    rest: str,
    only: tuple[str, ...],
) -> None:
    columns, records = find_columns(iter(part.records), settings, domain, part.place)
    maker, counts = RowMaker(columns, domain, prefix), Counter[str]()
    pairs = ((_split(record, columns, part, where, rest), record) for record in records)
    for split, record in _tests_first(pairs, columns, part):
        counts[split] += 1
        if split not in only:
            continue
        try:
            row = maker.row(record, split)
        except Unusable as reason:
            made.left_out[split, str(reason)] += 1
            continue
        if seen.again(row, record, columns):
            made.left_out[split, TWICE] += 1
            continue
        made.splits[split].append(row)
        made.places[row["id"]] = record.place
    made.found.append(Found(part.place, columns, counts))


def _tests_first(
    pairs: Iterator[tuple[str, Record]], columns: Columns, part: Part
) -> Iterator[tuple[str, Record]]:
    """In the file's order, but where rows name their splits, test rows before the others."""
    if part.split or "split" not in columns:
        yield from pairs
        return
    yield from sorted(pairs, key=lambda one: SPLITS[::-1].index(one[0]))


def _split(record: Record, columns: Columns, part: Part, where: Where, rest: str) -> str:
    if part.split or "split" not in columns:
        return part.split or rest
    name = columns.name("split")
    given = text_of(record, name, MAX_NAME, needed=False)
    if not given:
        record.fail(name, f"a split ({where.names.expected()})")
    split = where.names.split_of(given)
    if not split:
        record.fail(name, f"a split ({where.names.expected()})")
    return split


def said(own: list[OwnProblems]) -> list[str]:
    """How each place was read, in words."""
    words = [f"{one.place}: {one.columns.words()}" for source in own for one in source.found]
    return [*words, *(note for source in own for note in source.notes)]
