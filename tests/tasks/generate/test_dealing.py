"""Every engine has its part of the work, whatever the shards are and however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from tasks.generate.dealing import Seats, deal


@dataclass(frozen=True)
class Case:
    """Shards under way at once: engines, problems in a shard, samples of each, how many shards."""

    engines: int
    problems: int
    each: int
    shards: int

    @property
    def requests(self) -> list[tuple[int, int]]:
        """Of one shard."""
        return [(i, seed) for i in range(self.problems) for seed in range(self.each)]

    def dealt(self) -> list[dict[int, list[int]]]:
        """Of each shard, which engine has which requests."""
        seats, prompts, found = Seats(self.engines), ["x" * (i % 5) for i in range(2000)], []
        for _ in range(self.shards):
            parts = deal(prompts, self.requests, self.engines)
            found.append(dict(zip(seats.take([*map(len, parts)]), parts, strict=True)))
        return found


CASES = [Case(*sizes) for sizes in product((1, 3, 8), (1, 7, 9, 256), (1, 8), (1, 3))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_engine_idles_while_another_has_two_prompts_more(case: Case):
    loads = [0] * case.engines
    for shard in case.dealt():
        for seat, part in shard.items():
            loads[seat] += len(part)
    assert sum(loads) == case.shards * case.problems * case.each
    assert max(loads) - min(loads) <= case.each


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_request_is_dealt_once_and_all_of_a_prompt_to_one_engine(case: Case):
    for shard in case.dealt():
        places = sorted(place for part in shard.values() for place in part)
        assert places == list(range(len(case.requests)))
        homes = [{case.requests[place][0] for place in part} for part in shard.values()]
        assert sum(map(len, homes)) == case.problems


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_computed_together_does_not_depend_on_who_is_busy(case: Case):
    cuts = [sorted(shard.values()) for shard in case.dealt()]
    assert all(cut == cuts[0] for cut in cuts)


def test_what_is_done_is_no_load_and_a_started_engine_comes_first():
    seats = Seats(3)
    assert seats.take([5], lambda seat: seat == 2) == [2]
    assert seats.take([4, 9]) == [1, 0]
    seats.give_back(0, 9)
    assert seats.loads == [0, 4, 5]
    assert seats.take([1]) == [0]
