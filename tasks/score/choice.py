"""Grades multiple choice: the letter that a completion settles on must be the reference's.

Where the letter is looked for, the first that there is: the last box; what follows the last
`answer is`, `answer:`, `option` and the like on its line; the last line, where it is a letter with
or without its option's text, or has one letter in brackets. A later answer takes the place of an
earlier one. Several letters in one place (`A or B`, `(A) and (C)`) are a wrong answer.

Not covered: the text of an option without its letter; letters after J; small letters that stand in
a sentence without brackets.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from tasks.dag.contracts import Grade, Timed
from tasks.rows import Status
from tasks.score.math.extract.boxes import boxed
from tasks.score.math.limits import MAX_SHOWN

# Characters: an answer stands near the end of a text, and near the start of what follows a phrase.
# Both, and how many phrases are looked at, keep the time in proportion to the text.
_END = 20_000
_SPAN = 400
_PHRASES = 20

_THOUGHTS = "</think>"
_PHRASE = re.compile(
    r"\b(?:answer|choice|option)(?:\s+is|\s*:|\s*=)(?:\s*:)?(?:\s+(?:clearly|therefore|thus))?"
    r"|\b(?:choose|pick|select)\b(?=\s+(?:(?:the\s+)?(?:option|choice|answer)\s+)?\(?[A-J]\b)"
    r"|\b(?:answer|option|choice)(?=\s+\(?[A-J]\b(?!\s+[a-z]))|####",
    re.IGNORECASE,
)
_TAG = re.compile(r"<answer>(.{0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
# What may stand around an answer and says nothing.
_AROUND = re.compile(r"[*_$`\"“”']|\\(?:text|mathrm|textbf|mathbf)\b|[{}]")
_LEAD = re.compile(r"^(?:(?:the|option|choice|answer|letter|is|be|:)\s*)*", re.IGNORECASE)
# The letter, and what may follow it: its own mark, or the end, or the text of its option.
_LETTER = re.compile(
    r"^(?:[(\[]([A-Ja-j])[)\]]|([A-J])(?=[).:,;]|\s*$|\s+(?:is|or|and|because|since|as|with|but)\b"
    r"|\s*[/&|+–—-]|\s+[(\[])|([a-j])(?=[).:]?\s*$))[).:]?"
)
# One more letter, joined to the one before. An option's text may begin with "A", so what comes
# after a bare letter says whether it is one.
_MORE = re.compile(
    r"^[).:]?\s*(?:[,/&|+]|,?\s*\b(?:or|and|nor)\b)*\s*(?:(?:option|choice)\s+)?"
    r"(?:[(\[]([A-J])[)\]]|(?<=[\s,/&|+])([A-J])(?=\s*(?:$|[.,;:)/&|+]|(?:or|and)\b)))"
)
_BRACKETED = re.compile(r"[(\[]([A-J])[)\]]")
_MARKED = re.compile(r"(?<![A-Za-z])([A-J])(?![A-Za-z'’])")


class ChoiceGrader:
    """Grades completions by the letter of an option; what GradePool is for math."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took (0: nothing is measurable), in order.

        Args:
            pairs: References, each a letter, and completions.
        """
        for reference, text in pairs:
            yield _grade(reference, text), 0.0


def _grade(reference: str, text: str) -> Grade:
    found = chosen_letters(text)
    if not found:
        return Grade(0.0, Status.NO_ANSWER, "")
    shown = ", ".join(found)[:MAX_SHOWN]
    if found == [reference.strip()]:
        return Grade(1.0, Status.CORRECT, shown)
    return Grade(0.0, Status.WRONG_ANSWER, shown)


def chosen_letters(text: str) -> list[str]:
    """The letters that a completion settles on: one, several of a hedge, or none."""
    text = text.rpartition(_THOUGHTS)[2].strip()
    if (box := boxed(text)) is not None:
        return _letters(box[0])
    text = text[-_END:]
    if tags := _TAG.findall(text):
        return _letters(tags[-1])
    last_line = text.rsplit("\n", 1)[-1]
    for phrase in reversed(deque(_PHRASE.finditer(text), _PHRASES)):
        # "The correct answer is:" has its answer on the next line.
        rest = text[phrase.end() :][:_SPAN].lstrip(" \t:*_\n").split("\n", 1)[0]
        named = list(dict.fromkeys(_MARKED.findall(rest)))
        if found := _letters(rest) or (named if len(named) > 1 else []):  # "both A and B"
            return found
    if found := _letters(last_line):
        return found
    return list(dict.fromkeys(_BRACKETED.findall(last_line)))


def _letters(text: str) -> list[str]:
    """The letters that a text begins with."""
    text = _LEAD.sub("", _AROUND.sub("", text[:_SPAN]).strip())
    match = _LETTER.match(text)
    if not match:
        return []
    found: list[str] = []
    while match:
        found.append(next(group for group in match.groups() if group).upper())
        text = text[match.end() :]
        match = _MORE.match(text)
    return list(dict.fromkeys(found))
