"""The journal's line of a call that was made or found."""

from __future__ import annotations

from flows.runs.journal_forms import StepLine
from tasks.dag.step import Call, record_key
from tasks.store.store import ArtifactRef, Store


def step_line(
    store: Store,
    call: Call,
    ref: ArtifactRef,
    iteration: int,
    group: str,
    *,
    cached: bool,
    took: float,
    ended: float,
) -> tuple[StepLine, str]:
    """The line, and what the step says of its artifact.

    Args:
        took: Seconds from the question to the artifact.
        ended: Unix time.
    """
    stats = store.manifest(ref).stats
    line = StepLine(
        iteration=iteration,
        step=group,
        label=call.label,
        state="Cached" if cached else "Completed",
        took=round(took, 3),
        ended=round(ended, 3),
        seconds=stats.seconds or 0.0,
        tokens=stats.tokens or 0,
        cpu_seconds=stats.cpu_seconds or 0,
        engine_seconds=stats.engine_seconds or 0,
        sandbox_seconds=stats.sandbox_seconds or 0,
        input_tokens=stats.input_tokens or 0,
        money=stats.money or 0,
        rows=ref.rows,
        artifact=ref.location,
        digest=ref.digest,
        record=record_key(call),
        commits=stats.commits,
    )
    return line, stats.note or ""
