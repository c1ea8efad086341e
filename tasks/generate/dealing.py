"""Which of several equal engines has which part of a shard.

How a shard is cut hangs on the shard and on the number of engines alone, so what an engine computes
together is the same in every run. Only who gets a part hangs on the moment: the engine that has the
least under way. Every sample has its own seed, so that changes no sample.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from tasks.decoding.tokens import Prompt


def deal(
    prompts: Sequence[Prompt], requests: Sequence[tuple[int, int]], engines: int, least: int = 1
) -> list[list[int]]:
    """Cut a shard: indices of requests by part, equal in work, all samples of a prompt together.

    Args:
        prompts: Of the shard.
        requests: Prompt and seed.
        engines: Most parts.
        least: Requests for each further part.
    """
    count = max(1, min(engines, len(requests) // least))
    used = sorted({prompt for prompt, _ in requests}, key=lambda i: (len(prompts[i]), i))
    home = {prompt: i % count for i, prompt in enumerate(used)}
    parts: list[list[int]] = [[] for _ in range(count)]
    for i, (prompt, _) in enumerate(requests):
        parts[home[prompt]].append(i)
    return [part for part in parts if part]


class Seats:
    """What several equal engines have under way; for several threads at once."""

    def __init__(self, count: int) -> None:
        """Nothing is under way.

        Args:
            count: Of engines.
        """
        self._loads = [0] * count
        self._lock = threading.Lock()

    @property
    def loads(self) -> list[int]:
        """Requests under way at each."""
        with self._lock:
            return list(self._loads)

    def take(
        self, sizes: Sequence[int], started: Callable[[int], bool] = lambda seat: True
    ) -> list[int]:
        """An engine for each part of a shard, no two parts at one.

        The largest part goes to the engine with the least under way; of equal ones to one that is
        started already, then to the first.

        Args:
            sizes: Requests of each part, no more parts than engines.
            started: Whether an engine is.
        """
        found = [0] * len(sizes)
        with self._lock:
            free = sorted(
                range(len(self._loads)), key=lambda seat: (self._loads[seat], not started(seat))
            )
            order = sorted(range(len(sizes)), key=lambda part: -sizes[part])
            for part, seat in zip(order, free[: len(sizes)], strict=True):
                found[part] = seat
                self._loads[seat] += sizes[part]
        return found

    def give_back(self, seat: int, size: int) -> None:
        """A part is done, or given up."""
        with self._lock:
            self._loads[seat] -= size
