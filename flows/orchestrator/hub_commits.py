"""What a run says of the Hub's repositories that it read before, when their branch has moved."""

from __future__ import annotations

from flows.orchestrator.caller import Caller
from tasks.hub import moved_since
from tasks.store.store import ArtifactRef


def warn_of_moved(caller: Caller, *refs: ArtifactRef | None) -> None:
    """Warn of each revision that is another commit now than the one that an artifact was read from.

    Keys hold revisions as they were named, so that a run finds what it made; hence this.

    Args:
        caller: Of the steps.
        refs: Artifacts that may have been read from the Hub.
    """
    for ref in refs:
        if ref is not None and not caller.pending(ref):
            for line in moved_since(caller.store.manifest(ref).stats.commits or {}):
                caller.warn(line)
