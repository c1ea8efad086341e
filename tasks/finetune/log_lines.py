"""How far a fine-tune is, as lines of the trainer's log: written while it goes, and read by pages.

    finetune 2: step 12 of 40: loss 0.5213
    finetune 2: step 20 of 40: validation reward 0.35

The log is that of the trainer's process (logs/finetune.log of a run), to which each attempt adds.
It is a view: what a fine-tune left is in its artifact (results.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tasks.finetune.results import HistoryEntry

_LOSS, _REWARD = "loss", "validation reward"
_NUMBER = r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)"
_LINE = re.compile(rf"(.{{1,200}}): step (\d{{1,12}}) of \d+: ({_LOSS}|{_REWARD}) ({_NUMBER})")


def log_line(label: str, total: int, entry: HistoryEntry) -> str:
    """The line of one entry.

    Args:
        label: Of the fine-tune, such as `finetune 2`.
        total: Optimiser steps if nothing stops it.
        entry: A loss or a reward.
    """
    name, value = (_LOSS, entry.loss) if entry.reward is None else (_REWARD, entry.reward)
    assert value is not None
    return f"{label}: step {entry.step} of {total}: {name} {float(value)!r}"


def read_log(lines: Iterable[str]) -> dict[str, list[HistoryEntry]]:
    """The entries of each fine-tune, by its label, other lines left out.

    One that went on from a checkpoint says some steps again; what it says last counts.
    """
    found: dict[str, list[HistoryEntry]] = {}
    for line in lines:
        if (told := _LINE.fullmatch(line.strip())) is None:
            continue
        label, step, name, value = told[1], int(told[2]), told[3], float(told[4])
        is_loss = name == _LOSS
        entry = HistoryEntry(
            step, loss=value if is_loss else None, reward=None if is_loss else value
        )
        entries = found.setdefault(label, [])
        while entries and _order(entries[-1]) >= _order(entry):
            entries.pop()
        entries.append(entry)
    return found


def _order(entry: HistoryEntry) -> tuple[int, bool]:
    """The place of an entry: the loss of a step stands before its reward."""
    return entry.step, entry.reward is not None
