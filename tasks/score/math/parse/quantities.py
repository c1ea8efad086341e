"""A quantity: an expression with its unit, money and percent signs and base index taken off.

Not covered: conversion of bases.
"""

from __future__ import annotations

import re
from fractions import Fraction

from tasks.score.math.parse.changing import changes
from tasks.score.math.parse.normalize import is_words
from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.spoken import spoken, spoken_things
from tasks.score.math.parse.units import PER, UNITS

_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
          "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
          "sixteen": "16"}  # fmt: skip
# A power of ten in words is part of the number, not its unit.
_LARGE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_OF_THEM = re.compile(
    r"(?<=\d) of (?:them|these|those|it|all)$|(?<=\}) of (?:the|all|his|her) [a-z ]{3,30}$"
)
# 0.(3), 0.1(6): what repeats, in brackets.
_IN_BRACKETS = re.compile(r"^(-?\d{0,40}\.\d{0,40})\((\d{1,40})\)$")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_ORDINAL = re.compile(
    r"^(\d{1,9})\s*(?:\^\s*\{?)?\s*(?:\\text\{\s*)?(?:st|nd|rd|th)(?![A-Za-z])\s*\}{0,2}(?!\s*root)"
)
_NUMERAL = re.compile(r"^-?[0-9]{1,40}(?:\.[0-9]{1,40})?$")
_LARGE_WORD = re.compile(
    rf"(?<=\d)\s*(?:\\text\s*\{{)?\s*(?<![A-Za-z])({'|'.join(_LARGE)})s?(?![A-Za-z])", re.IGNORECASE
)
# 18 ドル, 3万人: a counter of a script without spaces, and its powers of ten; not 5以上, 5倍.
_MYRIADS = {"百": 2, "千": 3, "万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8}
_COUNTED = re.compile(
    rf"^(-?\$?\d[\d.,/]*|[^\u3040-\uffff]*\}})\s*([{''.join(_MYRIADS)}]?)((?![^\x00-\x7f]*(?:以上|以下|以内|未満|未满|不到|多|余|倍|배|左右|이상|이하))"
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{0,8})$"
)
# \sin 30° has an angle inside; 30° alone has a unit.
_FUNCTION = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc)")
_SPACED_THOUSANDS = re.compile(r"^-?\d{1,3}(?: \d{3})+(?:\.\d+)?$")
_MIXED = re.compile(r"^(-?)(\d{1,9}) (\d{1,9})/(\d{1,9})$")
_SCIENTIFIC = re.compile(r"^(-?\d{1,40}(?:\.\d{1,40})?)[eE]([+-]?\d{1,3})$")
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\^)")
_REPEATING = re.compile(r"(?<![\d.])(\d{0,40})\.(\d{0,40})\\(?:overline|bar)\s*\{?(\d{1,40})\}?")
# 0.1\dot{6}, 0.\dot{1}4285\dot{7}; 0.333... where the same digits come three times.
_DOTTED = re.compile(r"(\d{0,40}\.\d{0,40})\\dot\s*\{?(\d)\}?(?:(\d{0,40})\\dot\s*\{?(\d)\}?)?$")
# 45° 30' and 1 in 4 chances.
_MINUTES = re.compile(
    r"^(\d{1,4})°\s*(\d{1,2}(?:\.\d+)?)\s*(?:'|\^\s*\{?\\prime\}?)(?:\s*(\d{1,2}(?:\.\d+)?)\s*(?:''|\"))?$"
)
_ONE_IN = re.compile(r"^(\d{1,9}) in (\d{1,9})(?: [a-z]{3,15})?$")
_TWICE_AND_SO_ON = re.compile(r"^(\d{0,40}\.)((\d{2,6}?)\3)(?:\.\.\.|\\[lc]?dots|…)$")
_AND_SO_ON = re.compile(r"(\d{1,40}\.\d{0,20}?)((\d{1,6}?)\3{2,12})(?:\.\.\.|\\[lc]?dots|…)$")
_BASE = re.compile(
    r"^\(?([0-9A-Za-z]{1,60})\)?(?:_\{?(?:\\text\{)?\s*(\w{1,9})\s*\}{0,2}"
    r"|\s*(?:\\text\{)?\s*\(?base[ -]?_?\{?(\w{1,9})\}?\)?\}?)$"
)
_TEXT_UNIT = re.compile(r"^(.*[^\s])\s*\\text\{([^{}]*)\}(?:\^\{?\d\}?)?$", re.DOTALL)
_BARE_UNIT = re.compile(
    r"^(-?\$?\d[\d.,/]*+(?: \d+/\d+)?)\s*([A-Za-zÀ-ɏЀ-ӿ][A-Za-zÀ-ɏЀ-ӿ.'/ -]*)(?:\^\{?\d\}?)?$"
)
# After an expression that is no plain number only a known unit of several letters is one.
_LATE_UNIT = re.compile(
    r"^(\S.*(?:\\pi|[})]|\\sqrt ?\d{1,4}))(?:\s+|(?<=\})(?=[ckm]m|kg))"
    r"((?:(?:square|cubic|sq\.?|cu\.?) )?[A-Za-z]{2,}(?:/[a-z]+)?)(?: ?\^\{?\d\}?)?$"
)
_MONEY = re.compile(r"^(-?)([$€£₹¥]|Rs\.?|USD(?= ?\d))\s*(?=\S)")
# 3 (mod 7): the modulus is like a unit, which may be missing.
_RESIDUE = re.compile(
    r"^(.+?)\s*(?:\\p?mod(?![A-Za-z])|(?<=[\d ])modulo(?![A-Za-z])"
    r"|\\bmod(?![A-Za-z])|\(\s*(?:\\text\{\s*)?mod\s*\}?)\s*\{?\s*(\w{1,20})\s*\}?\)?$"
)
_CONGRUENT = re.compile(r"^[A-Za-z]\s*\\equiv(?![A-Za-z])\s*")
_TEMPERATURE = re.compile(
    r"°\s*(?:\\text\{\s*)?(?:[CF]|Celsius|Fahrenheit)\s*\}?$"
    r"|(?<=\d)\s*degrees? (?:Celsius|Fahrenheit|C|F)$"
)
_POWER = re.compile(r"\^\{?(\d)\}?$")
_PERCENT_WORDS = ("percent", "per cent", "pct", "percentage", "percents")
# One thing said in several ways.
_SYNONYMS = {
    "dne": "does not exist", "doesn't exist": "does not exist", "no solutions": r"\emptyset",
    "no solution": r"\emptyset", "empty set": r"\emptyset", "the empty set": r"\emptyset",
    "no real solution": "no real solutions", "infinitely many solutions": "infinitely many",
    "infinite solutions": "infinitely many", "infinite number of solutions": "infinitely many",
    "infinitely many": "infinitely many", "infinity": r"\infty", "positive infinity": r"\infty",
    "negative infinity": r"-\infty", "minus infinity": r"-\infty",
}  # fmt: skip
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=[a-z]{3})", re.IGNORECASE)
# "3 bolts of fabric", "8 hours to finish".
_FILLERS = frozenset(("of", "to", "in", "a", "an", "at", "on", "by"))
_NO_FILLER = re.compile(r"\b(?:more|less|fewer|or|not|than|if|per)\b", re.IGNORECASE)
_RATE = re.compile(r"^(-?\$?\d[\d.,]*+) [a-z]{3,15}/[a-z]{3,10}$")
_PERCENT_OF = re.compile(r"^(-?\d[\d.,]*+ ?%) (?!of\b|or\b|to\b)[a-z]{3,12}(?: [a-z]{3,12}){0,2}$")
_SHARE_OF = re.compile(
    r"^(\d{1,9}(?:\.\d{1,9})?) ?(?:%|percent) of (\$?)(\d[\d,]{0,20}(?:\.\d{1,9})?)$"
)
_POWER_WORD = re.compile(r"^(?:square|sq|cubic|cu)\.?\s+")


def quantity(text: str) -> Form:
    """An expression with its unit, money and percent signs and base index taken off."""
    unit = ""
    if " of " in text:
        text = _SHARE_OF.sub(r"\2\\frac{\1}{100}*(\3)", _OF_THEM.sub("", text))
    if (money := _MONEY.match(text)) and money.end() < len(text):
        text, unit = money.group(1) + text[money.end() :], UNITS[money.group(2).lower()]
    if text[:1].isdigit():
        if "/" in text and (rate := _RATE.match(text)) and text.split(" ")[1] not in UNITS:
            text = rate[1]
        if "%" in text and (share := _PERCENT_OF.match(text)) and not changes(text[share.end(1) :]):
            text = share[1]
        if any(ending in text for ending in ("st", "nd", "rd", "th")):
            text = _ORDINAL.sub(r"\1 ", text, count=1).strip()
        text = _IN_BRACKETS.sub(r"\1\\overline{\2}", text) if text[-1] == ")" else text
    inner = _TEXT.sub(r" \1 ", text).strip() if r"\text{" in text else text
    if (said := spoken(inner)) != inner:
        number, noun = spoken_things(inner)
        if number:
            return Form(Kind.QUANTITY, _plain(number), (), unit or _unit(noun, noun))
        text = said
    if "°" in text and (angle := _MINUTES.match(text)):
        text = f"({angle[1]}+{angle[2]}/60+{angle[3] or 0}/3600)°"
    elif " in " in text and (chance := _ONE_IN.match(text)):
        text = rf"\frac{{{chance[1]}}}{{{chance[2]}}}"
    if residue := _RESIDUE.match(text):
        rest, modulus = residue.groups()
        return Form(Kind.QUANTITY, _plain(_CONGRUENT.sub("", rest.strip())), (), f"mod {modulus}")
    text = _TEMPERATURE.sub("°", _LARGE_WORD.sub(_large, text))
    if not text.isascii() and (counted := _COUNTED.match(text)):
        number, scale, _ = counted.groups()
        text = f"{number}*10^{{{_MYRIADS[scale]}}}" if scale else number
    base = _BASE.match(text)
    tail = _TEXT_UNIT.match(text) or _BARE_UNIT.match(text) or _LATE_UNIT.match(text)
    if base and _base(base):
        text, unit = base.group(1).upper(), f"base {_base(base)}"
    elif tail and _is_unit(tail):
        text, unit = tail.group(1).strip(), unit or _unit(tail.group(2), tail.group(0))
    elif text.endswith(("°", "¢", "$", "€", "₹")) and len(text) > 1 and not _FUNCTION.search(text):
        text, unit = text[:-1].strip(), unit or UNITS[text[-1]]
    if unit == "percent" or (percent := text.endswith("%")):
        text, percent, unit = text.removesuffix("%").strip(), True, ""
    return Form(Kind.QUANTITY, _plain(text), (), unit, percent)


def plain(text: str) -> Fraction | None:
    """The value of a piece that is one number in digits."""
    text = text.strip().replace(",", "")
    return Fraction(text) if _NUMERAL.match(text) else None


def _large(match: re.Match[str]) -> str:
    closes = "}" if match.group().count("{") else ""
    tail = match.string[match.end() :]
    ten = f"*10^{{{_LARGE[match.group(1).lower()]}}}"
    return ten if not closes or tail.startswith("}") is False else ten + "\\text{"


def _plain(text: str) -> str:
    """Words for numbers, mixed and repeating numbers and powers of ten, spelled one way."""
    if text.startswith(r"\text{") and text.endswith("}") and text.count("{") == 1:
        text = text[6:-1].strip()
        if len(text) > 2 and text[0] == "(" and text[-1] == ")":
            text = text[1:-1]
    text = _SYNONYMS.get(text.casefold().rstrip("."), text)
    if is_words(text):
        text = _ARTICLE.sub("", text)
    if _SPACED_THOUSANDS.match(text):
        return text.replace(" ", "")
    if mixed := _MIXED.match(text):
        sign, whole, top, bottom = mixed.groups()
        return rf"{sign}({whole}+\frac{{{top}}}{{{bottom}}})"
    if power := _SCIENTIFIC.match(text):
        return f"{power.group(1)}*10^{{{power.group(2).removeprefix('+')}}}"
    if text.endswith(("...", "dots", "…")):
        text = _TWICE_AND_SO_ON.sub(r"\1\\overline{\3}", text)
        text = _AND_SO_ON.sub(r"\1\\overline{\3}", text)
    if "\\" in text:
        text = _DOTTED.sub(
            lambda m: rf"{m[1]}\overline{{{''.join(filter(None, m.groups()[1:]))}}}", text
        )
        text = _REPEATING.sub(_repeating, text)
    return _TIMES_TEN.sub("*", text)


def _repeating(match: re.Match[str]) -> str:
    r"""0.1\overline{6} is the fraction 1/6: what repeats is exact."""
    whole, once, again = match.groups()
    rest = Fraction(int(again), 10 ** len(again) - 1) if again else Fraction(0)
    value = (int(whole + once or "0") + rest) / 10 ** len(once)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _base(match: re.Match[str]) -> str:
    """The base's index as digits, or "" where it is no base from 2 to 36."""
    index = match.group(2) or match.group(3)
    index = _BASES.get(index.casefold(), index)
    digits = match.group(1)
    sound = digits[0].isdigit() or (len(digits) > 1 and digits.isupper())
    number = int(index) if index.isascii() and index.isdigit() and len(index) <= 2 else 0
    return str(number) if sound and 2 <= number <= 36 else ""


def _is_unit(tail: re.Match[str]) -> bool:
    """Words after a number are its unit; one letter is, where it stands apart (5 m, not 5m)."""
    body, words = tail.group(1), tail.group(2).strip()
    if changes(words):
        return False
    if tail.re is _TEXT_UNIT:
        return not body.endswith(("=", "+", "-", "*", "/", "\\", ","))
    if tail.re is _LATE_UNIT:
        return _POWER_WORD.sub("", words.casefold()) in UNITS
    apart = tail.group(0)[len(body) :].startswith(" ")
    if len(words) == 1:
        return apart and words in UNITS
    first, *others = words.casefold().split()
    if others and apart and len(first) >= 3 and not _NO_FILLER.search(words):
        words = " ".join([first, *(word for word in others if word not in _FILLERS)])
    return all(
        word in UNITS or (len(word.strip(".-'/")) >= (3 if apart else 4) and "/" not in word)
        for word in _POWER_WORD.sub("", words.casefold()).split()
    )


def _unit(words: str, whole: str) -> str:
    """The unit's name, with its power where it has one, or "" for a word that is no unit."""
    words = words.strip().casefold().rstrip(".")
    power = _POWER.search(whole)
    raised = 3 if words.startswith("cu") else 2 if words.startswith("sq") else 0
    raised = int(power.group(1)) if power else raised
    words = _POWER_WORD.sub("", words)
    if words in _PERCENT_WORDS:
        return "percent"
    if " per " in words:
        top, _, bottom = words.partition(" per ")
        return PER.get(f"{UNITS.get(top, '')} per {UNITS.get(bottom, '')}", "")
    name = UNITS.get(words, "")
    return f"{name}^{raised}" if name and raised > 1 else name
