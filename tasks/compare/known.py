"""Pairs of a right and a wrong sample of one problem: preferences that a checker knows for free.

Unlike texts count once. The k-th right text of a problem stands against its k-th wrong one, each in
a random order, so no text is in two pairs. A small number of pairs is spread over as many problems
as it can be. Which of the two is the pair's first is random as well, so a judge that looks at the
place alone is right on half of them.

Rows are read twice and texts are kept of the drawn pairs alone, so what grows with a run is a few
integers for each unlike text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tasks.compare.draw import Pair
from tasks.rows import Row, Status, answer_of

RIGHT = frozenset({Status.CORRECT})
# Of other statuses nobody knows that the sample is wrong.
WRONG = frozenset(
    {
        Status.WRONG_ANSWER,
        Status.NO_ANSWER,
        Status.RUNTIME_ERROR,
        Status.TIME_LIMIT,
        Status.MEMORY_LIMIT,
        Status.OUTPUT_LIMIT,
        Status.COMPILE_ERROR,
    }
)


@dataclass(frozen=True)
class KnownPair:
    """A pair of which it is known which is right.

    Attributes:
        pair: Its indices number the problem's unlike texts.
        first_right: Whether the first is the right one, else the second is.
        share: Of the problem's finished samples, those that are right: how easy it is.
    """

    pair: Pair
    first_right: bool
    share: float


@dataclass
class _Problem:
    """What is known of a problem's samples: unlike texts by hash, and how many are right."""

    texts: dict[int, bool] = field(default_factory=dict[int, bool])
    samples: int = 0
    right: int = 0


def draw_known(rows: Callable[[], Iterable[Row]], seed: int, count: int) -> list[KnownPair]:
    """Draw pairs of a right and a wrong text.

    Args:
        rows: Gives samples merged with their verdicts, the same ones each time it is called.
        seed: Of the draw.
        count: Most pairs; 0: all.

    Returns:
        Pairs by the id of the problem, then by their indices.
    """
    problems: dict[str, _Problem] = {}
    for row in rows():
        if text := _known_text(row):
            problem, right = problems.setdefault(row["problem_id"], _Problem()), _right(row)
            problem.samples += 1
            problem.right += right
            problem.texts.setdefault(_hash(seed, row["problem_id"], text), right)
    # (round, random number, problem, right text, wrong text): each problem gives one pair a round.
    drawn = sorted(
        (place, _hash(seed, name, f"round {place}"), name, right, wrong)
        for name, problem in problems.items()
        for place, (right, wrong) in enumerate(
            zip(*(_texts(problem, right=side) for side in (True, False)), strict=False)
        )
    )[: count or None]
    wanted = {(name, text) for _, _, name, *both in drawn for text in both}
    found: dict[tuple[str, int], str] = {}
    for row in rows():
        if text := _known_text(row):
            key = row["problem_id"], _hash(seed, row["problem_id"], text)
            if key in wanted:
                found[key] = text
    pairs: list[KnownPair] = []
    for _, _, name, right, wrong in drawn:
        problem = problems[name]
        # Not by these hashes: of several wrong texts the one with the lowest is drawn first.
        order = sorted(problem.texts, key=lambda text: _hash(seed, "place", str(text)))
        numbers = {text: number for number, text in enumerate(order)}
        one, other = sorted((right, wrong), key=lambda text: numbers[text])
        texts = found[name, one], found[name, other]
        pair = Pair(name, numbers[one], numbers[other], texts)
        pairs.append(KnownPair(pair, one == right, problem.right / problem.samples))
    return sorted(pairs, key=lambda one: (one.pair.problem_id, one.pair.first))


def _texts(problem: _Problem, *, right: bool) -> list[int]:
    """The unlike texts that are right, or those that are not, in the random order of hashes."""
    return sorted(text for text, verdict in problem.texts.items() if verdict is right)


def _right(row: Row) -> bool:
    return row["status"] in RIGHT


def _known_text(row: Row) -> str:
    """The answer of a finished sample whose verdict is known; else nothing."""
    known = row["finish"] == "stop" and (row["status"] in RIGHT or row["status"] in WRONG)
    return answer_of(row).strip() if known else ""


def _hash(seed: int, *parts: str) -> int:
    """A random number of a text, the same on every machine."""
    whole = "\x1f".join((str(seed), *parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big")
