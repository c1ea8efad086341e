"""`read_run`: what is known of a run, for a script or a notebook.

Everything is read from the run's journal and its artifacts, each verified before it is read. No
model is loaded and no server is started; a run that is under way or was ended early can be read as
far as it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.runs.journal import find_run, read_journal
from flows.runs.journal_forms import RunHead, State, StepLine
from flows.runs.policies import of_run, policy_of
from flows.runs.status import measured, need_artifact
from tasks.dag.runtime import open_store
from tasks.dag.shard_inputs import ScoredShard
from tasks.dag.step_names import DRAW, SCORE, line_name
from tasks.errors import UserError
from tasks.problems.step import load_splits
from tasks.rows import Row, Status, answer_of
from tasks.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

_PROBLEMS = "problems"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem as the run has it.

    Attributes:
        reference: The gold answer, or the tests of a program as JSON.
        split: train, validation or test.
    """

    id: str
    question: str
    reference: str
    level: str
    subject: str
    split: str


@dataclass(frozen=True, kw_only=True)
class ScoredSample:
    """A sample of a policy and the verdict on it.

    Attributes:
        iteration: The policy p_iteration that it was drawn from; 0 is the base.
        index: Among the samples of its problem, from 0.
        seed: That it alone was drawn with.
        answer: What was checked: the text, of a chat model without its thoughts.
        tokens: Their number, the one that ended it included.
        finish: "stop", "length" (cut at max_tokens), or "error" where the engine gave none.
        reward: In [0, 1].
        status: Why it got that reward.
        extracted: The answer that the checker found in the text.
    """

    iteration: int
    problem: Problem
    index: int
    seed: int
    text: str
    answer: str
    tokens: int
    finish: str
    reward: float
    status: Status
    extracted: str


@dataclass(frozen=True)
class Run:
    """A run as it was when it was read; `read_run` gives one.

    Attributes:
        id: Its name and a hash of its recipe.
        state: "completed", "running", "failed", "interrupted" or "awaits review".
        error: Why it failed; empty where it did not.
        config: Its configuration.
    """

    id: str
    state: State
    error: str
    config: RestEmConfig
    _head: RunHead
    _steps: tuple[StepLine, ...]

    @property
    def report(self) -> Path | None:
        """The report's page; None until the run has come to its end."""
        page = find_run(self.id) / "report.html"
        return page if page.is_file() else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results must know."""
        return self._head.warnings

    def metrics(self) -> pd.DataFrame:
        """All metrics of all policies that were evaluated, one row each.

        Columns: iteration (0 is the base), metric (greedy, train, validation, gap, pass@K, maj@M),
        value, low and high (its interval), problems (that it rests on). Shares are in [0, 1].

        Raises:
            UserError: an artifact is gone.
        """
        import pandas as pd

        found = measured(self._store, list(self._steps))
        rows = [
            (number, name, one.value, one.low, one.high, one.problems)
            for number, metrics in found.items()
            for name, one in metrics.metrics.items()
        ]
        names = ("iteration", "metric", "value", "low", "high", "problems")
        return pd.DataFrame(rows, columns=pd.Index(names))

    def samples(self, iteration: int | None = None, purpose: str = DRAW) -> Iterator[ScoredSample]:
        """Every sample with its problem and its verdict, wrong ones too, one at a time.

        Args:
            iteration: Of the policy that was sampled, 0 for the base; None: all.
            purpose: What was sampled for: "draw" (training), "test" (greedy), "train",
                "validation", "pass@k", or the name of a transfer benchmark.

        Raises:
            UserError: the run has no such samples, or an artifact is gone.
        """
        wanted = line_name(SCORE, purpose)
        scored = [line for line in self._steps if line.step.startswith(f"{SCORE} ")]
        lines = [line for line in scored if line.step == wanted]
        if not lines:
            known = ", ".join(sorted({line.step.removeprefix(f"{SCORE} ") for line in scored}))
            raise UserError(f"purpose: {purpose}: expected one of {known or 'none yet'}")
        if iteration is not None:
            lines = [line for line in lines if line.iteration == iteration]
        if not lines:
            raise UserError(f"iteration: {iteration}: nothing was sampled for {purpose} there")
        return self._read(lines)

    def policy(self, iteration: int | None = None) -> Path:
        """The folder of a policy, as `AutoModelForCausalLM.from_pretrained` takes it.

        Change nothing in it: it is the artifact itself, or a copy that later runs read too.

        Args:
            iteration: 0 is the base; None: the last.

        Raises:
            UserError: the run made no such policy, or it is gone.
        """
        name = of_run(self.id if iteration is None else f"{self.id}:{iteration}")
        return self._store.path(policy_of(name, self._store, "RUN"))

    @cached_property
    def _store(self) -> Store:
        return open_store(self.config.resources)

    @cached_property
    def _problems(self) -> dict[str, Problem]:
        """By id; those of transfer benchmarks too."""
        found: dict[str, Problem] = {}
        for line in self._steps:
            if line.artifact.startswith(f"{_PROBLEMS}/"):
                ref = need_artifact(self._store, line.artifact)
                for rows in load_splits(self._store.path(ref)).values():
                    found |= {row["id"]: _problem(row) for row in rows}
        return found

    def _read(self, lines: list[StepLine]) -> Iterator[ScoredSample]:
        for line in lines:
            verdicts = need_artifact(self._store, line.artifact)
            made = self._store.manifest(verdicts).provenance.inputs["samples"]
            samples = need_artifact(self._store, made.location)
            for row in ScoredShard(samples, verdicts).rows(self._store):
                yield ScoredSample(
                    iteration=line.iteration,
                    problem=self._problems[row["problem_id"]],
                    answer=answer_of(row),
                    status=Status(row["status"]),
                    **{name: row[name] for name in _OF_ROW},
                )


_OF_ROW = ("index", "seed", "text", "tokens", "finish", "reward", "extracted")


def read_run(run_id: str = "latest") -> Run:
    """What is known of a run.

    Args:
        run_id: A run's id or the beginning of it; `latest` is the one that was started last.

    Raises:
        UserError: there is no such run, or several begin so.
    """
    head, steps = read_journal(run_id, "rest-em")
    if head.flow != "rest-em":
        raise UserError(f"RUN {head.run}: its flow is {head.flow}; expected a run of the loop")
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    return Run(head.run, head.state, head.error, config, head, tuple(steps))


def _problem(row: Row) -> Problem:
    return Problem(**{name: row[name] for name in Problem.__dataclass_fields__})
