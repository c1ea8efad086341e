"""Numbers in Chinese words, as Japanese writes them too, and counted in Korean ones.

A whole answer (二十七, 三分之二, 一万零五), or the one counted number of a sentence without digits:
小明一共有十五个苹果, 사과는 모두 열다섯 개. Ordinals, "a" and about so many stay as they are.

Not covered: digits one by one (二〇二六 as 2026 is), Japanese words in kana, Chinese in Korean.
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

_COUNTERS = "个個名只隻颗粒棵本张張辆輛台件块塊元人种種条條岁歳歲天次页枚匹頭羽冊組组对對分秒米度"
_COUNTED = re.compile(
    rf"(?<![第每各几数多上约近約点之{_NUMERAL[1:-7]}])({_NUMERAL})(?=[{_COUNTERS}](?![几半多之]))"
)
_FRACTION = re.compile(
    rf"(?<![第每各几数上约近約]){_NUMERAL[:-6]}{{1,9}}分之{_NUMERAL[:-6]}{{1,9}}(?=\W*$)"
)
_KOREAN_TENS = ("열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_KOREAN_ONES = ("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_KOREAN = re.compile(
    rf"(?<![가-힣])({'|'.join(_KOREAN_TENS)}|스무(?= ))?({'|'.join(_KOREAN_ONES)})?"
    r"(?=\s?(?:개|명|마리|권|살|장|자루|대|시간|그루|병|가지|송이|번))"
)


def with_digits(text: str) -> str:
    """A text whose last line has one counted number in words and no digit, with that in digits."""
    head, line_break, line = text.rstrip().rpartition("\n")
    if any(character.isdecimal() or character == "$" for character in line):
        return text
    if part := _FRACTION.search(line):
        return f"{head}{line_break}{line[: part.start()]} ${in_digits(part.group())}$"
    found = [*_COUNTED.finditer(line)] or [one for one in _KOREAN.finditer(line) if one.group()]
    if len(found) != 1 or found[0].group() in ("一", "한"):
        return text
    number = found[0]
    if number.re is _KOREAN:
        tens = 2 if number[1] == "스무" else _KOREAN_TENS.index(number[1]) + 1 if number[1] else 0
        value = 10 * tens + (_KOREAN_ONES.index(number[2]) + 1 if number[2] else 0)
    else:
        value = _value(number[1])
    if value is None:
        return text
    return f"{head}{line_break}{line[: number.start()]}{value}{line[number.end() :]}"


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
