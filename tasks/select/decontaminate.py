"""Decontamination: does a training question share a run of words with a test question?

The usual check since GPT-3 (Brown et al. 2020, appendix C): an n-gram of words, whatever case and
punctuation. A test question shorter than n words can only be found as a whole.

Not covered: paraphrases and translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tasks.rows import Row

_WORD = re.compile(r"\w+")


class Overlap:
    """The n-grams of a set of questions; a 64-bit hash each, so large sets fit."""

    def __init__(self, questions: Iterable[str], n: int) -> None:
        """Index the test questions.

        Args:
            questions: Texts that training must not contain.
            n: Words in a run; 0 finds nothing.
        """
        self._n = n
        self._runs: set[int] = set()
        if n > 0:
            for question in questions:
                self._runs.update(_runs(question, n))

    def __contains__(self, question: str) -> bool:
        """Whether a training question shares a run with one of the test questions."""
        return self._n > 0 and not self._runs.isdisjoint(_runs(question, self._n))


def overlapping(problems: Iterable[Row], n: int) -> frozenset[str]:
    """Ids of the training problems whose question shares a run with a test question.

    Args:
        problems: Of all splits.
        n: Words in a run (`filter.decontaminate_ngram`); 0 finds nothing.
    """
    if not n:
        return frozenset()
    train: list[Row] = []
    tests: list[str] = []
    for row in problems:
        if row["split"] == "test":
            tests.append(row["question"])
        elif row["split"] == "train":
            train.append(row)
    overlap = Overlap(tests, n)
    return frozenset(row["id"] for row in train if row["question"] in overlap)


def _runs(question: str, n: int) -> Iterator[int]:
    """Hashes of all runs of n words, and of the whole text where it is shorter than that."""
    words = _WORD.findall(question.lower())
    size = min(n, len(words))
    return map(hash, zip(*(words[start:] for start in range(size)), strict=False))
