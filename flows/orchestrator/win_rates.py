"""Win rates of one policy over another on the same problems, as steps.

    samples of both -> compare answers (where a judge is asked) -> win rates

The checker says who wins where no person grades; a judge, where there is one, says it besides. It
is asked about each block of problems by itself, so that a killed run asks little again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Shards
from tasks.compare.answers import compare_answers_call
from tasks.dag.step_names import COMPARE_ANSWERS, WIN_RATES
from tasks.evaluate.win_rate_step import win_rates_call
from tasks.settings import MeasureSettings
from tasks.settings.judge import JudgeSettings
from tasks.store.store import ArtifactRef


@dataclass(frozen=True)
class AskedJudge:
    """A model that says whose answer is better.

    Attributes:
        model: It.
        settings: How it is asked.
        engine: Its engine and dtype, as keys have them.
    """

    model: ArtifactRef
    settings: JudgeSettings
    engine: Mapping[str, object]


class WinRater:
    """Measures win rates on the test problems of one sampler."""

    def __init__(
        self,
        caller: Caller,
        sampler: Sampler,
        problems: ArtifactRef,
        measure: MeasureSettings,
        judge: AskedJudge | None,
    ) -> None:
        """Nothing is asked yet; `measure` says how intervals are made."""
        self._caller, self._sampler, self._problems = caller, sampler, problems
        self._measure, self._judge = measure, judge

    def rate(
        self, number: int, first: Shards, other: Shards, name: str = "", limit: int = 0
    ) -> ArtifactRef:
        """The win rates of one policy's answers over those of another.

        Args:
            number: Of the policy, for labels and tables.
            first: Its samples of test problems, with verdicts.
            other: Samples of the policy that it is compared with, of the same blocks.
            name: Of the benchmark, for labels and tables.
            limit: Problems that were sampled; 0: all.
        """
        of = f" {name}" if name else ""
        preferences: list[ArtifactRef] = []
        if self._judge is not None:
            blocks = self._sampler.blocks("test", limit)
            each = max(1, len(first.samples) // max(1, len(blocks)))
            for place, pair in enumerate(zip(first.samples, other.samples, strict=True)):
                block, part = blocks[place // each], place % each
                call = compare_answers_call(
                    f"{COMPARE_ANSWERS}{of} p{number} [{block.start}:{block.stop}]"
                    + (f" part {part}" if each > 1 else ""),
                    self._judge.settings,
                    *pair,
                    references=block.digest,
                    problems=self._problems,
                    hints=block.to_json(),
                    judge=self._judge.model,
                    engine=self._judge.engine,
                )
                preferences.append(self._caller.call(call, number, f"{COMPARE_ANSWERS}{of}"))
        call = win_rates_call(
            f"{WIN_RATES}{of} p{number}",
            self._measure,
            (first.samples, first.verdicts),
            (other.samples, other.verdicts),
            preferences,
        )
        return self._caller.call(call, number, f"{WIN_RATES}{of}")
