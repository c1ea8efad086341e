"""Gives every sample of a shard a verdict: the reward of the E-step (section 3 of the paper).

Verdicts come in the order of the samples. A text that a problem has twice in a shard is graded
once. Time is handed back beside the verdict, never in it, because it differs from run to run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from tasks.dag.contracts import Grade, Grader, Timed
from tasks.errors import StepError
from tasks.rows import Row, Status, answer_of

Key = tuple[str, str]
# Stands for the text that an engine did not give; no text has a lone surrogate first.
_NO_SAMPLE = "\udfff"
# Finish of a sample -> its status, where there is nothing to grade.
_NOT_GRADED = {"error": Status.ENGINE_ERROR, "refused": Status.NO_ANSWER}


def score_rows(
    samples: Iterable[Row],
    reference_of: Mapping[str, str],
    pool: Grader,
) -> Iterator[tuple[Row, float]]:
    """Yield (verdict row, seconds) for each sample, in order.

    Args:
        samples: Sample rows; `problem_id`, `index` and `text` are read.
        reference_of: Problem id → reference answer.
        pool: The checker.

    Raises:
        StepError: a sample's problem has no reference.
    """
    graded: dict[Key, Timed] = {}
    seen: set[Key] = set()
    asked: deque[Key] = deque()
    waiting: deque[tuple[Row, Key]] = deque()

    def pairs() -> Iterator[tuple[str, str]]:
        for sample in samples:
            if (status := _NOT_GRADED.get(sample.get("finish", ""))) is not None:
                key = (sample["problem_id"], f"{_NO_SAMPLE} {status}")
                graded.setdefault(key, (Grade(0.0, status, ""), 0.0))
                waiting.append((sample, key))
                continue
            key = (sample["problem_id"], answer_of(sample))
            waiting.append((sample, key))
            if key not in seen:
                seen.add(key)
                if key[0] not in reference_of:
                    raise StepError(f"problem {key[0]!r} of a sample has no reference answer")
                asked.append(key)
                yield reference_of[key[0]], key[1]

    for grade, seconds in pool.grade(pairs()):
        key = asked.popleft()
        graded[key] = (grade, seconds)
        while waiting and waiting[0][1] in graded:
            yield _verdict(*waiting.popleft(), graded)
    while waiting:
        yield _verdict(*waiting.popleft(), graded)


def _verdict(sample: Row, key: Key, graded: dict[Key, Timed]) -> tuple[Row, float]:
    grade, seconds = graded[key]
    graded[key] = (grade, 0.0)  # a repeated text cost nothing
    row = {
        "problem_id": sample["problem_id"],
        "index": sample["index"],
        "reward": grade.reward,
        "status": grade.status.value,
        "extracted": grade.extracted,
        "first_failure": grade.first_failure,
    }
    return row, seconds
