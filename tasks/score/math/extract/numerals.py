"""Chinese numbers in words, as Japanese writes them too: 二十七, 三分之二, 一万零五.

Not covered: digits one by one (二〇二六 as 2026 is), Japanese and Korean words in their own script.
"""

from __future__ import annotations

import re

_DIGITS = {
    **{character: value for value, character in enumerate("零一二三四五六七八九")},
    "〇": 0, "两": 2, "兩": 2,
}  # fmt: skip
_TENS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_NUMERAL = "[零〇一二两兩三四五六七八九十百千万萬亿億]{1,20}"
# A whole answer, with a counter after it.
_WHOLE = re.compile(
    rf"^(负|負)?(?:({_NUMERAL})分之)?({_NUMERAL})(?:点([零〇一二三四五六七八九]{{1,10}}))?"
    r"[个個只名人种種元本条岁天次%]?[.。]?$"
)


def in_digits(text: str) -> str:
    """A number in Chinese words as digits or LaTeX; the text itself where it is none."""
    match = _WHOLE.match(text)
    if match is None:
        return text
    sign = "-" if match[1] else ""
    value = _value(match[3])
    bottom = _value(match[2]) if match[2] else None
    if value is None or (match[2] and not bottom):
        return text
    if bottom:
        return f"{sign}{value}%" if bottom == 100 else rf"{sign}\frac{{{value}}}{{{bottom}}}"
    part = "".join(str(_DIGITS[character]) for character in match[4] or "")
    return f"{sign}{value}.{part}" if part else f"{sign}{value}"


def _value(words: str) -> int | None:
    if all(character in _DIGITS for character in words):
        return int("".join(str(_DIGITS[character]) for character in words))
    total = section = digit = 0
    for character in words:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _TENS:
            section += (digit or 1) * _TENS[character]
            digit = 0
        else:
            if not section + digit:
                return None
            total = (total + section + digit) * _MYRIADS[character]
            section = digit = 0
    return total + section + digit
