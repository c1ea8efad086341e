"""What a solution goes through on its way to the answer, so that like solutions are found.

Two solutions with the same equations in the same order are one path, whatever the words between
them (RFT, Yuan et al., arXiv 2308.01825, section 3.2, counts distinct paths in this way).
"""

from __future__ import annotations

import hashlib
import itertools
import re
import zlib
from collections.abc import Sequence

# GSM8K's <<3*4=12>>, or an equation of numbers in the text; only what stands before = has to hold
# an operation. Signs are those that people and models write.
_NUMBER = r"[$€£]?\d[\d,]*(?:\.\d+)?%?"
_SIDE = rf"[(\[]*\s*{_NUMBER}[\s)\]]*"
_EQUATION = re.compile(
    rf"{_SIDE}(?:(?:[-+*/x×÷·^−]|\\times|\\cdot|\\div)\s*{_SIDE})+=\s*-?{_NUMBER}"
)
_SAME = {"×": "*", "x": "*", "·": "*", "÷": "/", "−": "-"}
_WORDS = re.compile(r"\w+|[^\w\s]")


def equations(text: str) -> list[str]:
    r"""The equations of a text in order, such as `3*4=12`, without marks that change nothing.

    Args:
        text: Of a solution.
    """
    found: list[str] = []
    for one in _EQUATION.findall(text.replace("**", "^")):
        plain = re.sub(r"[\s$€£,]", "", one)
        for written, meant in (("\\times", "*"), ("\\cdot", "*"), ("\\div", "/")):
            plain = plain.replace(written, meant)
        plain = "".join(_SAME.get(sign, sign) for sign in plain)
        if not found or found[-1] != plain:  # said twice in a row: in words and in << >>
            found.append(plain)
    return found


def path_digest(text: str) -> bytes | None:
    """The same for texts with the same equations in the same order; None where there are none."""
    found = equations(text)
    joined = "\x1f".join(found).encode()
    return hashlib.blake2b(joined, digest_size=16).digest() if found else None


def plain_digest(text: str) -> bytes:
    """The same for texts that are equal up to white space."""
    plain = " ".join(text.split())
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def said_digest(text: str, dedup: str) -> bytes | None:
    """The same for texts that `filter.dedup` takes for one; None where it takes none for another.

    Args:
        text: Of a sample.
        dedup: As in FilterSettings.
    """
    if dedup == "none":
        return None
    return (path_digest(text) if dedup == "equations" else None) or plain_digest(text)


def bigrams(text: str) -> frozenset[int]:
    """The pairs of neighbouring words of a text, as numbers of 32 bits."""
    words = _WORDS.findall(text.lower())
    pairs = itertools.pairwise(words)
    return frozenset(zlib.crc32(f"{a} {b}".encode("utf-8", "surrogatepass")) for a, b in pairs)


def distance(a: frozenset[int], b: frozenset[int]) -> float:
    """Jaccard's distance, in [0, 1]; 0 for two empty sets."""
    return 1.0 - len(a & b) / len(a | b) if a or b else 0.0


def most_unlike(sets: Sequence[frozenset[int]], order: Sequence[int], count: int) -> list[int]:
    """So many places whose sets are far from each other.

    Begins with the first of `order`, then takes again and again the place that is furthest from
    those taken; the earlier one in `order`, of equals.

    Args:
        sets: What is compared.
        order: All places, the preferred ones first.
        count: How many are wanted; at most that many come.
    """
    taken: list[int] = []
    nearest = dict.fromkeys(order, 2.0)  # above every distance
    while nearest and len(taken) < count:
        new = max(nearest, key=nearest.__getitem__)  # max takes the first of equals
        del nearest[new]
        taken.append(new)
        for place in nearest:
            nearest[place] = min(nearest[place], distance(sets[place], sets[new]))
    return taken
