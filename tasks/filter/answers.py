"""Is a model's answer the reference's? Rules from cheap to dear; nothing is ever evaluated as code.

1. the same text after normalisation; 2. the same exact number; 3. the same shape with equal parts
(forms.py); 4. certainly different values at one point; 5. symbolic equality, in a process that can
be killed (symbolic.py, pool.py). `decide` is rules 1 to 4, safe anywhere: every step has a limit.

The outcome does not depend on which side is the reference, extraction apart. What is over a limit
or out of time is `checker_error`: said and counted, never a silent wrong answer.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from tasks.filter.extract import extract_answer, gold_answer
from tasks.filter.forms import Form, Kind, is_name, read_form
from tasks.filter.normalize import canonical, key
from tasks.filter.syntax import MAX_LENGTH, Tree, read
from tasks.filter.values import differ, exact
from tasks.rows import Status

if TYPE_CHECKING:
    from tasks.filter.pool import GradePool

# Compares two expressions, or two equations written `(l)=(r)`; raises Refused over a limit.
Symbolic = Callable[[str, str], bool | None]

# What a single `grade` call may spend on symbolic work, in seconds of CPU.
GRADE_SECONDS = 5.0
# What is kept of an answer in a verdict.
MAX_SHOWN = 1000

_PLAIN = re.compile(r"^[-+]?\$?(\d{1,3}(?:,\d{3})++|\d++)(?:\.(\d*+))?$")
_WORDY = re.compile(r"[A-Za-z]{4,}")
_INEQUALITY = re.compile(r"[<>]|\\(?:le|ge|ne)(?![A-Za-z])")
_MATHEMATICAL = re.compile(r"[\d\\^_+*/=<>|]")


@dataclass(frozen=True)
class Grade:
    """The verdict on one prediction."""

    reward: float  # 1.0 or 0.0
    status: Status
    extracted: str  # the answer as it was found in the prediction
    first_failure: int = -1  # of a program: the first test that failed


def grade(gold: str, prediction: str) -> Grade:
    """Compare one prediction with its reference; each may be a bare answer or a whole solution.

    Safe on hostile text, from any thread. Symbolic work is done by one background process that is
    started when first needed and ends with this one; for many pairs use `pool.GradePool`.
    """
    decided = decide(gold, prediction)
    if decided is not None:
        return decided
    return next(iter(_shared_pool().grade([(gold, prediction)])))[0]


def decide(gold: str, prediction: str, symbolic: Symbolic | None = None) -> Grade | None:
    """The verdict by the cheap rules, or None where only symbolic work can tell.

    Args:
        gold: The reference answer or solution.
        prediction: What the model wrote.
        symbolic: Compares two expressions; with it the verdict is never None.
    """
    answer = extract_answer(prediction)
    reference = gold_answer(gold)
    if not answer:
        same_text = bool(reference) and key(canonical(prediction)) == key(canonical(reference))
        return _graded(True, prediction.strip()) if same_text else _no_answer()
    try:
        same = same_answer(reference, answer, symbolic)
        whole = prediction.strip()
        # A bare answer in words ("all real numbers above 3") must not lose to extraction.
        if (
            same is not True
            and answer != whole
            and len(whole) <= MAX_LENGTH
            and key(canonical(whole)) == key(canonical(reference))
        ):
            return _graded(True, whole)
    except Exception:
        # Refused, or RecursionError where the caller's stack is deep already. A mistake of ours
        # must not end a run of a million samples either: the status is counted and shown.
        return refused(answer)
    if same is None:
        return None if symbolic is None else Grade(0.0, Status.CHECKER_ERROR, answer)
    return _graded(same, answer)


def refused(answer: str) -> Grade:
    """The verdict on an answer that the checker could not settle within its limits."""
    return Grade(0.0, Status.CHECKER_ERROR, _shown(answer))


def _graded(same: bool, answer: str) -> Grade:
    status = Status.CORRECT if same else Status.WRONG_ANSWER
    return Grade(float(same), status, _shown(answer))


def _shown(answer: str) -> str:
    return answer if len(answer) <= MAX_SHOWN else answer[: MAX_SHOWN - 1] + "…"


def _no_answer() -> Grade:
    return Grade(0.0, Status.NO_ANSWER, "")


def same_answer(gold: str, answer: str, symbolic: Symbolic | None = None) -> bool | None:
    """Whether two bare answers are the same; None where only symbolic work can tell.

    Raises:
        Refused: over a limit.
    """
    left, right = _plain_number(gold), _plain_number(answer)
    if left is not None and right is not None:
        return left == right
    gold, answer = canonical(gold), canonical(answer)
    if not gold or not answer:
        return False
    if key(gold) == key(answer):
        return True
    return _same(read_form(gold), read_form(answer), symbolic)


def _plain_number(text: str) -> str | None:
    """A decimal in its shortest spelling, by text alone, so that its length does not matter."""
    text = text.strip()
    match = _PLAIN.match(text)
    if not match or not text.isascii():
        return None
    whole = match.group(1).replace(",", "").lstrip("0")
    part = (match.group(2) or "").rstrip("0")
    sign = "-" if text[0] == "-" and (whole or part) else ""
    return f"{sign}{whole or '0'}.{part}"


def _same(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    if a == b:
        return True
    if a.kind is Kind.EQUATION or b.kind is Kind.EQUATION:
        return _same_equation(a, b, symbolic)
    unordered = (Kind.LIST, Kind.SET)
    if a.kind in unordered and b.kind in unordered:
        return _same_unordered(a.parts, b.parts, symbolic)
    if a.kind is not b.kind:
        return False
    if a.kind is Kind.QUANTITY:
        return _same_quantity(a, b, symbolic)
    if a.kind is Kind.UNION:
        return _same_unordered(a.parts, b.parts, symbolic)
    if a.text != b.text or len(a.parts) != len(b.parts):
        return False
    return _all(_same(x, y, symbolic) for x, y in zip(a.parts, b.parts, strict=True))


def _all(outcomes: Iterable[bool | None]) -> bool | None:
    """Three-valued and: False wins over unknown, unknown over True."""
    unknown = False
    for outcome in outcomes:
        if outcome is False:
            return False
        unknown |= outcome is None
    return None if unknown else True


def _same_unordered(
    a: tuple[Form, ...], b: tuple[Form, ...], symbolic: Symbolic | None
) -> bool | None:
    """Pair each part of one with an equal part of the other."""
    if len(a) != len(b):
        return False
    table = [[_same(x, y, None) for y in b] for x in a]
    rows, columns = set(range(len(a))), set(range(len(b)))
    for decide_by in (None, symbolic):
        for row in sorted(rows):
            for column in sorted(columns):
                if decide_by is not None and table[row][column] is None:
                    table[row][column] = _same(a[row], b[column], decide_by)
                if table[row][column]:
                    rows.remove(row)
                    columns.remove(column)
                    break
    if not rows:
        return True
    alone = any(all(table[row][column] is False for column in columns) for row in rows)
    alone |= any(all(table[row][column] is False for row in rows) for column in columns)
    return False if alone else None


def _same_equation(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    if a.kind is not b.kind:
        equation, value = (a, b) if a.kind is Kind.EQUATION else (b, a)
        left, right = equation.parts
        return _same(right, value, symbolic) if is_name(left) else False
    straight = _all(_same(x, y, symbolic) for x, y in zip(a.parts, b.parts, strict=True))
    if straight is True:
        return True
    sides = [*a.parts, *b.parts]
    if any(side.kind is not Kind.QUANTITY for side in sides):
        return straight
    if key(a.parts[0].text) == key(b.parts[0].text) and is_name(a.parts[0]):
        return straight
    if any(_tree(side.text) is None for side in sides):
        return straight
    if symbolic is None:
        return None
    return symbolic(*(f"({one.parts[0].text})=({one.parts[1].text})" for one in (a, b)))


def _same_quantity(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    if a.unit and b.unit and a.unit != b.unit:
        return False
    if a.percent == b.percent or not (a.text and b.text):
        return _same_value(a.text, b.text, symbolic)
    percent, other = (a, b) if a.percent else (b, a)
    as_number = _same_value(percent.text, other.text, symbolic)
    if as_number is not False:
        return as_number
    return _same_value(f"({percent.text})/100", other.text, symbolic)


def _same_value(a: str, b: str, symbolic: Symbolic | None) -> bool | None:
    if key(a) == key(b):
        return True
    if bool(_INEQUALITY.search(a)) is not bool(_INEQUALITY.search(b)):
        return False
    left, right = _tree(a), _tree(b)
    if left is None or right is None:
        if not _worth_parsing(a) or not _worth_parsing(b):
            return False
        return None if symbolic is None else symbolic(a, b)
    x, y = _exact(left), _exact(right)
    if x is not None and y is not None:
        return x == y
    if differ(left, right):
        return False
    return None if symbolic is None else symbolic(a, b)


def _tree(text: str) -> Tree | None:
    """The tree of an expression; a plain number is read whatever its length up to the limits."""
    number = _plain_number(text)
    if number is not None and len(number) < 40:
        return ("num", Fraction(number if not number.endswith(".") else number[:-1]))
    return read(text)


# A reference is compared with many predictions, and a part of a set with many others.
_exact = functools.lru_cache(maxsize=4096)(exact)


def _worth_parsing(text: str) -> bool:
    """Whether a text that our reader does not know may still be mathematics."""
    return bool(_MATHEMATICAL.search(text)) and not _WORDY.search(re.sub(r"\\[A-Za-z]+", "", text))


_pool_lock = threading.Lock()
_pool: GradePool | None = None


def _shared_pool() -> GradePool:
    """The one background checker of `grade`; its process ends at end of file with this one."""
    global _pool
    from tasks.filter.pool import GradePool

    with _pool_lock:
        if _pool is None:
            _pool = GradePool(workers=1, time_limit=GRADE_SECONDS)
        return _pool
