"""What a code data set holds that cannot be graded well: counted, so that nobody has to guess.

Programs are compared with the one answer that the data set has, where it has no checker and we
have none for it (tasks/checkers). Where a problem has several right answers that calls right
programs wrong, never wrong ones right: such problems cost samples and understate a policy, but do
not teach it anything false. They are kept, and counted from what their statements say. The phrases
are chosen so as to miss some rather than to count problems with one answer; a statement that says
nothing (apps/train/0033) is missed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tasks.checkers.known import has_checker
from tasks.rows import Row

# By split, how many rows were left out and why.
LeftOut = dict[str, Counter[str]]

_KIND = r"(?:suitable|valid|proper|correct|such|possible|appropriate|acceptable|optimal|way)"
_SAY = r"(?:print|printed|output|return|returned|write|display)"
_PHRASES = re.compile(
    "|".join(
        (
            # "If there are several answers, print any of them."
            rf"\b{_SAY}\s+any\b(?!\s+(?:other|number of|text))",
            rf"\b(?:find|give|construct)\s+any\s+(?:{_KIND}|of\s+(?:them|these|those))\b",
            r"\bif\b[^.]{0,40}\b(?:multiple|several|many|more than one)\b[^.]*,[^.]*\bany\b",
            r"\bany\s+(?:of\s+(?:them|these|those)|answer|solution)\s+(?:is|are|will\s+be)\s+"
            r"(?:accept|correct|ok|fine)",
            # "You can print them in any order."
            rf"\b{_SAY}\b[^.\n]*\bin\s+(?:any|arbitrary)\s+order\b",
            r"-\s*Output\s*-(?:(?!-----)(?:.|\n))*\bin\s+(?:any|arbitrary)\s+order\b",
        )
    ),
    re.IGNORECASE,
)
# A condition in place of an answer; but where it is on the distance from the jury's, that is the
# comparison of floats and covered.
_CONDITION = re.compile(r"\bconsidered\s+correct\s+if\b(?![^.\n]*\berror\b)", re.IGNORECASE)
_JURY = re.compile(r"\bjury", re.IGNORECASE)
# HumanEval's checks accept what they accept, and the problems that a program makes have one.
_ONE_ANSWER = ("humaneval/", "synthetic_code")


def several_answers(question: str) -> bool:
    """Whether a statement says that a problem has several right answers."""
    if _PHRASES.search(question):
        return True
    return bool(_CONDITION.search(question)) and not _JURY.search(question)


def count_several(rows: Iterable[Row]) -> int:
    """How many problems say so, of those that are compared with one answer."""
    compared = (r for r in rows if r["domain"] == "code" and not r["id"].startswith(_ONE_ANSWER))
    return sum(several_answers(row["question"]) and not has_checker(row) for row in compared)


def describe(left_out: LeftOut, several: dict[str, int]) -> str:
    """The counts over all splits in a line, or nothing where there is nothing to say."""
    reasons = sum(left_out.values(), Counter[str]())  # which drops what is zero
    parts = [f"{_number(n, 'row')} left out: {why}" for why, n in sorted(reasons.items())]
    if total := sum(several.values()):
        parts.append(f"{_number(total, 'problem')} with several right answers (statement says so)")
    return ", ".join(parts)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
