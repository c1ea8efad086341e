"""The fine-tunes of a run as they are now: those that are done, and the one that is under way."""

from __future__ import annotations

import json
from pathlib import Path

from flows.report.palette import policy_colour
from flows.rest_em.page.fine_tunes import FineTune
from flows.runs.journal_forms import StepLine
from tasks.dag.step_names import FINETUNE
from tasks.finetune.log_lines import read_log
from tasks.finetune.results import HistoryEntry, TrainingFacts
from tasks.store.store import Damage, Store

_LOG = "finetune.log"
# The last so much of a log is read: hundreds of fine-tunes, where no library is chatty.
_LOG_BYTES = 4_000_000
# That fit one chart, the last ones.
_SHOWN = 6


def fine_tunes(store: Store, steps: list[StepLine], logs: Path) -> list[FineTune]:
    """The last fine-tunes of a run.

    Args:
        store: Where those that are done left how they went.
        steps: Of the run's journal.
        logs: The run's folder of logs, in which the trainer says how far it is.
    """
    found = {label: entries for label, entries in read_log(_tail(logs / _LOG)).items() if entries}
    for line in steps:
        if line.step.startswith(FINETUNE):
            found.pop(line.label, None)
            found[line.label] = _history(store, line.artifact)
    shown = [one for one in found.items() if one[1]][-_SHOWN:]
    return [
        FineTune(label, policy_colour(place), history)
        for place, (label, history) in enumerate(shown, 1)
    ]


def _history(store: Store, location: str) -> list[HistoryEntry]:
    """What a fine-tune left; nothing where it is gone. Its weights are not looked at."""
    kind, _, key = location.partition("/")
    try:
        ref = store.read_manifest(kind, key).ref
        return TrainingFacts.from_json(
            json.loads(store.read(ref, TrainingFacts.FILE)), TrainingFacts.FILE
        ).history
    except (Damage, OSError, ValueError):
        return []


def _tail(log: Path) -> list[str]:
    """The last lines of a log; none where there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_BYTES))
            return file.read(_LOG_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
