"""How often a reward model prefers what the labels prefer, and what can be had without it.

Pairwise accuracy (Lee et al., arXiv 2309.00267, appendix on reward models) is the share of held-out
pairs on which the sample that is preferred has the higher reward; equal rewards are right by half.
Beside it stand three accuracies that no understanding is needed for, and one that is the most that
can be had:

- *longer*: the longer sample wins;
- *random*: a coin says it; its interval is what coins reach on so many pairs;
- *shuffled*: models that were fit in the same way on labels of other pairs (`reward.null`). What
  one learns from noise may lie far from 1/2 on all problems at once, so with several the interval
  is over models as well;
- *ceiling*: the oracle says it. Where people label, and disagree with themselves, no model that is
  right gets further. The labels of a judge have no ceiling that is known.

Pairs that chose the model's weights are left out, and so are labels of 1/2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.evaluate.alignment import PairKey, over_pairs
from tasks.evaluate.intervals import Interval, percentiles
from tasks.facts import Facts
from tasks.rows import Row


@dataclass(frozen=True)
class ModelAccuracy(Facts):
    """Pairwise accuracy of a reward model on held-out pairs; all intervals are over problems.

    Attributes:
        pairs: How many have a label that prefers one.
        accuracy: Agreement with these labels.
        longer: The same of the longer sample,
        random: of coins,
        shuffled: of models that were fit on shuffled labels; None: there is none,
        ceiling: and of the oracle; None: it is not known, or no ceiling.
        oracle: Agreement of the model with the oracle, on pairs on which that prefers one; None
            without such pairs.
    """

    pairs: int
    accuracy: Interval
    longer: Interval
    random: Interval
    shuffled: Interval | None = None
    ceiling: Interval | None = None
    oracle: Interval | None = None

    @property
    def beats_nulls(self) -> bool:
        """Whether its whole interval lies above what coins, lengths and shuffled labels reach."""
        nulls = (self.random, self.longer, self.shuffled)
        return self.accuracy.low > max(null.value for null in nulls if null)


def model_accuracy(
    rows: Sequence[Row],
    resamples: int,
    confidence: float,
    seed: int,
    *,
    shuffled: Sequence[Sequence[Row]] = (),
    oracle: Mapping[PairKey, float] | None = None,
    ceiling: bool = False,
) -> ModelAccuracy | None:
    """The accuracy of a reward model; None where no held-out pair can say it.

    Args:
        rows: Of rows.HELD_OUT.
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.
        shuffled: Of rows.HELD_OUT too, of each model that was fit on shuffled labels.
        oracle: p of each pair by (problem, first, second): 1, 0, or 1/2.
        ceiling: Whether the oracle's agreement with the labels is the most that can be had.
    """
    measured = [row for row in rows if not row["watched"]]
    known = [row for row in measured if row["p"] != 0.5]
    if not known:
        return None
    truth = oracle or {}

    def said(some: Sequence[Row], says: Callable[[Row], float]) -> Interval:
        """Agreement with the labels."""
        values = [(row["problem_id"], _agree(says(row), row["p"])) for row in some]
        return over_pairs(values, resamples, confidence, seed)

    def of_oracle(row: Row) -> float:
        return truth.get(_key(row), 0.5)

    nulls = [[row for row in one if not row["watched"] and row["p"] != 0.5] for one in shuffled]
    decided = [row for row in measured if of_oracle(row) != 0.5]
    right = [(row["problem_id"], _agree(_by_reward(row), of_oracle(row))) for row in decided]
    return ModelAccuracy(
        len(known),
        said(known, _by_reward),
        said(known, _by_length),
        _coins(known, resamples, confidence, seed),
        _over_models(nulls, resamples, confidence, seed) if nulls else None,
        said(known, of_oracle) if ceiling and truth else None,
        over_pairs(right, resamples, confidence, seed) if right else None,
    )


def _key(row: Row) -> PairKey:
    return row["problem_id"], row["first"], row["second"]


def _agree(says: float, wanted: float) -> float:
    """1 where both prefer the same one, 1/2 where one has no preference."""
    return 0.5 if 0.5 in (says, wanted) else float((says > 0.5) == (wanted > 0.5))


def _by_reward(row: Row) -> float:
    return 0.5 + 0.5 * float(np.sign(row["first_reward"] - row["second_reward"]))


def _by_length(row: Row) -> float:
    return 0.5 + 0.5 * float(np.sign(row["first_tokens"] - row["second_tokens"]))


def _over_models(
    models: Sequence[Sequence[Row]], resamples: int, confidence: float, seed: int
) -> Interval:
    """Mean agreement of several models on the same pairs, over models and problems."""
    problems = sorted({row["problem_id"] for row in models[0]})
    places = {name: place for place, name in enumerate(problems)}
    right, count = np.zeros((len(models), len(problems))), np.zeros(len(problems))
    for number, rows in enumerate(models):
        for row in rows:
            right[number, places[row["problem_id"]]] += _agree(_by_reward(row), row["p"])
    for row in models[0]:
        count[places[row["problem_id"]]] += 1
    generator = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for place in range(resamples):
        some = generator.integers(0, len(problems), size=len(problems))
        those = generator.integers(0, len(models), size=len(models))
        drawn[place] = right[np.ix_(those, some)].sum() / (len(models) * count[some].sum())
    value = float(right.sum() / (len(models) * count.sum()))
    return Interval(value, *percentiles(drawn, confidence), len(problems))


def _coins(rows: Sequence[Row], resamples: int, confidence: float, seed: int) -> Interval:
    """What coins reach on so many pairs."""
    drawn = np.random.default_rng(seed).binomial(len(rows), 0.5, size=resamples) / len(rows)
    problems = len({row["problem_id"] for row in rows})
    return Interval(0.5, *percentiles(drawn, confidence), problems)
