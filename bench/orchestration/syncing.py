"""`restem bench syncing`: what it costs that artifacts and records outlive a power cut.

RESTEM_SYNC=on against off, in turns, each from process start to end: the run of `restem bench
overhead` on an empty store, and the 7,500 problems of `restem bench cache`, of which everything is
cached. Who goes first changes with each turn. What the disk does for others meanwhile counts for
both, so a busy disk hides the difference or makes it; look at the spread of the turns.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.orchestration import cache, overhead
from tasks.durable import SYNC


def run(rounds: str = "3", cached_rounds: str = "5", *changes: str) -> float:
    """Time both ways in turns, and print the median ratios; the last line is the empty store's.

    Args:
        rounds: Turns on an empty store; 0 leaves this out.
        cached_rounds: Turns of the cached run; 0 leaves this out.
        changes: `key=value` changes to the configuration of the first.
    """
    changes = changes or overhead.CHANGES
    ratio = 1.0
    if int(cached_rounds):
        find = cache.prepared()
        find()  # writes Prefect's records
        ratio = _compared("cached", int(cached_rounds), lambda: find().seconds)
    if int(rounds):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            overhead.timed(home, overhead.flow_command(overhead.SMALLEST))
            command = overhead.flow_command(changes)
            ratio = _compared("made", int(rounds), lambda: overhead.timed(home, command))
    print(f"syncing ratio={ratio:.3f}")
    return ratio


def _compared(what: str, rounds: int, take: Callable[[], float]) -> float:
    ratios = []
    for number in range(1, rounds + 1):
        seconds: dict[str, float] = {}
        for said in ("on", "off") if number % 2 else ("off", "on"):
            with _said(said):
                seconds[said] = take()
        ratios.append(seconds["on"] / seconds["off"])
        print(
            f"{number}: {what}: on {seconds['on']:.1f} s, off {seconds['off']:.1f} s, "
            f"ratio {ratios[-1]:.3f}",
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(f"{what}: on / off = {ratio:.3f} [{min(ratios):.3f}, {max(ratios):.3f}]", flush=True)
    return ratio


@contextmanager
def _said(sync: str) -> Iterator[None]:
    """Have RESTEM_SYNC say this in the processes that are started."""
    before = os.environ.get(SYNC)
    os.environ[SYNC] = sync
    try:
        yield
    finally:
        os.environ.pop(SYNC)
        if before is not None:
            os.environ[SYNC] = before
