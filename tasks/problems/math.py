r"""`math` and `math500`: competition problems (Hendrycks et al., arXiv 2103.03874).

`math` has 7,500 train and 5,000 test problems in five levels and seven subjects; `math500` is the
test subset of Lightman et al. (arXiv 2305.20050) and has no training split. Read from the original
folder layout (train/SUBJECT/NUMBER.json), JSON lines, or the Hub. Fields: problem, solution, level
("Level 5" or 5), type or subject; optional answer, unique_id or id, split. The reference is the
answer field where there is one, else the last balanced \boxed{...} of the solution.

Two training problems of the published set have an empty box. Nothing can be checked against that,
so a row with an empty box is left out; a solution without any box is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tasks.errors import UserError
from tasks.problems.source import Origin, Record, of_split, parse_object, problem_row
from tasks.rows import Row

MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
MATH_ORIGIN = Origin(
    name="math",
    hub="EleutherAI/hendrycks_math",
    configs=MATH_SUBJECTS,
    files=("math_{split}", "math", "{split}"),
    layout="{split}/SUBJECT/NUMBER.json",
)
MATH500_ORIGIN = Origin(
    name="math500",
    hub="HuggingFaceH4/MATH-500",
    configs=(),
    files=("math500_{split}", "math500", "math_500", "{split}"),
)
# `\boxed 7`, which a few solutions write, ends where the formula does.
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:(?P<brace>\{)|(?P<bare>[^\s{}$\\]+))")
_LEVEL = re.compile(r"(?:Level )?([1-5])")


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of MATH's `train` or `test`; raises like `loading.load_split`."""
    return _rows(MATH_ORIGIN, split, source)


def load_split_500(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of MATH-500, which has only `test`; raises like `load_split`."""
    if split != "test":
        raise UserError(f"math500: it has only a test split, not {split!r}; train on math instead")
    return _rows(MATH500_ORIGIN, split, source)


def last_boxed(text: str) -> str | None:
    r"""Content of the last balanced \boxed{...} in a text, or None where there is none."""
    found = None
    for match in _BOX.finditer(text):
        if match["bare"] is not None:
            found = match["bare"]
            continue
        end = _closing(text, match.end())
        if end is not None:
            found = text[match.end() : end].strip()
    return found


def _closing(text: str, start: int) -> int | None:
    """Where the brace opened just before `start` is closed; an escaped brace does not count."""
    depth, place = 1, start
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
        place += 1
    return None


def _rows(origin: Origin, split: str, source: str) -> Iterator[Row]:
    for index, record in of_split(_records(origin, split, source), split):
        solution = record.text("solution")
        reference = record.optional("answer") or last_boxed(solution)
        if reference is None:
            record.fail("solution", r"a solution with its answer in \boxed{...}")
        if not reference:
            continue
        subject = record.optional("type", "subject")
        yield problem_row(
            *(origin.name, split, _id(record, split, index), "math"),
            question=record.text("problem"),
            reference=reference,
            solution=solution,
            level=_level(record),
            subject=subject.lower().replace(" & ", "_and_").replace(" ", "_"),
        )


def _records(origin: Origin, split: str, source: str) -> Iterator[Record]:
    folder = _layout(origin, split, source)
    if folder is None:
        yield from origin.records(split, source)
        return
    files = sorted(folder.glob("*/*.json"), key=lambda f: (f.parent.name, len(f.stem), f.stem))
    for file in files:
        record = parse_object(file.read_bytes(), str(file), 1)
        name = f"{split}/{file.parent.name}/{file.stem}"
        yield replace(record, data={**record.data, "unique_id": name})


def _layout(origin: Origin, split: str, source: str) -> Path | None:
    """The folder of a split in the original layout, where the source has one."""
    if origin is not MATH_ORIGIN:
        return None
    place = source or os.environ.get("RESTEM_DATA", "")
    if not place:
        return None
    root = Path(place).expanduser()
    # RESTEM_DATA holds many data sets, so only its folder MATH is taken for this one.
    roots = [root, root / "MATH"] if source else [root / "MATH"]
    for root in roots:
        if (root / split).is_dir() and any((root / split).glob("*/*.json")):
            return root / split
    return None


def _id(record: Record, split: str, index: int) -> str:
    """`algebra/12`; a row without an id of its own is named by its place in its file."""
    own = record.optional("unique_id", "id").removesuffix(".json")
    if own:
        return own.removeprefix(f"{split}/")
    subject = record.optional("config")
    if subject in MATH_SUBJECTS:
        return f"{subject}/row-{record.line}"
    return f"row-{index + 1}"


def _level(record: Record) -> str:
    """`1` to `5`, or empty where the set itself does not know ("Level ?" or null)."""
    value = record.data.get("level")
    if value is None or value in ("", "Level ?"):
        return ""
    match = None if isinstance(value, bool) else _LEVEL.fullmatch(str(value))
    if match is None:
        record.fail("level", "'Level 1' to 'Level 5', or 1 to 5")
    return match[1]
