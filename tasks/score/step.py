"""The step `score`: a verdict on every sample of a shard; none is dropped here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sandbox import TAG
from tasks.dag.contracts import Grader, ProgramGrader
from tasks.dag.mixed import CHECKERS_KEY, PROGRAMS, by_checker, open_named
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import SCORE
from tasks.rows import (
    PROBLEMS_FILE,
    SAMPLES_FILE,
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
CHECKERS = {"text": "exact", "choice": "choice", "hand": "hand"}
# Verdicts between two words on progress.
_TELL_EVERY = 64


def sandbox_settings(execution: ExecutionSettings) -> Json:
    """What decides the verdict on a program, for cache keys: limits, image, and our rules."""
    return {**execution.model_dump(), "image": TAG, "rules": CODE_RULES}


def checker_name(domain: str) -> str:
    """The checker of a domain, as a list of `checkers` has it."""
    return PROGRAMS if domain == "code" else CHECKERS.get(domain, "")


def checking(domains: Sequence[str], execution: ExecutionSettings) -> Json:
    """What decides verdicts on these problems, for cache keys.

    Args:
        domains: Of each problem.
        execution: Limits of programs.
    """
    kinds = set(domains)
    keyed: Json = {"sandbox": sandbox_settings(execution)} if "code" in kinds else {}
    if len(kinds) > 1:
        keyed[CHECKERS_KEY] = [checker_name(domain) for domain in domains]
    elif kinds & CHECKERS.keys():
        keyed["checker"] = CHECKERS[kinds.pop()]
    return keyed


def score_call(
    label: str,
    samples: ArtifactRef,
    references: str,
    problems: ArtifactRef,
    hints: Json,
    sandbox: Json | None = None,
    checker: str = "",
    score: str = "correct",
    checkers: Sequence[str] = (),
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
        checkers: Of each problem, where they are of several domains (`checking`).
    """
    keyed: Json = {"references": references}
    if sandbox is not None:
        keyed["sandbox"] = sandbox
    if checker:
        keyed["checker"] = checker
    if score != "correct":
        keyed["score"] = score
    if checkers:
        keyed[CHECKERS_KEY] = list(checkers)
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
    graders: dict[str, Grader] = {}
    seconds: list[float] = []
    correct = 0

    def scored() -> Iterable[tuple[Row, float]]:
        reward = REWARDS.get(score)
        if CHECKERS_KEY not in how:
            graders[""] = runtime.grader(how.get("sandbox"), how.get("checker", ""), score)
            return score_rows(samples, references, graders[""], reward)
        checker_of = dict(zip(references, how[CHECKERS_KEY], strict=True))

        def make(checker: str, some: list[Row]) -> Iterable[tuple[Row, float]]:
            graders[checker] = open_named(runtime.grader, checker, how.get("sandbox"), score)
            return score_rows(some, references, graders[checker], reward)

        rows = list(samples)
        return by_checker(rows, [checker_of[row["problem_id"]] for row in rows], make)

    def verdicts() -> Iterator[Row]:
        nonlocal correct
        for verdict, taken in scored():
            seconds.append(taken)
            if len(seconds) % _TELL_EVERY == 0:
                runtime.progress(call.label, len(seconds), total)
            correct += verdict["status"] == "correct"
            yield verdict

    draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, verdicts())
    write_rows(draft.path / TIMINGS_FILE, TIMING, ({"seconds": s} for s in seconds))
    draft.volatile = {TIMINGS_FILE}
    images = [one.image for one in graders.values() if isinstance(one, ProgramGrader)]
    draft.stats = Stats(correct=correct, image=images[0] if images else None)
