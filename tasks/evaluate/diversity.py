"""How different a policy's samples are: right paths a problem, and the entropy of the answers.

Training on one's own accepted samples narrows a policy: pass@1 rises, and pass@k of large k falls
(where diversity collapses: arXiv 2604.16027). Two figures say so before pass@k does:

- *right paths*: how many different solutions are among a problem's correct samples, where two with
  the same equations in the same order are one, and without equations equal texts are;
- *entropy*: of the answers of a problem's samples, in bits: 0 where all say the same, log2(n) where
  n samples give n answers. Samples without an answer have no part in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tasks.evaluate.intervals import Interval, interval
from tasks.facts import FactsFile
from tasks.rows import Row, Status
from tasks.solutions import path_digest, plain_digest


@dataclass(frozen=True)
class Diversity(FactsFile):
    """Of a policy's samples of the test problems.

    Attributes:
        paths: Different right paths a problem, of problems with a correct sample; None without.
        right: Correct samples of a problem, of the same problems: no path can be more.
        entropy: Of the answers of a problem, in bits; None where answers are not grouped.
    """

    FILE: ClassVar[str] = "diversity.json"

    paths: Interval | None
    right: Interval | None
    entropy: Interval | None


def entropy(groups: Iterable[int]) -> float:
    """Of the answers of a problem, in bits; 0 where nobody gave one.

    Args:
        groups: Of each sample the group of its answer; negative: no answer.
    """
    counts = Counter(group for group in groups if group >= 0)
    total = sum(counts.values())
    return sum(-n / total * math.log2(n / total) for n in counts.values()) if total else 0.0


def right_paths(texts: Sequence[str]) -> int:
    """How many different ways there are among texts.

    Args:
        texts: Of a problem's correct samples.
    """
    return len({path_digest(text) or plain_digest(text) for text in texts})


def diversity(
    rows: Iterable[Row],
    groups: Mapping[tuple[str, int], int] | None,
    resamples: int,
    confidence: float,
    seed: int,
) -> Diversity:
    """All figures, with intervals over problems.

    Args:
        rows: Samples of test problems with their verdicts.
        groups: (problem, index) to the group of the answer; None where there is no vote.
        resamples: Of the bootstrap.
        confidence: Level of the intervals.
        seed: Of the resamples.
    """
    right: dict[str, list[str]] = {}
    answers: dict[str, list[int]] = {}
    for row in rows:
        name = row["problem_id"]
        texts, said = right.setdefault(name, []), answers.setdefault(name, [])
        if row["status"] == Status.CORRECT:
            texts.append(row["text"])
        if groups is not None:
            said.append(groups[name, row["index"]])

    def bounds(values: Sequence[float]) -> Interval | None:
        top = max(1.0, *values) if values else 1.0
        return interval(values, resamples, confidence, seed, ceiling=top) if values else None

    solved = [right[name] for name in sorted(right) if right[name]]
    entropies = [entropy(answers[name]) for name in sorted(answers)] if groups is not None else []
    return Diversity(
        bounds([float(right_paths(texts)) for texts in solved]),
        bounds([float(len(texts)) for texts in solved]),
        bounds(entropies),
    )
