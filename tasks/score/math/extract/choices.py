r"""The letter of a multiple choice: `(D)`, `Option D`, `D) 42`, "D, not B", and several of them.

The letter that leads decides, whatever the text of the choice. Two letters named in the same way
are two choices, unless all but one are denied ("D, not B", "(A) is wrong, so (C)"); two choices are
the answer only where the reference has just those two.

Not covered: letters after J, the text of a choice without its letter.
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"^(?:\\text\{)?[(\[]?([A-J])[)\].:]?\}?$")
_SEVERAL = re.compile(r"^(?=[A-J]{2,10}$)A?B?C?D?E?F?G?H?I?J?$")
_TEXT = re.compile(r"\\text\{([^{}]*)\}?")
# (D), D) or D. or D:, and a letter alone: ways to name a choice, each of its own style.
_STYLES = (
    re.compile(r"\(([A-Ja-j])\)"),
    re.compile(r"(?<![A-Za-z\\(])([A-J])[).:](?=\s|$)"),
    re.compile(r"(?<![A-Za-z\\'(])([A-J])(?![A-Za-z').:(=^_{])"),
)
_NAMED = re.compile(
    r"^(?:(?:it is|it's|is|must be|i (?:think|choose|pick|select|say)|my|the|best|final|correct"
    r"|probably|likely|definitely|clearly|certainly"
    r"|right|thus|so|therefore|hence|options?|choices?|answer|letter|it|both|:)\s+){1,6}(?=\(?[A-Ja-j]\b)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\bnot|\bover|\brather than|\binstead of|\brule[sd]? out|\bexcept)\s+"
    r"(?:option\s+|choice\s+)?\(?([A-J])\b\)?"
    r"|\(?\b([A-J])\b\)?\s*(?:(?:is|are|was)\s+(?:wrong|incorrect|false|not|impossible)|\?\s*no\b)",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"\s+(?:is|are|must be)\s+(?:the\s+)?(?:correct|right|answer)\b.*$", re.IGNORECASE
)
# "D, although B is tempting", "A (with low confidence)": what is granted to others, and how sure
# one is; what says that another may be right stays.
_GRANTED = re.compile(
    r",? \(?(?:although|though|even though|while|whereas|despite)\b(?!.*\b(?:correct|right"
    r"|also (?:be|true|valid|works?)|possible|close|could|might|may)\b).*$"
    r"|(?<=^[A-J]) \((?!.*\b(?:or|if|not|but|maybe|perhaps|possibly|wrong|incorrect|except"
    r"|[A-J])\b)[A-Za-z][^()]{2,60}\)$"
)
_LED = re.compile(
    r"^(?:\\text\{\s*)?\(([A-J])\)\s*\}?\s*(?=\S)|^(?:\\text\{\s*)?([A-E])[.):]\s+\}?\s*(?=\S)"
)
_LONGEST = 300


def same_choice(a: str, b: str) -> bool | None:
    """Whether one canonical answer is a choice's letters and the other names the same ones.

    Returns:
        None where neither is a choice's letters, or the other names no choice.
    """
    for one, other in ((a, b), (b, a)):
        if letters := _letters(one):
            named = _letters(other) or named_choices(other)
            return letters == named if named else None
    return None


def named_choices(text: str) -> str:
    """The letters that a text settles on, sorted; empty where it names no choice first."""
    text = _TEXT.sub(r"\1", text).strip()
    if len(text) > _LONGEST:
        text = text[:_LONGEST]
    text, named = _named(_GRANTED.sub("", _CONFIRMED.sub("", text)))
    denied = {next(filter(None, match.groups())).upper() for match in _DENIED.finditer(text)}
    leader = _DENIED.match(text)
    for style in _STYLES:
        first = style.match(text)
        if first is None and not (leader and style.search(text)):
            continue
        found = {match.group(1).upper() for match in style.finditer(text)}
        if style is _STYLES[2] and not named and not _only_letters(text, denied):
            return ""  # "A 5" and "E = mc^2" are no choices
        left = found - denied
        return "".join(sorted(left))
    return ""


def without_letter(text: str) -> str:
    """The text of a choice whose letter leads it; empty where none does."""
    match = _LED.match(text) if text[:1] in "(\\ABCDE" else None
    return text[match.end() :] if match and len(named_choices(text)) == 1 else ""


def _named(text: str) -> tuple[str, bool]:
    match = _NAMED.match(text)
    if match is None:
        return text, False
    rest = text[match.end() :]
    # After "option" a small letter is one too.
    return rest[:1].upper() + rest[1:] if rest[:1].isalpha() else rest, True


def _only_letters(text: str, denied: set[str]) -> bool:
    """Whether nothing but letters of choices, and words that join or deny them, is in a text."""
    rest = re.sub(r"(?<![A-Za-z])[A-J](?![A-Za-z])", "", _DENIED.sub("", text) if denied else text)
    return not re.sub(r"\b(?:and|or|but|both|either|so|maybe|possibly)\b|[\s,;./&]", "", rest)


def _letters(text: str) -> str:
    """The letters where a text is nothing else: D, or AB, or A, B."""
    if match := _LETTER.match(text):
        return match.group(1)
    return text if _SEVERAL.match(text) else ""
