"""`read_run`: what is known of a run, for a script or a notebook.

Everything is read from the run's journal and its artifacts, each verified before it is read. No
model is loaded and no server is started; a run that is under way or was ended early can be read as
far as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flows.api.samples import SampleReader, ScoredSample
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.runs.journal import find_run, read_journal
from flows.runs.journal_forms import RunHead, State, StepLine
from flows.runs.policies import of_run, policy_of
from flows.runs.sample_filter import SampleFilter
from flows.runs.status import measured, store_of
from tasks.dag.step_names import DRAW
from tasks.errors import UserError
from tasks.store.store import Store

if TYPE_CHECKING:
    import pandas as pd


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

    def samples(
        self,
        iteration: int | None = None,
        purpose: str = DRAW,
        *,
        status: str = "",
        flipped: str = "",
        problem: str = "",
        text: str = "",
        fate: str = "",
        finish: str = "",
    ) -> Iterator[ScoredSample]:
        """Samples with their problems and verdicts, wrong ones too, one at a time.

        Args:
            iteration: Of the policy that was sampled, 0 for the base; None: all.
            purpose: What was sampled for: "draw" (training), "test" (greedy), "train",
                "validation", "pass@k", or the name of a transfer benchmark.
            status: Of this verdict; "not_correct" and "not_checked" are several; empty: all.
            flipped: "solved": right where the base's sample of the problem is wrong; "lost": the
                reverse. For purposes with one sample a problem.
            problem: Of the problem with this id or, where none has it, with this text.
            text: With this text in them.
            fate: What the selection made of an accepted one of those drawn to train on: "kept"
                (trained on), "unfinished", "duplicate", "outside_band" (of a problem solved too
                rarely or too often) or "over_cap".
            finish: That ended so: "stop", "length" (cut at max_tokens), "refused" or "error".

        Raises:
            UserError: the run has no such samples, or an artifact is gone.
        """
        asked = SampleFilter(purpose, iteration, status, flipped, problem, text, fate, finish)
        return self.reader.samples(asked)

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
        return store_of(self._head)

    @cached_property
    def reader(self) -> SampleReader:
        """Reads the samples."""
        return SampleReader(self._store, self._steps)


def read_run(run_id: str = "latest") -> Run:
    """What is known of a run.

    Args:
        run_id: A run's id or the beginning of it; `latest` is the one that was started last.

    Raises:
        UserError: there is no such run, or several begin so.
    """
    head, steps = read_journal(run_id, "rest-em")
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    return Run(head.run, head.state, head.error, config, head, tuple(steps))


def read_samples(run_id: str, asked: SampleFilter) -> Iterator[ScoredSample]:
    """Samples of a run of the loop or of an evaluation; `latest` is the last run of the loop.

    Raises:
        UserError: there is no such run, it has no such samples, or an artifact is gone.
    """
    return reader_of(*read_journal(run_id, "rest-em" if run_id == "latest" else "")).samples(asked)


def reader_of(head: RunHead, steps: Sequence[StepLine]) -> SampleReader:
    """What reads the samples of a journal's run.

    Raises:
        UserError: it has none of its own, or its configuration is none.
    """
    if head.flow not in ("rest-em", "evaluate"):
        raise UserError(
            f"RUN {head.run}: its flow is {head.flow}; expected a run of the loop or an evaluation"
        )
    return SampleReader(store_of(head), steps)
