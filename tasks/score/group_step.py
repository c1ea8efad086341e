"""The step `group`: which samples of a problem gave an equal answer, for the vote."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import GROUP_ANSWERS
from tasks.errors import StepError
from tasks.rows import GROUP, GROUPS_FILE, VERDICTS_FILE, Row, read_rows, write_rows
from tasks.score.group import group_answers, group_texts
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Problems between two words on progress.
_TELL_EVERY = 64

# A problem's id and the extracted answer of each of its samples, by index.
Answers = tuple[str, dict[int, str]]


def group_call(label: str, verdicts: list[ArtifactRef], *, exact: bool = False) -> Call:
    """The call that groups the answers of a set of problems.

    Args:
        verdicts: All shards of verdicts on the set's samples.
        exact: Answers are compared as texts, not as mathematics.
    """
    inputs = {f"verdicts {number}": ref for number, ref in enumerate(verdicts)}
    return Call(group_shards, label, {"exact": True} if exact else {}, inputs)


# Raise the version with every change of the checker that can join or part answers.
@step(GROUP_ANSWERS, "groups", version=3)
def group_shards(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write groups.parquet: a row for each sample, problem by problem, in the order of index."""
    shards = [
        runtime.store.path(call.inputs[f"verdicts {number}"]) / VERDICTS_FILE
        for number in range(len(call.inputs))
    ]
    last = {
        row["problem_id"]: number
        for number, shard in enumerate(shards)
        for row in read_rows(shard, ["problem_id"])
    }

    def problems() -> Iterator[Answers]:
        """Each problem once its last shard is read, so that memory holds one block of them."""
        begun: dict[str, dict[int, str]] = {}
        for number, shard in enumerate(shards):
            for row in read_rows(shard, ["problem_id", "index", "extracted"]):
                answers = begun.setdefault(row["problem_id"], {})
                if row["index"] in answers:
                    raise StepError(f"sample {row['index']} of {row['problem_id']} comes twice")
                answers[row["index"]] = row["extracted"] or ""
            for key in [key for key in begun if last[key] == number]:
                yield key, begun.pop(key)

    asked: deque[Answers] = deque()  # handed to the checker, not yet written
    found = 0

    def answers() -> Iterator[list[str]]:
        for problem in problems():
            asked.append(problem)
            yield [problem[1][index] for index in sorted(problem[1])]

    def made() -> Iterator[list[int]]:
        if call.settings.get("exact"):
            return group_texts(answers())
        return group_answers(answers(), runtime.grader(None, "", "correct"))

    def rows() -> Iterator[Row]:
        nonlocal found
        for done, groups in enumerate(made(), start=1):
            key, samples = asked.popleft()
            indices = sorted(samples)
            found += len({group for group in groups if group >= 0})
            for index, group in zip(indices, groups, strict=True):
                yield {
                    "problem_id": key,
                    "index": index,
                    "group": indices[group] if group >= 0 else group,
                }
            if done % _TELL_EVERY == 0:
                runtime.progress(call.label, done, len(last))

    draft.rows = write_rows(draft.path / GROUPS_FILE, GROUP, rows())
    draft.stats = Stats(note=f"{found:,} different answers to {len(last):,} problems")
