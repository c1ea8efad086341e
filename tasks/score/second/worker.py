"""The process of the second checker: math-verify's word on one pair at a time.

math-verify stops long work by SIGALRM, which big-integer work does not notice, and takes its own
time-out for "not equal". So its alarms are off here: the parent's clock is the only one
(math_verify.py) and what it cuts off is undecided. An error inside math-verify is undecided too,
where its own `verify` would say "not equal".

Safety: math-verify evaluates plain expressions with Python's parser, but only text of digits,
points, spaces, operators and brackets gets there (its `lazy_expr_regex`), so no name is ever
looked up. Memory is limited, and no file can be written.
"""

# pyright: basic
# math-verify has no types.

from __future__ import annotations

import logging
import re
import resource
from collections.abc import Callable, Sequence
from itertools import product

from tasks.processes.killable import Question, serve
from tasks.score.second.opinion import Opinion, Second, Seen

# sympy and the parser's tables take about 300 MB of address space.
_MEMORY_BYTES = 2 << 30
# What is kept of a reading. Longer expressions are not worth the time of writing them out.
MAX_READING = 300
# Marks between which formulas are looked for; an escaped dollar is money.
_MARK = re.compile(r"(?<!\\)\$|\\boxed|\\\(|\\\[")

# math-verify's functions.
Parse = Callable[..., list[object]]
Verify = Callable[..., bool]


def main() -> None:
    """Serve until the parent is gone."""
    serve(_prepare)


def _prepare() -> Callable[[Question], dict[str, object]]:
    import math_verify

    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    def second(gold: str, text: str) -> Second:
        try:
            return compare(gold, text, math_verify.parse, math_verify.verify)
        except MemoryError:
            return Second(Opinion.UNDECIDED, "memory", spent=True)
        except Exception as error:
            return Second(Opinion.UNDECIDED, type(error).__name__)

    return lambda question: second(*question).to_json()


def compare(gold: str, text: str, parse: Parse, verify: Verify) -> Second:
    """math-verify's opinion on a pair, with what it read on each side."""
    # Formulas are looked for between marks; a bare reference has none (math-verify's README).
    marked = gold if _MARK.search(gold) else f"${gold}$"
    wanted = parse(marked, parsing_timeout=None, raise_on_error=True)
    given = parse(text, parsing_timeout=None, raise_on_error=True)
    opinion, why = _opinion(wanted, given, verify)
    return Second(opinion, why, _shown(wanted), _shown(given))


def _opinion(
    wanted: Sequence[object], given: Sequence[object], verify: Verify
) -> tuple[Opinion, str]:
    """Equal if any reading of the one is any of the other, as `verify` has it for lists."""
    if not wanted:
        return Opinion.UNDECIDED, "no reading of the reference"
    failed = ""
    for one, other in product(wanted, given):
        try:
            if verify(one, other, timeout_seconds=None, raise_on_error=True):
                return Opinion.EQUAL, ""
        except MemoryError:
            raise
        except Exception as error:
            failed = type(error).__name__
    return (Opinion.UNDECIDED, failed) if failed else (Opinion.UNEQUAL, "")


def _shown(found: Sequence[object]) -> Seen:
    """The text that was found, and the value it was read as where it was understood."""
    texts = [one for one in found if isinstance(one, str)]
    values = [one for one in found if not isinstance(one, str)]
    raw = texts[0] if texts else ""
    value = ""
    if values and len(raw) <= MAX_READING:
        try:
            value = str(values[0])
        except ValueError:  # an integer of more digits than Python writes out
            value = "(a number of thousands of digits)"
    return Seen(_cut(raw), _cut(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_READING else text[: MAX_READING - 1] + "…"


if __name__ == "__main__":
    main()
