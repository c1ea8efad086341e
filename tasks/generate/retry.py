"""What to do when an engine dies: first all again, then in parts, until the guilty prompt is alone.

Mostly an engine is killed from outside, or for want of memory, and what was under way is asked once
more. If it dies again the prompts are asked in parts, and those of a part in which it dies one by
one. A prompt that ends the engine alone as well is given up: its samples have the finish `error`,
which is said, and the rest of the shard goes on.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from tasks.errors import StepError
from tasks.generate.connection import Died

# Parts that the prompts of a shard are asked in when the engine died twice.
PARTS = 8
# Deaths with a prompt alone (or in a part of few) before it is given up.
MAX_DEATHS = 2
# Deaths in a row without a completion between them: then it is not the prompts.
MAX_DEATHS_WITHOUT_SAMPLE = 12
# Starts in a row in which the engine did not even come up.
MAX_FAILED_STARTS = 2

Request = tuple[int, int]  # prompt, seed
_Done = TypeVar("_Done")


class NotUp(Died):
    """The engine ended before it said anything: it did not load."""


def sample_all(
    requests: Sequence[Request],
    ask: Callable[[list[int], bool], None],
    done: dict[int, _Done],
    say: Callable[[str], None],
    lost: _Done,
) -> None:
    """Have every request done, whatever the engine does.

    Args:
        requests: What is asked.
        ask: Asks for the requests at these places and puts completions into `done` as they come;
            the second argument says whether it must be alone with the engine.
        done: What the engine gave, by place.
        say: Told what a person should know.
        lost: Stands for what a prompt that is given up would have got.

    Raises:
        StepError: the engine does not come up, or dies whatever it is asked.
    """
    groups: deque[tuple[int, list[int]]] = deque([(0, list(range(len(requests))))])
    deaths: Counter[int] = Counter()
    failed_starts = without_sample = 0
    while groups:
        level, group = groups[0]
        group = [place for place in group if place not in done]
        if not group:
            groups.popleft()
            continue
        before = len(done)
        try:
            ask(group, level > 0)
            groups.popleft()
            continue
        except NotUp as died:
            failed_starts += 1
            if failed_starts == MAX_FAILED_STARTS:
                raise StepError(f"the engine does not start ({died})") from None
            continue
        except Died as died:
            failed_starts = 0
            without_sample = without_sample + 1 if len(done) == before else 0
            if without_sample == MAX_DEATHS_WITHOUT_SAMPLE:
                raise StepError(f"the engine dies whatever it is asked ({died})") from None
            say(f"the engine died and is started again ({died})")
        groups.popleft()
        left = [place for place in group if place not in done]
        prompts = list(dict.fromkeys(requests[place][0] for place in left))
        if len(prompts) > 1:
            size = len(prompts) if level == 0 else -(-len(prompts) // PARTS) if level == 1 else 1
            if level > 1:
                deaths.update(prompts)
            groups.extendleft(
                (level + 1, [p for p in left if requests[p][0] in part])
                for part in reversed(_parts(prompts, size))
            )
            continue
        deaths.update(prompts)
        if prompts and deaths[prompts[0]] >= MAX_DEATHS:
            done.update((place, lost) for place in left)
        else:
            groups.appendleft((level + 1, left))


def _parts(prompts: list[int], size: int) -> list[set[int]]:
    return [set(prompts[i : i + size]) for i in range(0, len(prompts), size)]
