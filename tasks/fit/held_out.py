"""What a fit leaves of the pairs that it did not train on: what its accuracy is read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.fit.pack import TokenPair, is_watched
from tasks.rows import HELD_OUT, HELD_OUT_FILE, Row, write_rows


def write_held_out(
    folder: Path, pairs: Sequence[TokenPair], rewards: Sequence[float], share: float, seed: int
) -> None:
    """Write rows of rows.HELD_OUT.

    Args:
        folder: Of the reward model.
        pairs: Held out.
        rewards: Of both texts of each, one after the other.
        share: Of problems that are held out.
        seed: Of which.
    """

    def rows() -> Iterator[Row]:
        for pair, one, other in zip(pairs, rewards[::2], rewards[1::2], strict=False):
            problem, first, second = pair.name
            yield {
                "problem_id": problem,
                "first": first,
                "second": second,
                "p": pair.p,
                "first_reward": one,
                "second_reward": other,
                "first_tokens": len(pair.first),
                "second_tokens": len(pair.second),
                "watched": is_watched(problem, share, seed),
            }

    write_rows(folder / HELD_OUT_FILE, HELD_OUT, rows())
