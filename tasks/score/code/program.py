"""Finds the program in what a model wrote. Text in, text out: nothing here runs anything.

Order, the first that applies:
1. the last fenced block marked as Python, or as C++ where that is the language;
2. the first fenced block of any kind, where it is closed or nothing stands before it;
3. the text up to the first stop marker (a fence that closes the prompt's own is one).
For a function that the prompt begins, the program is the prompt's head joined with its body, or
with a whole function where the model wrote that.

Not covered: a program spread over several blocks, blocks nested in quotes or lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.images import Language

# What begins after a program that ends without a mark: a fence, or the next example of the prompt.
STOPS = ("\n```", "\nProblem:", "\nQ:")
# What begins a line after the body of a function and is no part of it.
BODY_STOPS = ("\nclass ", "\ndef ", "\nif ", "\nprint(", "\nassert ", "\n@", "\n#", "\n```")

_FENCE = re.compile(r"^[ ]{0,3}```[ \t]*([\w+#.-]*)[^`\n]*$", re.MULTILINE)
# What a block of each language is marked as.
_MARKS: dict[Language, frozenset[str]] = {
    "python": frozenset({"python", "python3", "py"}),
    "cpp": frozenset({"cpp", "c++", "cc", "cxx", "c++11", "c++14", "c++17", "c++20", "c"}),
}


def extract_program(text: str, stops: Iterable[str] = STOPS, language: Language = "python") -> str:
    """The program in a completion, or "" where there is none.

    Args:
        text: The completion.
        stops: Markers before which a program outside a fence ends.
        language: Of the program.
    """
    text = text.replace("\r\n", "\n")
    block = _fenced(text, _MARKS[language])
    return _tidy(_before(text, stops) if block is None else block)


def complete_function(head: str, text: str, name: str) -> str:
    """The program that a function's head and a completion make; "" where there is no body.

    Args:
        head: The prompt: imports, helpers, and the function up to the end of its docstring.
        text: The completion: a body, or a whole function, which may stand in a fenced block.
    """
    text = text.replace("\r\n", "\n")
    block = _fenced(text)
    body = text if block is None else block
    start = re.compile(rf"^def {re.escape(name)}\(", re.MULTILINE)
    if start.search(body):
        # The model began anew; imports and helpers of the head still count.
        found = start.search(head)
        before = head[: found.start()] if found else ""
        return _tidy(before + (body if block is not None else _before(body, ("\n```",))))
    if block is None:
        body = _before("\n" + body, BODY_STOPS)
    return head.rstrip() + "\n" + _tidy(body) if body.strip() else ""


def _fenced(text: str, marks: frozenset[str] = _MARKS["python"]) -> str | None:
    """The content of the block that counts, or None where no block does."""
    first = None
    marked = None
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None or fence[1]:  # a fence with a name never closes a block
            opened = fence
            continue
        content = text[opened.end() + 1 : fence.start()]
        if opened[1].lower() in marks:
            marked = content
        first = content if first is None else first
        opened = None
    if opened is not None:
        # Left open: the end of the text was cut off, unless it closes what the prompt opened.
        rest = text[opened.end() + 1 :]
        if opened[1].lower() in marks and rest.strip():
            marked = rest
        elif first is None and not text[: opened.start()].strip():
            first = rest
    return first if marked is None else marked


def _before(text: str, stops: Iterable[str]) -> str:
    places = [text.find(stop) for stop in stops]
    return text[: min([place for place in places if place >= 0], default=len(text))]


def _tidy(program: str) -> str:
    """Without blank lines around it; the first line keeps its indentation."""
    kept = program.rstrip()
    while kept and not kept.split("\n", 1)[0].strip():
        kept = kept.partition("\n")[2]
    return kept + "\n" if kept else ""
