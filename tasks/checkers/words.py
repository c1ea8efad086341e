"""Reading a text word by word, as checkers do; lines do not count.

Not covered: texts in which white space is part of an answer.
"""

from collections.abc import Callable

# Of a whole number that a program printed.
MAX_LENGTH = 20


class Malformed(Exception):
    """What a program printed has not the form that is asked for, so it is wrong."""


class Words:
    """The words of a text, each read once.

    Args:
        text: The text.
        trusted: Whether it is the data set's: then a wrong form is a failure of the checker.
    """

    def __init__(self, text: str, *, trusted: bool = False) -> None:
        self._words, self._at = text.split(), 0
        self._wrong: type[Exception] = ValueError if trusted else Malformed

    def word(self) -> str:
        """The next word."""
        if self.ended():
            raise self._wrong("too few words")
        self._at += 1
        return self._words[self._at - 1]

    def number(self, low: int = -(10**18), high: int = 10**18) -> int:
        """The next word as a whole number within bounds."""
        word = self.word()
        digits = word.removeprefix("-")
        if len(word) > MAX_LENGTH or not (digits.isascii() and digits.isdigit()):
            raise self._wrong("no whole number")
        if not low <= int(word) <= high:
            raise self._wrong("out of bounds")
        return int(word)

    def numbers(self, count: int, low: int = -(10**18), high: int = 10**18) -> list[int]:
        """So many of them."""
        return [self.number(low, high) for _ in range(count)]

    def distinct(self, count: int, low: int, high: int) -> list[int]:
        """So many of them, none twice."""
        found = self.numbers(count, low, high)
        if len(set(found)) < count:
            raise self._wrong("a number twice")
        return found

    def yes(self, yes: str = "YES", no: str = "NO", *, any_case: bool = False) -> bool:
        """Whether the next word is the one of two; `any_case`: in capitals or not."""
        word = self.word()
        if any_case:
            yes, no, word = yes.upper(), no.upper(), word.upper()
        if word not in (yes, no):
            raise self._wrong(f"neither {yes} nor {no}")
        return word == yes

    def ended(self) -> bool:
        """Whether there is no word left."""
        return self._at == len(self._words)


Check = Callable[[Words, Words, Words], bool]


def cases(check: Check) -> Check:
    """A check of one case for texts of many, whose number stands first in the input."""

    def whole(given: Words, expected: Words, printed: Words) -> bool:
        return all(check(given, expected, printed) for _ in range(given.number()))

    return whole
