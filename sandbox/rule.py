"""How outputs are compared where a run or a problem asks for another way than the usual one."""

from __future__ import annotations

from dataclasses import dataclass

# A float is right within this relative or absolute error, as in most programming contests; only
# where the expected token is itself written as a float.
FLOAT_ERROR = 1e-6


@dataclass(frozen=True)
class Rule:
    """How an output is compared with the expected one.

    Attributes:
        float_error: Relative or absolute error within which a number is right.
        any_case: Whether words may be written in capitals or not.
        blank_lines: Whether lines of white space alone count.
    """

    float_error: float = FLOAT_ERROR
    any_case: bool = False
    blank_lines: bool = True

    def text(self, text: str) -> str:
        """An output without what does not count."""
        if not self.blank_lines:
            text = "\n".join(filter(str.strip, text.split("\n")))
        return text.casefold() if self.any_case else text


EXACT = Rule()
