"""Asks rewards of the user's own about samples, many at a time, and notes what fails."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from tasks.dag.contracts import OpenFunction
from tasks.errors import StepError
from tasks.processes.functions import Answer
from tasks.rows import Row, Status
from tasks.score.rewards import Rewards

# Samples asked about ahead, so that order is kept and memory is bounded.
_WINDOW = 64
# Tracebacks of a shard in the log, each of at most TRACE_CHARS; the others are counted.
MOST_TRACES = 5


@dataclass(frozen=True)
class Rewarded:
    """A sample's verdict with the reward in it.

    Attributes:
        seconds: That the checker took.
        values: Of each reward; None: it failed, or there was no sample.
    """

    verdict: Row
    seconds: float
    values: tuple[float | None, ...]


@dataclass
class Failures:
    """The samples of a shard on which a function failed; the first ones in full in the log.

    Attributes:
        say: Told of the first one of a run.
    """

    log: Path
    say: Callable[[str], None]
    count: int = 0
    said: Counter[str] = field(default_factory=Counter[str])

    def add(self, verdict: Row, name: str, answer: Answer) -> None:
        """Note one failed call."""
        self.said[f"{name}: {answer.error}"] += 1
        if self.said.total() > MOST_TRACES:
            return
        text = f"{name}: {verdict['problem_id']}, sample {verdict['index']}: {answer.error}"
        if not self.log.exists():
            self.say(f"{text}; such a sample is a checker error (log: {self.log})")
            self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n{answer.trace}")

    @property
    def most_common(self) -> str:
        """The most common one in a line."""
        ((first, _),) = self.said.most_common(1)
        return first


def reward_samples(
    verdicts: Iterable[tuple[Row, float]],
    samples: Iterable[Row],
    problems: Mapping[str, Row],
    others: Mapping[str, Mapping[int, str]],
    rewards: Rewards,
    open_function: OpenFunction,
    failures: Failures,
) -> Iterator[Rewarded]:
    """Give each sample its reward, in order.

    Args:
        verdicts: The checker's, with the seconds that they took.
        samples: Their samples, in the same order.
        problems: By id.
        others: Texts of all samples of a problem by index, where a reward asks for them.
        rewards: What to ask.
        open_function: Gives the processes of a function.
        failures: Is told of each.
    """
    pools = [
        open_function(part.function, rewards.seconds) if part.function else None
        for part in rewards.parts
    ]
    waiting: deque[tuple[Row, float, list[Future[Answer] | float] | None]] = deque()
    for (verdict, seconds), sample in zip(verdicts, samples, strict=True):
        asked: list[Future[Answer] | float] | None = None
        if verdict["status"] != Status.ENGINE_ERROR:
            given = _arguments(verdict, sample, problems, others)
            asked = []
            for part, pool in zip(rewards.parts, pools, strict=True):
                if pool is None or part.function is None:
                    own = verdict["status"] == Status.CORRECT
                    asked.append(float(own) if part.name == "correct" else verdict["reward"])
                else:
                    asked.append(
                        pool.submit({name: given[name] for name in part.function.arguments})
                    )
        waiting.append((verdict, seconds, asked))
        while len(waiting) >= _WINDOW or (waiting and _ready(waiting[0][2])):
            yield _rewarded(*waiting.popleft(), rewards, failures)
    while waiting:
        yield _rewarded(*waiting.popleft(), rewards, failures)


def _arguments(
    verdict: Row,
    sample: Row,
    problems: Mapping[str, Row],
    others: Mapping[str, Mapping[int, str]],
) -> dict[str, object]:
    """All that a reward may ask for (tasks/settings/user_function.py), as JSON."""
    own = (sample["problem_id"], sample["index"])
    if own != (verdict["problem_id"], verdict["index"]):
        raise StepError(f"the verdict on sample {own[1]} of {own[0]} is of another one")
    problem = problems[own[0]]
    texts = others.get(own[0], {})
    return {
        "question": problem["question"],
        "reference": problem["reference"],
        "completion": sample["text"],
        "grade": {
            name: verdict[name] for name in ("reward", "status", "extracted", "first_failure")
        },
        "samples": [texts[index] for index in sorted(texts) if index != own[1]],
        "problem": {name: problem[name] or "" for name in ("id", "level", "subject")},
        "tokens": sample["tokens"],
        "finish": sample["finish"],
    }


def _ready(asked: list[Future[Answer] | float] | None) -> bool:
    return all(one.done() for one in asked or () if isinstance(one, Future))


def _rewarded(
    verdict: Row,
    seconds: float,
    asked: list[Future[Answer] | float] | None,
    rewards: Rewards,
    failures: Failures,
) -> Rewarded:
    if asked is None:
        return Rewarded(verdict, seconds, (None,) * len(rewards.parts))
    values: list[float | None] = []
    for part, one in zip(rewards.parts, asked, strict=True):
        answer = one.result() if isinstance(one, Future) else Answer(one)
        if answer.error:
            failures.add(verdict, part.name, answer)
        values.append(None if answer.error else answer.value)
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        failures.count += 1
        failed = {"reward": 0.0, "status": Status.CHECKER_ERROR.value}
        return Rewarded({**verdict, **failed}, seconds, tuple(values))
    verdict = {**verdict, "reward": rewards.combined(known)}
    return Rewarded(verdict, seconds, tuple(values))
