"""What a policy can do, from its verdicts: greedy accuracy, pass@k, majority vote, train-test gap.

pass@k is the unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code"
(arXiv 2107.03374), equation 1. The majority vote is self-consistency (Wang et al., 2203.11171) as
ReST^EM reports it. The gap is that of figure 4 of ReST^EM (arXiv 2312.06585). Every number has a
bootstrap interval over problems (intervals.py).

Rows are a sample merged with its verdict: problem_id, index, reward, status, tokens, finish. Votes
are counted by groups of equal answers, which the checker makes (tasks/score/group.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tasks.errors import UserError
from tasks.evaluate.intervals import Interval, interval, paired_difference, unpaired_difference
from tasks.evaluate.results import CORRECT, Metrics
from tasks.rows import Row, Status
from tasks.settings import MeasureSettings

# (problem id, index of the sample) → group of its answer.
Groups = Mapping[tuple[str, int], int]


@cache
def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that k of n samples, drawn without replacement, hold one of the c correct ones.

    1 - C(n-c, k) / C(n, k), in whole numbers, so it is exact for every n.

    Raises:
        ValueError: Not 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, not n={n} c={c} k={k}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def majority_correct(groups: Sequence[int], correct: Sequence[bool], m: int) -> bool:
    """Whether the answer that most of the first m samples give is right.

    Args:
        groups: Of each sample the group of its answer (tasks/score/group.py); negative: no answer,
            no vote.
        correct: The verdict of each sample.
        m: Voters.

    A tie goes to the answer given first; the verdict is that of the group's first sample. Without
    any vote there is no answer, so the problem counts as not solved.
    """
    votes = Counter(group for group in groups[:m] if group >= 0)
    if not votes:
        return False
    # Counter keeps the order of first occurrence, and max takes the first of equals.
    winner = max(votes, key=lambda group: votes[group])
    return bool(correct[list(groups).index(winner)])


@dataclass
class Samples:
    """The samples of one problem, in the order of their index."""

    rewards: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)

    @property
    def correct(self) -> list[bool]:
        """Which samples have the full reward."""
        return [reward >= CORRECT for reward in self.rewards]


def measure(
    greedy_rows: Iterable[Row],
    sampled_rows: Iterable[Row],
    train_rows: Iterable[Row],
    problems: Iterable[Row],
    settings: MeasureSettings,
    seed: int,
    *,
    validation_rows: Iterable[Row] = (),
    groups: Groups | None = None,
) -> Metrics:
    """All metrics of one policy; a metric without any problem is left out.

    Args:
        greedy_rows: Greedy solutions of test problems, one each.
        sampled_rows: Samples of test problems, `settings.samples` each.
        train_rows: Greedy solutions of training problems.
        problems: Problem rows, for the levels.
        settings: Which k and m, and how intervals are made.
        validation_rows: Greedy solutions of validation problems.
        groups: (problem, index) of a test sample to the group of its answer; without it there is
            no majority vote.

    Raises:
        UserError: A k of pass@k or a size of the vote is larger than the number of samples.
    """
    counts = _Counts()
    greedy = scores(counts.counted(greedy_rows))
    train, validation = scores(train_rows), scores(validation_rows)

    def bounds(values: Sequence[float]) -> Interval:
        return interval(values, settings.bootstrap, settings.confidence, seed)

    found: dict[str, Interval] = {}
    for name, values in (("greedy", greedy), ("train", train), ("validation", validation)):
        if values:
            found[name] = bounds(list(values.values()))
    if greedy and train:
        found["gap"] = unpaired_difference(
            list(train.values()),
            list(greedy.values()),
            settings.bootstrap,
            settings.confidence,
            seed,
        )
    for name, values in sampled_scores(sampled_rows, settings, groups).items():
        found[name] = bounds(list(values.values()))
    asked = list(problems)
    return Metrics(
        metrics=found,
        levels={name: bounds(values) for name, values in _by(greedy, asked, "level").items()},
        subjects={name: bounds(values) for name, values in _by(greedy, asked, "subject").items()},
        mean_tokens=counts.tokens / counts.rows if counts.rows else None,
        truncated=counts.cut / counts.rows if counts.rows else None,
        statuses=dict(sorted(counts.statuses.items())),
    )


def paired_gain(
    base_greedy: Iterable[Row], now_greedy: Iterable[Row], settings: MeasureSettings, seed: int
) -> Interval | None:
    """Gain in greedy accuracy on the problems that both policies tried; None if there is none."""
    return _paired(scores(base_greedy), scores(now_greedy), settings, seed)


def paired_pass_gain(
    base_sampled: Iterable[Row], now_sampled: Iterable[Row], settings: MeasureSettings, seed: int
) -> Interval | None:
    """Gain in pass@k at the largest k of the settings, on the problems that both policies tried.

    Returns:
        None where there is no such k, or no such problem.

    Raises:
        UserError: as `sampled_scores`.
    """
    if not settings.pass_k:
        return None
    k = f"pass@{max(settings.pass_k)}"
    base, now = (sampled_scores(rows, settings).get(k, {}) for rows in (base_sampled, now_sampled))
    return _paired(base, now, settings, seed)


def _paired(
    base: Mapping[str, float], now: Mapping[str, float], settings: MeasureSettings, seed: int
) -> Interval | None:
    both = [key for key in base if key in now]
    if not both:
        return None
    return paired_difference(
        [base[key] for key in both],
        [now[key] for key in both],
        settings.bootstrap,
        settings.confidence,
        seed,
    )


def scores(rows: Iterable[Row]) -> dict[str, float]:
    """Mean reward of each problem, in the order of problem ids."""
    return {key: float(np.mean(s.rewards)) for key, s in grouped(rows).items()}


def grouped(rows: Iterable[Row]) -> dict[str, Samples]:
    """Samples by problem id, both in order, whatever the order of the rows.

    Samples that a person has to grade are left out: they are neither right nor wrong yet.
    """
    keyed: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.get("status") == Status.UNGRADED:
            continue
        of_problem = keyed.setdefault(row["problem_id"], {})
        if row["index"] in of_problem:
            raise ValueError(f"sample {row['index']} of {row['problem_id']} comes twice")
        of_problem[row["index"]] = float(row["reward"])
    result = {}
    for key in sorted(keyed):
        indices = sorted(keyed[key])
        result[key] = Samples([keyed[key][index] for index in indices], indices)
    return result


@dataclass
class _Counts:
    """Counts of the rows that pass by."""

    rows: int = 0
    tokens: int = 0
    cut: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    def counted(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Yield the rows and count them."""
        for row in rows:
            self.rows += 1
            self.tokens += row["tokens"]
            self.cut += row["finish"] == "length"
            self.statuses[row["status"]] += 1
            yield row


def sampled_scores(
    rows: Iterable[Row], settings: MeasureSettings, groups: Groups | None = None
) -> dict[str, dict[str, float]]:
    """Score of each problem in every pass@k and majority vote: metric → problem → score.

    Args:
        rows: Samples with their verdicts.
        settings: Which k and m.
        groups: As in `measure`.

    Raises:
        UserError: A k of pass@k or a size of the vote is larger than the number of samples.
    """
    by_problem = grouped(rows)
    if not settings.samples or not by_problem:
        return {}
    fewest = min(len(samples.rewards) for samples in by_problem.values())
    for name, sizes in (("pass_k", settings.pass_k), ("majority", settings.majority)):
        if max(sizes, default=1) > fewest:
            raise UserError(
                f"{name}: {max(sizes)} needs as many samples of every problem, and one "
                f"has {fewest}; expected at most that"
            )
    result: dict[str, dict[str, float]] = {}
    for k in sorted(set(settings.pass_k)):
        result[f"pass@{k}"] = {
            key: pass_at_k(len(s.rewards), sum(s.correct), k) for key, s in by_problem.items()
        }
    for m in sorted(set(settings.majority)) if groups is not None else ():
        assert groups is not None
        result[f"maj@{m}"] = {
            key: float(majority_correct([groups[key, i] for i in s.indices], s.correct, m))
            for key, s in by_problem.items()
        }
    return result


def _by(
    greedy: Mapping[str, float], problems: Iterable[Row], column: str
) -> dict[str, list[float]]:
    """Greedy scores by level or subject, for problems that have one."""
    found: dict[str, list[float]] = {}
    for row in sorted(problems, key=lambda row: row["id"]):
        if row[column] and row["id"] in greedy:
            found.setdefault(row[column], []).append(greedy[row["id"]])
    return dict(sorted(found.items()))
