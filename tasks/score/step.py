"""The step `score`: a verdict on every sample of a shard; none is dropped here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from sandbox.images import IMAGES
from tasks.checkers.known import judged_reference
from tasks.dag.contracts import WORKED_OUT, Grader, OpenGrader, ProgramGrader
from tasks.dag.mixed import CHECKERS_KEY, PROGRAMS, by_checker, open_named
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import SCORE
from tasks.rows import (
    PROBLEMS_FILE,
    REWARDS,
    REWARDS_FILE,
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

if TYPE_CHECKING:
    from tasks.score.reward_samples import Rewarded
    from tasks.score.rewards import Rewards

# Raised with every change of how programs are found in texts or judged: they are scored again.
CODE_RULES = 3
# Domain of problems -> how their samples are checked. Those of math and code have no entry.
CHECKERS = {"text": "exact", "choice": "choice", "hand": "hand", "notes": "notes"}
# Inputs: the shard, and the further shards of its problems where a reward asks for their samples.
SAMPLES, OTHERS = "samples", "other samples"
# What failed calls of rewards leave, in the run's folder of logs.
LOG = "rewards.log"
# Verdicts between two words on progress.
_TELL_EVERY = 64


def sandbox_settings(execution: ExecutionSettings) -> dict[str, object]:
    """What decides the verdict on a program, for cache keys: limits, image, and our rules."""
    tag = IMAGES[execution.image].tag
    programs = execution.recipe()
    programs.pop("handed_back", None)  # of math
    return {**programs, "image": tag, "rules": CODE_RULES}


def checker_name(domain: str, execution: ExecutionSettings) -> str:
    """The checker of a domain, as a list of `checkers` has it."""
    if domain == "math" and execution.handed_back == "worked_out":
        return WORKED_OUT
    return PROGRAMS if domain == "code" else CHECKERS.get(domain, "")


class Checking(TypedDict, total=False):
    """What decides verdicts on problems, as it stands in keys; nothing where all are of math.

    Attributes:
        sandbox: Of programs (`sandbox_settings`).
        checker: Of all problems, where they are of one domain.
        checkers: Of each problem, where they are of several.
    """

    sandbox: dict[str, object]
    checker: str
    checkers: list[str]


def checking(domains: Sequence[str], execution: ExecutionSettings) -> Checking:
    """What decides verdicts on these problems, for cache keys.

    Args:
        domains: Of each problem.
        execution: Limits of programs, and what math has to work out.
    """
    kinds = set(domains)
    keyed: Checking = {"sandbox": sandbox_settings(execution)} if "code" in kinds else {}
    if len(kinds) > 1:
        keyed[CHECKERS_KEY] = [checker_name(domain, execution) for domain in domains]
    elif kinds and kinds != {"code"} and (name := checker_name(kinds.pop(), execution)):
        keyed["checker"] = name
    return keyed


def score_call(
    label: str,
    samples: ArtifactRef,
    references: str,
    problems: ArtifactRef,
    hints: dict[str, object],
    sandbox: dict[str, object] | None = None,
    checker: str = "",
    score: str = "correct",
    checkers: Sequence[str] = (),
    rewards: Rewards | None = None,
    others: Sequence[ArtifactRef] = (),
) -> Call:
    """The call that scores one shard of samples.

    Args:
        label: Name of the task run.
        samples: The shard.
        references: Digest of the block of problems it answers.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        sandbox: Of code problems: what decides their verdicts (`sandbox_settings`).
        checker: Of problems neither of math nor of code: their CHECKERS entry; or WORKED_OUT.
        score: The checker's reward, as in FilterSettings.
        checkers: Of each problem, where they are of several domains (`checking`).
        rewards: In its place, where it is not the checker's alone.
        others: The further shards of these problems, where `rewards` asks for their samples.
    """
    keyed: dict[str, object] = {"references": references}
    if sandbox is not None:
        keyed["sandbox"] = sandbox
    if checker:
        keyed["checker"] = checker
    inputs = {SAMPLES: samples}
    if rewards is not None:
        keyed["score"] = rewards.key
        hints = {**hints, "rewards": rewards.to_json()}
        inputs |= {f"{OTHERS} {number}": ref for number, ref in enumerate(others)}
    elif score != "correct":
        keyed["score"] = score
    if checkers:
        keyed[CHECKERS_KEY] = list(checkers)
    return Call(score_shard, label, keyed, inputs, hints, {"problems": problems})


# Raise the version with every change of the checker: samples are scored again, not drawn again.
@step(SCORE, "verdicts", version=6)
def score_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Give every sample of a shard a verdict; none is dropped here."""
    from tasks.score.reward_samples import Rewarded
    from tasks.score.rewards import Rewards

    hints, how = call.hints, call.settings
    stored = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    split = [row for row in read_rows(stored) if row["split"] == hints["split"]]
    problems = {row["id"]: row for row in split[hints["start"] : hints["stop"]]}
    references = {name: judged_reference(row) for name, row in problems.items()}
    shard = runtime.store.path(call.inputs[SAMPLES]) / SAMPLES_FILE
    total = call.inputs[SAMPLES].rows
    rewards = Rewards.from_json(hints["rewards"]) if "rewards" in hints else None
    score = rewards.checker if rewards else how.get("score", "correct")
    graders: dict[str, Grader] = {}
    graded = _graded(read_rows(shard), references, how, score, runtime.grader, graders)
    graded = _with_given(graded, runtime, call.inputs[SAMPLES])
    if rewards is None:
        found = (Rewarded(verdict, seconds, ()) for verdict, seconds in graded)
        draft.stats = _write(found, call, draft, runtime, total)
    else:
        draft.stats = _rewarded(graded, problems, rewards, call, draft, runtime)
    images = [one.image for one in graders.values() if isinstance(one, ProgramGrader)]
    draft.stats = replace(draft.stats, image=images[0] if images else None)


def _graded(
    samples: Iterable[Row],
    references: Mapping[str, str],
    how: Json,
    score: str,
    open_grader: OpenGrader,
    graders: dict[str, Grader],
) -> Iterator[tuple[Row, float]]:
    """Verdicts of the checkers with their seconds; `graders` gets those that were opened."""
    from tasks.score.score import score_rows

    if CHECKERS_KEY not in how:
        graders[""] = open_grader(how.get("sandbox"), how.get("checker", ""), score)
        return score_rows(samples, references, graders[""])
    checker_of = dict(zip(references, how[CHECKERS_KEY], strict=True))

    def make(checker: str, some: list[Row]) -> Iterable[tuple[Row, float]]:
        graders[checker] = open_named(open_grader, checker, how.get("sandbox"), score)
        return score_rows(some, references, graders[checker])

    rows = list(samples)
    return iter(by_checker(rows, [checker_of[row["problem_id"]] for row in rows], make))


def _rewarded(
    graded: Iterator[tuple[Row, float]],
    problems: dict[str, Row],
    rewards: Rewards,
    call: Call,
    draft: Draft,
    runtime: Runtime,
) -> Stats:
    """Write verdicts with the rewards of the user's own in them."""
    from tasks.score.reward_samples import Failures, reward_samples

    shards = [runtime.store.path(ref) / SAMPLES_FILE for ref in call.inputs.values()]
    others: dict[str, dict[int, str]] = {}
    if rewards.asks_for("samples"):
        for shard in shards:
            for row in read_rows(shard, ["problem_id", "index", "text", "finish"]):
                if row["finish"] != "error":
                    others.setdefault(row["problem_id"], {})[row["index"]] = row["text"]
    failures = Failures(runtime.logs / LOG, runtime.say)
    found = reward_samples(
        graded, read_rows(shards[0]), problems, others, rewards, runtime.functions, failures
    )
    values: list[Row] = []

    def kept() -> Iterator[Rewarded]:
        for one in found:
            row = {name: one.verdict[name] for name in ("problem_id", "index")}
            values.append({**row, "values": one.values})
            yield one

    stats = _write(kept(), call, draft, runtime, call.inputs[SAMPLES].rows)
    if rewards.several:
        write_rows(draft.path / REWARDS_FILE, REWARDS, values)
    if not failures.count:
        return stats
    note = f"failed on {failures.count:,} of {draft.rows:,} samples: {failures.most_common}"
    return replace(stats, failed=failures.count, note=note)


def _write(
    found: Iterator[Rewarded], call: Call, draft: Draft, runtime: Runtime, total: int
) -> Stats:
    """Write verdicts and how long they took."""
    seconds: list[float] = []
    correct = 0

    def verdicts() -> Iterator[Row]:
        nonlocal correct
        for one in found:
            seconds.append(one.seconds)
            if len(seconds) % _TELL_EVERY == 0:
                runtime.progress(call.label, len(seconds), total)
            correct += one.verdict["status"] == "correct"
            yield one.verdict

    draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, verdicts())
    write_rows(draft.path / TIMINGS_FILE, TIMING, ({"seconds": s} for s in seconds))
    draft.volatile = {TIMINGS_FILE}
    return Stats(correct=correct)


def _with_given(
    graded: Iterator[tuple[Row, float]], runtime: Runtime, samples: ArtifactRef
) -> Iterator[tuple[Row, float]]:
    """Verdicts with the rewards that came with imported samples, where they are to be kept."""
    path = runtime.store.path(samples) / SCORES_FILE
    if not path.is_file():
        return graded
    given = (row["score"] for row in read_rows(path))
    return (({**row, "reward": next(given)}, seconds) for row, seconds in graded)
