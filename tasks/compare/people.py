"""Labels that people gave to pairs of a run's samples: a file of JSON lines.

    {"problem": "svamp/train/12", "first": 0, "second": 3, "p": 1.0, "who": "ann"}

p is 1 where the first is better, 0 where the second is, 1/2 for a tie, and null where somebody
could not say. Several people may label a pair; the mean of their p counts. Pairs that are not in
the file have no label. A line may name both texts (`texts`, see `text_names`): it is then a label
of these, and not of whatever samples of another policy have the same indices. Fields beside these
are passed over.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.errors import UserError
from tasks.facts import is_list, is_object
from tasks.rows import Row, text_digest

_FIELDS = {
    "problem": (str, "a text"),
    "first": (int, "a whole number"),
    "second": (int, "a whole number"),
    "p": (int | float | None, "a number from 0 to 1, or null"),
}
_NAME_CHARACTERS = 16


@dataclass(frozen=True)
class Label:
    """A line of the file, with the sample of the lower index first.

    Attributes:
        p: Probability that the first is better; None: not said.
        texts: Names of both texts; None: it is of whatever has these indices.
        who: Said it; may be empty.
    """

    problem: str
    first: int
    second: int
    p: float | None
    texts: tuple[str, str] | None
    who: str

    def is_of(self, pair: Pair) -> bool:
        """Whether it is a label of this pair, of which problem and indices are its own."""
        return self.texts is None or self.texts == text_names(pair)


def text_names(pair: Pair) -> tuple[str, str]:
    """What names the texts of a pair in a file: the beginnings of their SHA-256."""
    one, other = (text_digest(text)[:_NAME_CHARACTERS] for text in pair.texts)
    return one, other


def parse_labels(raw: bytes, file: Path | str) -> list[Label]:
    """The labels of a file's content, in order; blank lines are passed over.

    Raises:
        UserError: naming the line and the field, and what was expected.
    """
    lines = enumerate(raw.splitlines(), start=1)
    return [_label(line, f"{file} line {number}") for number, line in lines if line.strip()]


def read_people(path: Path, digest: str, pairs: Sequence[Pair]) -> Iterator[Row]:
    """Rows of rows.PREFERENCE for these pairs.

    Args:
        path: The file.
        digest: SHA-256 that it must have, for a cache key says so already.
        pairs: What was drawn.

    Raises:
        UserError: it was changed, or a line (named) is no label.
    """
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    said: dict[tuple[str, int, int], list[Label]] = {}
    for one in parse_labels(raw, path):
        said.setdefault((one.problem, one.first, one.second), []).append(one)
    for pair in pairs:
        labels = said.get((pair.problem_id, pair.first, pair.second), [])
        found = [one.p for one in labels if one.p is not None and one.is_of(pair)]
        yield preference_row(pair, [sum(found) / len(found) if found else None], [""])


def _label(line: bytes, place: str) -> Label:
    try:
        row: object = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: expected a JSON object ({error})") from None
    if not is_object(row):
        raise UserError(f"{place}: expected a JSON object")
    for name, (kind, wanted) in _FIELDS.items():
        if name not in row or not isinstance(row[name], kind) or isinstance(row[name], bool):
            raise UserError(f"{place}: field {name!r}: expected {wanted}")
    p, first, second = row["p"], row["first"], row["second"]
    if p is not None and not (math.isfinite(p) and 0 <= p <= 1):
        raise UserError(f"{place}: field 'p': expected a number from 0 to 1, or null")
    if first == second:
        raise UserError(f"{place}: field 'second': expected another sample than {first}")
    texts, who = row.get("texts"), row.get("who", "")
    if texts is not None and not (
        is_list(texts) and len(texts) == 2 and all(isinstance(one, str) for one in texts)
    ):
        raise UserError(f"{place}: field 'texts': expected the names of two texts")
    if not isinstance(who, str):
        raise UserError(f"{place}: field 'who': expected a name")
    named = None if texts is None else (str(texts[0]), str(texts[1]))
    if first > second:
        first, second, p = second, first, None if p is None else 1 - p
        named = named and (named[1], named[0])
    return Label(row["problem"], first, second, None if p is None else float(p), named, who)
