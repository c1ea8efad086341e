"""`restem bench grade`: our math checker against math-verify on the same pairs.

Predictions as a policy writes them for MATH's references (_pairs.py), so many of the pairs are
decided by cheap rules and a few by sympy. Both checkers may use the same number of processes and
take turns; math-verify is slow and gets a sample of the pairs, ours all. Then more and more pairs
of ours alone: speed and memory should not depend on how many there were. The last line is the
median over the rounds of pairs a second, ours over math-verify's.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections import Counter

import psutil

from bench.scoring._math_verify import MathVerify
from bench.scoring._pairs import SEED, Reference, pairs, references
from tasks.dag.contracts import Grade
from tasks.rows import Status
from tasks.score.math.decide import decide
from tasks.score.math.limits import GRADE_SECONDS
from tasks.score.math.pool import GradePool

Pair = tuple[str, str]
Timed = tuple[Grade, float]

# Pairs in a series; each is made before its clock starts, so that making them is not measured.
SERIES = (15_000, 60_000, 240_000)
BLOCK = 15_000


# These need sympy, each another pair: all workers are started before the clock is.
def _warm(count: int) -> list[Pair]:
    return [(rf"\frac{{{n}}}{{\sqrt{{2}}}}", rf"\frac{{{n}\sqrt{{2}}}}{{2}}") for n in range(count)]


def run(baseline_pairs: str = "1500", rounds: str = "3", largest: str = str(SERIES[-1])) -> float:
    """Print speeds, latencies, agreement, growth and the ratio.

    Args:
        baseline_pairs: How many pairs math-verify grades in all.
        rounds: Rounds; each checker once in each.
        largest: The most pairs of ours alone; 0 leaves this part out.

    Returns:
        Pairs a second, ours over math-verify's.
    """
    given, source = references()
    workers = os.cpu_count() or 1
    count, part = len(given), min(int(baseline_pairs) // int(rounds), len(given))
    print(
        f"{int(rounds)} rounds of {count:,} new pairs of {source} answers, {part:,} of each for "
        f"math-verify too; {workers} processes each; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    with GradePool(workers, GRADE_SECONDS) as pool:
        list(pool.grade(_warm(16 * workers)))
        ratio = _compare(pool, given, part, workers, int(rounds))
        _growth(pool, given, int(largest))
    print(f"grade ratio={ratio:.3f}")
    return ratio


def _compare(
    pool: GradePool, given: list[Reference], part: int, workers: int, rounds: int
) -> float:
    """Both checkers in turn on the same new pairs; the ratio of their speeds."""
    ours: list[float] = []
    theirs: list[float] = []
    graded: list[tuple[Pair, Timed]] = []
    verdicts: list[tuple[Pair, Timed, bool | None]] = []
    with MathVerify(workers) as baseline:
        for number in range(rounds):
            # New pairs in each round, as the pool remembers verdicts.
            asked = list(pairs(given, len(given), SEED + number))
            timed: list[Timed] = []
            found: list[bool | None] = []

            def we(asked: list[Pair] = asked, timed: list[Timed] = timed) -> None:
                started = time.perf_counter()
                timed += pool.grade(asked)
                ours.append(len(asked) / (time.perf_counter() - started))

            def they(asked: list[Pair] = asked[:part], found: list[bool | None] = found) -> None:
                started = time.perf_counter()
                found += baseline.grade(asked)
                theirs.append(len(asked) / (time.perf_counter() - started))

            for way in (we, they)[:: -1 if number % 2 else 1]:
                way()
            graded += zip(asked, timed, strict=True)
            verdicts += zip(asked[:part], timed[:part], found, strict=True)
        killed = baseline.killed
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(
        f"ours {statistics.median(ours):,.0f} pairs/s, math-verify {statistics.median(theirs):.1f} "
        f"pairs/s ({killed} killed); ratio by round {', '.join(f'{r:.0f}' for r in ratios)}"
    )
    _agreement(verdicts)
    _latencies(graded)
    return statistics.median(ratios)


def _agreement(verdicts: list[tuple[Pair, Timed, bool | None]]) -> None:
    both = Counter(
        (timed[0].status is Status.CORRECT, bool(theirs)) for _, timed, theirs in verdicts
    )
    same = both[True, True] + both[False, False]
    print(
        f"agreement {same / len(verdicts):.2%} of {len(verdicts):,}: both right "
        f"{both[True, True]:,}, neither {both[False, False]:,}, ours alone {both[True, False]:,}, "
        f"math-verify alone {both[False, True]:,}",
        flush=True,
    )
    for pair, (grade, _), theirs in verdicts:
        if (grade.status is Status.CORRECT) is not bool(theirs):
            print(f"  {pair[0]!r} | {grade.extracted!r}: {grade.status.value}, {theirs}")


def _latencies(graded: list[tuple[Pair, Timed]]) -> None:
    """Latency by kind of pair; which kind a pair is, is found out again outside the clock."""
    cheap: list[float] = []
    dear: list[float] = []
    for pair, (_, seconds) in graded:
        (dear if decide(*pair) is None else cheap).append(seconds * 1e3)
    statuses = Counter(grade.status.value for _, (grade, _) in graded)
    print(f"{len(dear) / len(graded):.2%} of the pairs are symbolic; verdicts {dict(statuses)}")
    for name, times in (("cheap", cheap), ("symbolic", dear)):
        if times:
            times.sort()
            p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
            print(f"{name}: p50 {p50:.3f} ms, p99 {p99:.3f} ms, most {times[-1]:.1f} ms")


def _growth(pool: GradePool, given: list[Reference], largest: int) -> None:
    """Speed and memory of longer and longer series."""
    for size in (size for size in SERIES if size <= largest):
        before = _memory(pool)
        seconds = 0.0
        for start in range(0, size, BLOCK):
            block = list(pairs(given, BLOCK, SEED + size + start))
            started = time.perf_counter()
            for _ in pool.grade(block):
                pass
            seconds += time.perf_counter() - started
        after = _memory(pool)
        print(
            f"{size:>7,} pairs: {size / seconds:,.0f} pairs/s; this process {before[0]:.0f} to "
            f"{after[0]:.0f} MB, workers {before[1]:.0f} to {after[1]:.0f} MB",
            flush=True,
        )


def _memory(pool: GradePool) -> tuple[float, float]:
    """Resident megabytes of this process and of all workers together."""
    gc.collect()
    workers = sum(psutil.Process(pid).memory_info().rss for pid in pool.pids())
    return psutil.Process().memory_info().rss / 2**20, workers / 2**20
