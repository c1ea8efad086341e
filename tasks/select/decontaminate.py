"""Decontamination: does a training question share a run of words with a test question?

The usual check since GPT-3 (Brown et al. 2020, appendix C): an n-gram of words, whatever case and
punctuation. A test question shorter than n words can only be found as a whole.

Not covered: paraphrases and translations.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"\w+")


class Overlap:
    """The n-grams of a set of questions; 8 bytes of digest each, so large sets fit."""

    def __init__(self, questions: Iterable[str], n: int) -> None:
        """Index the test questions.

        Args:
            questions: Texts that training must not contain.
            n: Words in a run; 0 finds nothing.
        """
        self._n = n
        self._runs: set[bytes] = set()
        if n > 0:
            for question in questions:
                self._runs.update(_runs(question, n))

    def __contains__(self, question: str) -> bool:
        """Whether a training question shares a run with one of the test questions."""
        return self._n > 0 and any(run in self._runs for run in _runs(question, self._n))


def _runs(question: str, n: int) -> Iterator[bytes]:
    """Digests of all runs of n words, and of the whole text where it is shorter than that."""
    words = _WORD.findall(question.lower())
    if not words:
        return
    size = min(n, len(words))
    for start in range(len(words) - size + 1):
        run = " ".join(words[start : start + size])
        yield hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest()
