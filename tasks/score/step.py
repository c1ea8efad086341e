"""The step `score`: a verdict on every sample of a shard; none is dropped here."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox import TAG
from tasks.dag.contracts import ProgramGrader
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import SCORE
from tasks.rows import (
    PROBLEMS_FILE,
    SAMPLES_FILE,
    SCORES_FILE,
    TIMING,
    TIMINGS_FILE,
    VERDICT,
    VERDICTS_FILE,
    Json,
    Row,
    read_rows,
    write_rows,
)
from tasks.settings import ExecutionSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Raised with every change of how programs are found in texts or judged: they are scored again.
CODE_RULES = 2
# Domain of problems -> how their samples are checked. Those of math and code have no entry.
CHECKERS = {"text": "exact", "hand": "hand"}
# Verdicts between two words on progress.
_TELL_EVERY = 64


def sandbox_settings(execution: ExecutionSettings) -> Json:
    """What decides the verdict on a program, for cache keys: limits, image, and our rules."""
    return {**execution.model_dump(), "image": TAG, "rules": CODE_RULES}


def score_call(
    label: str,
    samples: ArtifactRef,
    references: str,
    problems: ArtifactRef,
    hints: Json,
    sandbox: Json | None = None,
    checker: str = "",
    score: str = "correct",
) -> Call:
    """The call that scores one shard of samples.

    Args:
        label: Name of the task run.
        samples: The shard.
        references: Digest of the block of problems it answers.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        sandbox: Of code problems: what decides their verdicts (`sandbox_settings`).
        checker: Of problems neither of math nor of code: their CHECKERS entry.
        score: The reward, as in FilterSettings.
    """
    keyed: Json = {"references": references}
    if sandbox is not None:
        keyed["sandbox"] = sandbox
    if checker:
        keyed["checker"] = checker
    if score != "correct":
        keyed["score"] = score
    return Call(score_shard, label, keyed, {"samples": samples}, hints, {"problems": problems})


# Raise the version with every change of the checker: samples are scored again, not drawn again.
@step(SCORE, "verdicts", version=3)
def score_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Give every sample of a shard a verdict; none is dropped here."""
    from tasks.score.rewards import REWARDS
    from tasks.score.score import score_rows

    hints = call.hints
    problems = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    split = [row for row in read_rows(problems) if row["split"] == hints["split"]]
    references = {row["id"]: row["reference"] for row in split[hints["start"] : hints["stop"]]}
    samples = read_rows(runtime.store.path(call.inputs["samples"]) / SAMPLES_FILE)
    total = call.inputs["samples"].rows
    how = call.settings
    score = how.get("score", "correct")
    grader = runtime.grader(how.get("sandbox"), how.get("checker", ""), score)
    given = _given(runtime, call.inputs["samples"])
    seconds: list[float] = []
    correct = 0

    def verdicts() -> Iterator[Row]:
        nonlocal correct
        for verdict, taken in score_rows(samples, references, grader, REWARDS.get(score)):
            if given is not None:
                verdict["reward"] = next(given)
            seconds.append(taken)
            if len(seconds) % _TELL_EVERY == 0:
                runtime.progress(call.label, len(seconds), total)
            correct += verdict["status"] == "correct"
            yield verdict

    draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, verdicts())
    write_rows(draft.path / TIMINGS_FILE, TIMING, ({"seconds": s} for s in seconds))
    draft.volatile = {TIMINGS_FILE}
    image = grader.image if isinstance(grader, ProgramGrader) else None
    draft.stats = Stats(correct=correct, image=image)


def _given(runtime: Runtime, samples: ArtifactRef) -> Iterator[float] | None:
    """The rewards that came with a shard of imported samples, where they are to be kept."""
    path = runtime.store.path(samples) / SCORES_FILE
    return (row["score"] for row in read_rows(path)) if path.is_file() else None
