"""The letter of a multiple choice: `(D)`, `Option D`, `D) 42`.

Not covered: letters after J, the text of a choice without its letter.
"""

from __future__ import annotations

import re

_LETTER = re.compile(r"^(?:\\text\{)?[(\[]?([A-J])[)\].:]?\}?$")
# What follows the letter is what it stands for; the letter alone decides.
_LED = re.compile(
    r"^(?:\\text\{)?(?:(?:option|choice|answer)\s+)?"
    r"(?:\(([A-J])\)|([A-J])[).:](?=[\s}])|(?<=[a-z] )([A-J])$)",
    re.IGNORECASE,
)


def same_choice(a: str, b: str) -> bool:
    """Whether one canonical answer is a choice's letter and the other leads with the same one."""
    for one, other in ((a, b), (b, a)):
        letter = _LETTER.match(one)
        if letter and letter.group(1) == _led(other):
            return True
    return False


def _led(text: str) -> str:
    match = _LETTER.match(text) or _LED.match(text)
    return next((group for group in match.groups() if group), "") if match else ""
