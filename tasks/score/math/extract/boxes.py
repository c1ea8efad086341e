r"""Finds `\boxed{}` answers in a text: the last one, or several that are one answer together.

`\boxed{1}` and `\boxed{2}` joined by a comma, "and" or "or" are the list `1, 2`; with names before
them (`x = \boxed{1}, y = \boxed{2}`) they are `x = 1, y = 2`. Other boxes before the last are
steps on the way, or answers taken back.

Not covered: boxes joined by whole sentences ("or, in the second case, ...").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.score.math.limits import MAX_BETWEEN, MAX_BOXES, MAX_BROKEN_TAIL, MAX_NESTED

# Without braces a box holds what follows on its line, which is no word of a sentence.
_TOKEN = re.compile(
    r"\\(?:begin)?(?:boxed|fbox)\s*\{|\\boxed[ \t]+(?![A-Za-z]{2})([^\s{}$]+)|\\.|[{}]", re.DOTALL
)
_COMMAND = re.compile(r"\\(?:begin)?(?:boxed|fbox)")
_LABEL = re.compile(r"(?<![A-Za-z\\])([A-Za-z](?:_\{?\w\}?)?)\s*=\s*$")
_BETWEEN = re.compile(
    r"(?:[\s$;&,]|\\[()\[\] ]|\\q?quad|\\\\|\\text\s*\{\s*,?\s*(?:and|or)\s*\}|\b(?:and|or)\b)*"
)
# "\\boxed{3} cats and \\boxed{5} dogs": a word or two about the first, then "and" alone.
_NAMED_PARTS = re.compile(
    r"[^.!?;:\n\\]{0,30}(?:\\[)(])?[^.!?;:\n\\]{0,5}\band\s*(?:\$|\\[(\[])?\s*"
)
_JOINT = re.compile(r"[,;]|\b(?:and|or)\b")
# `\boxed{\frac{1}{2}$.`: the closing brace is missing although the text goes on.
_UNCLOSED = re.compile(r"\\boxed\s*\{([^\n$]{1,200})(?=\$|\\\]|\\\)|\n)")

# A box that the end of the text cut off, with nothing in it.
_CUT_OFF = re.compile(r"\\(?:boxed|fbox)\s*\{\s*$")


@dataclass(frozen=True)
class _Box:
    """Where a box and its content are; cut out only when it is the answer."""

    start: int
    end: int
    inner: tuple[int, int]


def boxed(text: str) -> tuple[str, str] | None:
    """The answer in boxes, and the text after the last one.

    Returns:
        None where there is no box; an empty answer where the last one was never finished.
    """
    if "boxed" not in text and "\\fbox" not in text:
        return None
    if r"\\boxed" in text and text.count(r"\\boxed") == text.count(r"\boxed"):
        text = text.replace("\\\\", "\\")  # a text that was escaped twice
    boxes = _boxes(text)
    if not boxes:
        broken = [*_UNCLOSED.finditer(text[-MAX_BROKEN_TAIL:])]
        return (broken[-1].group(1).strip(), "") if broken else None
    after = text[boxes[-1].end :]
    if _CUT_OFF.search(after):
        return "", ""
    row = [boxes[-1]]
    for before in reversed(boxes[-MAX_BOXES:-1]):
        if before.end > row[0].start or not _joined(text[before.end : row[0].start]):
            break
        row.insert(0, before)
    if len(row) == 1:
        return _content(text, row[0]), after
    return _together(text, row), after


def _joined(between: str) -> bool:
    if len(between) > MAX_BETWEEN or "\n\n" in between.strip("$\n ,"):
        return False
    between = _LABEL.sub("", between)
    if _NAMED_PARTS.fullmatch(between):
        return True
    return bool(_BETWEEN.fullmatch(between)) and bool(_JOINT.search(between))


def _together(text: str, row: list[_Box]) -> str:
    """The parts of one answer as a list, with their names where these differ."""
    labels = [_LABEL.search(text[max(0, box.start - MAX_BETWEEN) : box.start]) for box in row]
    names = [label.group(1) if label else "" for label in labels]
    contents = [_content(text, box) for box in row]
    if all(names) and len(set(names)) == len(names) and not any("=" in one for one in contents):
        return ", ".join(f"{name} = {one}" for name, one in zip(names, contents, strict=True))
    return ", ".join(dict.fromkeys(contents))


def _boxes(text: str) -> list[_Box]:
    """All outermost boxes that close, in order; of boxes in other braces too."""
    opened: list[tuple[int, int]] = []  # start of a box and of its content, or -1s for a brace
    found: list[_Box] = []
    for token in _TOKEN.finditer(text, _first_box(text)):
        mark = token.group()
        if token.group(1) is not None:
            if not any(start >= 0 for start, _ in opened[-1:]):
                found.append(_Box(token.start(), token.end(), token.span(1)))
        elif _COMMAND.match(mark):
            opened.append((token.start(), token.end()))
        elif mark == "{":
            opened.append((-1, -1))
        elif mark == "}" and opened:
            start, content = opened.pop()
            if start >= 0:
                while found and found[-1].start > start:
                    found.pop()
                found.append(_Box(start, token.end(), (content, token.start())))
    return found


def _first_box(text: str) -> int:
    """Where to start looking: no brace before the first box matters, but a stroke may."""
    start = ((found := _COMMAND.search(text)) and found.start()) or 0
    strokes = start - len(text[:start].rstrip("\\"))
    return start - strokes % 2  # strokes go in pairs; one left over takes the box's own


def _content(text: str, box: _Box) -> str:
    """What is in a box, or in the innermost of boxes that hold nothing but a box."""
    content = text[slice(*box.inner)].strip()
    if box.end == box.inner[1]:  # \\boxed 7. without braces
        return content.rstrip(".,;")
    for _ in range(MAX_NESTED):
        match = _TOKEN.match(content)
        if match is None or not _COMMAND.match(match.group()) or not content.endswith("}"):
            break
        content = content[match.end() : -1].strip()
    return content
