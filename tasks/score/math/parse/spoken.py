r"""Numbers in words, and what words around a number make of it.

`spoken` reads `negative three quarters` as `-\frac{3}{4}`, `twice 5` as `2*(5)`, `3 squared`, `half
of 6`, `two hundred and five`, `five and a half`, `three point one four`, `4 out of 5`, `4 less than
10`, to trillions. What follows is its unit or noun (changing.py). Doubt keeps the words, and a text
with words is no number.

Not covered: other languages than English; ordinals in words ("the third").
"""

from __future__ import annotations

import re

from tasks.score.math.parse.changing import changed, changes, words_of

_ONES = {
    word: value
    for value, word in enumerate(
        words_of("""
            zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
            fifteen sixteen seventeen eighteen nineteen
        """)
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        words_of("twenty thirty forty fifty sixty seventy eighty ninety"), 2
    )
}
_SCALES = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
_PARTS = {
    word: value
    for value, word in [
        (2, "half"), (3, "third"), (4, "quarter"), (4, "fourth"), (5, "fifth"), (6, "sixth"),
        (7, "seventh"), (8, "eighth"), (9, "ninth"), (10, "tenth"), (11, "eleventh"),
        (12, "twelfth"), (15, "fifteenth"), (16, "sixteenth"), (20, "twentieth"),
        (100, "hundredth"), (1000, "thousandth"), (10**6, "millionth"),
    ]
}  # fmt: skip
_PLURAL_PARTS = {"halves": 2, **{f"{word}s": value for word, value in _PARTS.items()}}
_BEFORE = {
    "negative": "-({})", "minus": "-({})", "twice": "2*({})", "double": "2*({})",
    "thrice": "3*({})", "triple": "3*({})", "half": r"\frac{{1}}{{2}}*({})",
    "absolute value": "|{}|", "root": r"\sqrt{{{}}}",
    "square root": r"\sqrt{{{}}}", "cube root": r"\sqrt[3]{{{}}}", "square": "({})^2",
    "cube": "({})^3", "reciprocal": r"\frac{{1}}{{{}}}", "factorial": "({})!",
}  # fmt: skip
_NEEDS_OF = (
    "square root",
    "cube root",
    "square",
    "cube",
    "reciprocal",
    "factorial",
    "absolute value",
)
_JOINED_BY = {
    "out of": r"\frac{{{0}}}{{{1}}}", "less than": "{1}-({0})", "more than": "{1}+({0})",
    "divided by": r"\frac{{{0}}}{{{1}}}", "multiplied by": "({0})*({1})", "times": "({0})*({1})",
    "plus": "({0})+({1})", "minus": "({0})-({1})", "over": r"\frac{{{0}}}{{{1}}}",
    "choose": r"\binom{{{0}}}{{{1}}}", "to the power of": "({0})^{{{1}}}",
}  # fmt: skip
_JOINTS = "|".join(_JOINED_BY)
_AFTER = {"squared": "({})^2", "cubed": "({})^3", "factorial": "({})!", "dozen": "12*({})"}
_TOKEN = re.compile(r"[A-Za-z]+|-?\d[\d,]*(?:\.\d+)?|\S")
_HYPHEN = re.compile(r"(?<=\w)-(?=[A-Za-z])|(?<=[A-Za-z] )-(?= [A-Za-z])")
_NUMERAL = re.compile(r"^-?\d[\d,]*(?:\.\d+)?$")
_WORDED = re.compile(
    rf"(?:the\s+)?(?:{'|'.join([*_ONES, *_TENS, *_BEFORE, 'a', 'an'])})\b"
    rf"|-?\d[\d,.]*+[\s-]+(?:{'|'.join([*_PARTS, *_PLURAL_PARTS, *_AFTER, *_SCALES])}"
    r"|hundred|and)\b"
    rf"|-?\d[\d,.]*+ (?:{_JOINTS}) [\dA-Za-z]",
    re.IGNORECASE,
)
# "hours", "an hour", "of the cake"; not "more than", "or two".
_NOUN = re.compile(r"(?:of (?:the|an?|all|his|her|its) |an? )?([A-Za-z]{3,}(?: [a-z]{2,}){0,3})$")
_NO_NOUN = re.compile(
    r"\b(?:more|less|fewer|than|not|and|or|but|times|except|plus|minus|percent|is|are|if)\b",
    re.I,
)
# "one fourth of the cake is left": what is told of the number.
_VERB = re.compile(
    r" (?:is|are|was|were|remains?|will|has|have|had|must|can)\b(?!.*\bn(?:ot|'t)\b).*$"
)
_EXACTLY = ("exactly", "only", "just")
_SHORT = 200
_LAST_WORDS = 30
# Letters that are no commands: what is left of a text that is more than a number.
_LETTERS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]")


def spoken(text: str) -> str:
    """A text whose leading number is spelled in digits and signs; the text itself if none is.

    Args:
        text: Canonical, without LaTeX.
    """
    if not _may_be_spoken(text):
        return text
    reader = _Reader(_TOKEN.findall(_HYPHEN.sub(" ", text)))
    value = reader.value()
    if value is None or not reader.worded:
        return text
    return " ".join([value, *reader.rest]) if reader.rest else value


def _may_be_spoken(text: str) -> bool:
    if text.isdecimal() or len(text) > _SHORT or "\\" in text:
        return False
    return (text[:1].isalpha() or " " in text or "-" in text) and bool(_WORDED.match(text))


def spoken_things(text: str) -> tuple[str, str]:
    """The number at the start of words, and the unit or noun after it; "" twice for anything else.

    Args:
        text: Canonical, without LaTeX: "one and a half hours", "4 dozen eggs".
    """
    if not _may_be_spoken(text):
        return "", ""
    reader = _Reader(_TOKEN.findall(_HYPHEN.sub(" ", text)))
    value = reader.value()
    if value is None or not reader.worded or not reader.rest:
        return "", ""
    rest = " ".join(reader.rest)
    noun = _NOUN.match(rest)
    if noun is None or changes(rest) or _NO_NOUN.search(rest):
        return "", ""
    return value, noun.group(1)


def spoken_whole(text: str) -> str:
    """The number that a text in words is, or nothing where it is something else."""
    said = spoken(text)
    return said if said != text and not _LETTERS.search(said) else ""


def last_spoken(text: str) -> str:
    """The last number that prose says in words, with the noun after it, or nothing."""
    words = text.split()[-_LAST_WORDS:]
    found, taken = "", 0
    for at in range(len(words)):
        rest = " ".join(words[at:]).rstrip(".!")
        sure = words[at].casefold() not in ("one", "a", "an") or words[at - 1] in _EXACTLY
        sure = sure or (words[at + 1 : at + 2] or [""])[0] in ("dozen", "hundred", *_SCALES)
        if at < taken or not _may_be_spoken(rest) or not sure:
            continue
        reader = _Reader(_TOKEN.findall(_HYPHEN.sub(" ", rest)))
        if reader.value() is None or not reader.worded:
            continue
        after = " ".join(reader.rest)
        taken = len(words) - len(after.split())
        verb = _VERB.search(rest) if not changes(after) else None
        found = changed(" ".join(words[:at]) + " ") + (rest[: verb.start()] if verb else rest)
    return found


class _Reader:
    """Reads the number at the start of words, from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0
        self.worded = False  # whether a word was part of the number

    @property
    def rest(self) -> list[str]:
        return self._tokens[self._at :]

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].casefold() if at < len(self._tokens) else ""

    def _skip(self, *words: str) -> None:
        if self._peek() in words:
            self._at += 1

    def value(self) -> str | None:
        """LaTeX of the number, or None where the words begin with none."""
        start = self._at
        self._skip("the")
        two = f"{self._peek()} {self._peek(1)}"
        word = two if two in _BEFORE else self._peek()
        if word in _BEFORE:
            if word == "half" and self._peek(1) in ("dozen", *_SCALES):
                scale = {"dozen": 12, **_SCALES}[self._peek(1)]
                self._at, self.worded = self._at + 2, True
                return str(scale // 2)
            self._at += len(word.split())
            of = self._peek() == "of"
            if of or word not in _NEEDS_OF:
                self._skip("of")
                inner = self.value()
                if inner is not None:
                    self.worded = True
                    return _BEFORE[word].format(inner)
            self._at = start
            if word != "half":
                return None
            self._at += 1
            self.worded = True
            return r"\frac{1}{2}"
        base = self._fraction()
        if base is None:
            self._at = start
            return None
        if self._peek() in _SCALES and self.worded:  # two and a half million
            base = f"({base})*{_SCALES[self._peek()]}"
            self._at += 1
        if joined := self._joined(base):
            return joined
        while self._peek() in _AFTER and self._peek(1) not in ("less", "more"):
            self.worded = True
            base = _AFTER[self._peek()].format(base)
            self._at += 1
        return base

    def _joined(self, base: str) -> str:
        """What `4 out of 5` or `4 less than 10` make of their first number, or nothing."""
        words = [self._peek(ahead) for ahead in range(4)]
        joints = (" ".join(words[:count]) for count in (4, 2, 1))
        joint = next((one for one in joints if one in _JOINED_BY), "")
        if not joint:
            return ""
        mark, worded = self._at, self.worded
        self._at += len(joint.split())
        other = self._fraction()
        if other is None:
            self._at, self.worded = mark, worded
            return ""
        self.worded = True
        return _JOINED_BY[joint].format(base, other)

    def _fraction(self) -> str | None:
        """A whole number, a fraction, or both: five and a half."""
        whole = self._cardinal()
        if whole is None:
            return None
        if part := self._part(plural=whole not in ("1", "one")):
            return rf"\frac{{{whole}}}{{{part}}}"
        if self._peek() == "and":
            mark, worded = self._at, self.worded
            self._at += 1
            top = self._cardinal()
            if top is not None and (part := self._part(plural=top != "1")):
                return rf"({whole}+\frac{{{top}}}{{{part}}})"
            if top is not None and self._peek() == "/" and _NUMERAL.match(self._peek(1)):
                self.worded = True
                self._at += 2
                return rf"({whole}+\frac{{{top}}}{{{self._tokens[self._at - 1]}}})"
            self._at, self.worded = mark, worded
        if self._peek() == "point":
            digits, at = "", self._at + 1
            while at < len(self._tokens) and self._tokens[at].casefold() in _ONES:
                digits += str(_ONES[self._tokens[at].casefold()])
                at += 1
            if digits:
                self._at, self.worded = at, True
                return f"{whole}.{digits}"
        return whole

    def _part(self, *, plural: bool) -> int:
        """The denominator that is named next, or 0."""
        part = (_PLURAL_PARTS if plural else _PARTS).get(self._peek(), 0)
        if not part and plural and self._peek() == "half":
            part = 0
        if part:
            self._at += 1
            self.worded = True
        return part

    def _cardinal(self) -> str | None:
        """A whole number in digits or words."""
        token = self._peek()
        if _NUMERAL.match(token):
            self._at += 1
            return token
        if token in ("a", "an") and (
            self._peek(1) in _PARTS or self._peek(1) in ("dozen", "hundred", *_SCALES)
        ):
            self._at += 1
            self.worded = True
            if self._peek() in ("hundred", *_SCALES):
                return self._words(1)
            return "1"
        return self._words(None)

    def _words(self, begun: int | None) -> str | None:
        total, group, seen = 0, begun, begun is not None
        while True:
            word = self._peek()
            if word in _ONES and (
                group is None or group % 100 == 0 or (group % 10 == 0 and _ONES[word] < 10)
            ):
                group = (group or 0) + _ONES[word]
            elif word in _TENS and (group is None or group % 100 == 0):
                group = (group or 0) + _TENS[word]
            elif word == "hundred" and group is not None and 0 < group < 100:
                group *= 100
            elif word in _SCALES and group:
                total, group = total + group * _SCALES[word], 0
            elif word == "and" and seen and (group or total) and self._joins():
                pass
            else:
                break
            seen = True
            self._at += 1
        if not seen:
            return None
        self.worded = True
        return str(total + (group or 0))

    def _joins(self) -> bool:
        """Whether "and" goes on with the number: two hundred and five."""
        return self._tokens[self._at - 1].casefold() in ("hundred", *_SCALES) and (
            self._peek(1) in _ONES or self._peek(1) in _TENS
        )
