"""What a line or a sentence says the answer is: its value, its last formula, number or name."""

from __future__ import annotations

import re
from collections import deque

from tasks.score.math.extract.clauses import (
    restated,
    said_twice,
    without_aside,
    without_others,
    without_point,
    without_relative,
)
from tasks.score.math.limits import MAX_BETWEEN, MAX_BOXES, MAX_LINE
from tasks.score.math.parse.changing import changed, changes
from tasks.score.math.parse.phrases import in_one_unit
from tasks.score.math.parse.units import UNITS

# A line with so many words is a sentence about the answer, not the answer ("two lines" has two).
PROSE_WORDS = 4
# Words that lead up to a number ("She has 18"); not a function's name, nor a date. Possessive, so
# that a run of spaces is read once.
_LEAD = re.compile(
    r"^(?![A-Z][a-z]+(?: \d{1,2})?: )(?!(?:not|arc[a-z]+|gcd|lcm|exp|sin|cos|tan|log|ln|sqrt|pi"
    r"|all|any|every|january|february|march|april|may|june|july|august|september|october|november|december)\b)"
    r"(?=[A-Za-z' ]*[A-Za-z]{2})(?:[A-Za-z']++[,:]?\s++){1,3}"
    r"(?=[-+]?\s*+(?:\$\s*+)?[\d.]|\$|\\(?:[dt]?frac|sqrt|\$|\(|\{)|[(\[{]\s*-?[\d\\]|[A-Za-z]\s?=)",
    re.IGNORECASE,
)
_NAME_AT_END = re.compile(
    r"\*\*([^*\n]{1,60})\*\*\W*$"
    r"|\b(?:is|are|was|be|on)\s+(?:an?\s+|the\s+)?((?:[A-Z][\w'-]*\s?){1,3})[.!]?\s*$"
)
# What things are said to be, in one word.
_KINDS = re.compile(
    r"\b(?:is|are)\s+(?:an? |always |both )?([a-z]{3,15})(?: (?:function|number|triangle|lines))?"
    r"[.!]?\s*$"
)
IS = re.compile(r"\b(?:is|are|was|were|equals?|be)\s*:?\s+(?!given|by|for|to\b)")
# Words between two numbers that make no list, ratio or condition of them: "3 crates, then 42".
_STRAY = re.compile(
    r"(?<![A-Za-z\\])(?:then|times|minus|plus|is|are|equals|gives|leaves|so|makes)(?![A-Za-z]).*\d"
)
# "16 - 7 = 9 eggs, 9 * $2 = $18": what the last sum comes to.
_SEVERAL_SUMS = re.compile(
    r"^[-$\d\s+*/×()][-$\d\s+*/×().]*=\s*\$?\d[^=]{0,40}[,;]"
    r"\s*[-$\d\s()]+[-+*/×][-$\d\s+*/×().]*=\s*"
    r"(?=-?\$?\d[^=]*$)"
)
_JOINED = re.compile(r",?\s*(?:or|,)\s*")
BOLD = re.compile(r"(?<![\w)}])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")
FORMULA = re.compile(r"\$[^$\n]*\$")
MATH = re.compile(
    r"(?<!\\)\$((?:\\.|[^$\\\n])+)\$(?!\d)|\\\(([^\n]+?)\\\)|(?<!\\)\\\[([^\n]+?)\\\]"
)
# Possessive, so that a megabyte of digits is one pass.
NUMBER = re.compile(
    r"(?<![\w.,:])\d{1,2}:\d{2}(?![\d:])(?:\s?[ap]\.?m\b)?|(?<![\w.,])-?\$?\s?(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?(?:/\d++(?:\.\d++)?)?%?|-?\.\d++"
)
LOOSE_NUMBER = re.compile(r"-?\d++(?:,\d{3})*+(?:\.\d++)?")
_PROTECTED = re.compile(
    r"\\(?:text\w*|mbox|mathrm|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\\\\\[[\w.]+\]"
)
# The unit after a number; short ones may be words ("in").
_WORD_AFTER = re.compile(r" ([A-Za-z]{3,12})(?![A-Za-z])")
# "8 cookies to share with his 2 friends".
_OWNED = re.compile(r"\d.*\b(?:his|her|their) $")
# "5 apples left after giving 3 to Jerry", "120 km in 2 hours".
_BESIDE = re.compile(
    r"(?<=[a-z]) (?:(?:after|before|by) [a-z]+ing\b[^,;]*"
    r"|in \$?\d[\d.]*\$? (?:hours?|minutes?|seconds?|days?|weeks?|months?|years?))\W*$"
)
_THINGS = re.compile(r"\d (?!of\b)[A-Za-z]+(?: left)?$")
_TWO_UNITS = re.compile(
    r"(?<![\d.,])(\d{1,9}) ([a-z]{1,8}),?(?: and)? (\d{1,9}) ([a-z]{1,8})(?=\W*$)"
)
_WORD = re.compile(r"[A-Za-z]{2,}")
# In scripts without spaces a character is about a word.
_OTHER_WORD = re.compile(r"[A-Za-zÀ-ɏЀ-ӿ]{2,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_JOINTS = ("and", "or")


def inner_formula(match: re.Match[str]) -> str:
    """What is between the marks of a formula."""
    return next(group for group in match.groups() if group is not None).strip()


def short_answer(line: str) -> str:
    """A short line without the words before its answer; of a short sentence its last number."""
    line = led(without_aside(_SEVERAL_SUMS.sub("", restated(line))))
    line = led(without_point(without_others(line)))
    if not _STRAY.search(_PROTECTED.sub(" ", line[:MAX_LINE])):
        return line
    if said := what_is(line):
        return said
    return last_number(line.rpartition("=")[2]) or line


def what_is(sentence: str) -> str:
    """What a sentence says that something is, where that is short and has a number in it."""
    said = last_match(IS, sentence)
    if said is None:
        return ""
    rest = sentence[said.end() :].rstrip(".!").strip().strip("*").rstrip(".!").strip()
    rest = without_relative(without_others(without_point(restated(rest))))
    short = prose_words(FORMULA.sub(" ", rest)) < PROSE_WORDS
    if short and (words := changed(sentence[: said.end()])):
        return words + rest  # "it cannot be 5"
    return led(rest) if short and any(c.isdigit() for c in rest) else ""


def led(line: str) -> str:
    """A line without the words that lead up to its number; those that change it stay."""
    lead = _LEAD.match(line)
    return changed(lead.group()) + line[lead.end() :] if lead else line


def as_said(number: re.Match[str], text: str) -> str:
    """A number in a text, with the words around it that make something else of it."""
    before = changed(text[max(0, number.start() - MAX_BETWEEN) : number.start()])
    after = text[number.end() : number.end() + MAX_BETWEEN].split("\n")[0]
    word = _WORD_AFTER.match(after)
    unit = word.group() if word and word[1].casefold() in UNITS else ""
    return (before + number.group() + (after if changes(after) else unit)).strip()


def last_value(sentence: str) -> str:
    """What a sentence says that something is, else its last formula, else its last number."""
    sentence = without_others(sentence.rstrip("."))
    if said := what_is(sentence):
        return said
    formulas = [*deque(MATH.finditer(sentence), maxlen=MAX_BOXES)]
    if not formulas:
        return last_number(sentence)
    row = [formulas[-1]]
    for before in reversed(formulas[:-1]):  # "x = 2 or x = 3" are one answer
        if not _JOINED.fullmatch(sentence[before.end() : row[0].start()]):
            break
        row.insert(0, before)
    said = " or ".join(map(inner_formula, row))
    after = sentence[row[-1].end() :]
    return changed(sentence[: row[0].start()]) + said + (after if changes(after) else "")


def last_name(line: str) -> str:
    """What a sentence without numbers ends with, where it is set apart or a name."""
    name = _NAME_AT_END.search(line[-MAX_LINE:]) or _KINDS.search(line[-MAX_LINE:])
    return next((group for group in name.groups() if group), "") if name else ""


def last_number(text: str) -> str:
    """The last number, with the words around it that make something else of it, or nothing."""
    if twice := said_twice(text[-MAX_BETWEEN:]):
        return twice
    if (two := _TWO_UNITS.search(text[-MAX_BETWEEN:])) and in_one_unit(two):
        return two.group(0).strip()
    last = last_match(NUMBER, text) or last_match(LOOSE_NUMBER, text)
    if last and (beside := _BESIDE.search(text)) and _THINGS.search(text[: beside.start()]):
        text = text[: beside.start()]
        last = last_match(NUMBER, text) or last
    if last and _OWNED.search(text[: last.start()]):
        last = last_match(NUMBER, text[: last.start()]) or last
    return as_said(last, text) if last else ""


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last place where a pattern is found."""
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0] if found else None


def prose_words(line: str) -> int:
    r"""How many words of prose a line has; LaTeX commands and \\text{} are not prose."""
    plain = _PROTECTED.sub(" ", line[:2000])
    words = (_WORD if plain.isascii() else _OTHER_WORD).findall(plain)
    return sum(word not in _JOINTS for word in words)


def has_content(line: str) -> bool:
    """Whether a line has a letter or a digit."""
    return any(character.isalnum() for character in line)
