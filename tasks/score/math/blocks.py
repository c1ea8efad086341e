"""Blocks of pairs for the cheap rules: the workers of a pool do their share of a long series.

A pair costs the rules less than it costs to send alone. The first pairs of a series are decided by
the process that asks: most data sets are short, and never start a worker for this.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tasks.dag.contracts import Grade
from tasks.rows import Json, Status
from tasks.score.math.decide import decide

Pair = tuple[str, str]
# What the rules say, None where only symbolic work can tell; and the seconds that took.
Outcome = tuple[Grade | None, float]

# So many pairs of a series are decided here before workers are asked.
ALONE = 4096
# Pairs of a block, and characters: about twenty milliseconds of work, and less to send.
_PAIRS = 256
_CHARACTERS = 500_000
# CPU seconds that a pair may add to a block's limit; the rules need thousandths.
SECONDS_OF_A_PAIR = 0.05


def by_rules(pair: Pair, *, work_out: bool = False) -> Outcome:
    """What the cheap rules say of a pair, and the seconds they took."""
    start = time.perf_counter()
    grade = decide(*pair, work_out=work_out)
    return grade, time.perf_counter() - start


def next_block(pairs: Iterator[Pair]) -> list[Pair]:
    """The next pairs of a series; the longest text ends its block."""
    block: list[Pair] = []
    size = 0
    while len(block) < _PAIRS and size < _CHARACTERS and (pair := next(pairs, None)) is not None:
        block.append(pair)
        size += len(pair[0]) + len(pair[1])
    return block


def worth_sending(block: list[Pair]) -> bool:
    """Whether a block is no longer than a message between processes should be."""
    return sum(len(gold) + len(prediction) for gold, prediction in block) <= 2 * _CHARACTERS


def outcomes_json(pairs: list[list[str]], *, work_out: bool = False) -> list[dict[str, object]]:
    """A worker's reply to a block."""
    return [_json(by_rules((gold, answer), work_out=work_out)) for gold, answer in pairs]


def outcomes_of(reply: list[Json]) -> list[Outcome]:
    """The outcomes in a worker's reply."""
    return [(_grade(*one["grade"]) if one["grade"] else None, one["seconds"]) for one in reply]


def _json(outcome: Outcome) -> dict[str, object]:
    grade, seconds = outcome
    fields = [grade.reward, grade.status, grade.extracted] if grade else []
    return {"grade": fields, "seconds": seconds}


def _grade(reward: float, status: str, extracted: str) -> Grade:
    return Grade(reward, Status(status), extracted)
