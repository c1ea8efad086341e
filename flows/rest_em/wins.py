"""How often each policy's answer is preferred to the base's, in a run by preferences.

On the test problems, greedy. It comes last in a run, for then the judge is loaded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.win_rates import AskedJudge, WinRater
from flows.rest_em.rated import Rewarder

if TYPE_CHECKING:
    from flows.rest_em.iterations import LoopResult


def over_the_base(
    config: RestEmConfig,
    caller: Caller,
    sampler: Sampler,
    rewarder: Rewarder,
    result: LoopResult,
) -> None:
    """Measure the win rates of all policies but the base; nothing in a run without preferences.

    Args:
        config: Of the run.
        caller: Calls the steps.
        sampler: Of its problems.
        rewarder: Knows its judge.
        result: The policies; gets the win rates.
    """
    base, *policies = result.iterations
    if not policies or not (config.has_preferences or sampler.domain("test") == "notes"):
        return
    judge = rewarder.win_rate_judge(base.policy)
    asked = AskedJudge(judge, config.judge, rewarder.engine) if judge else None
    rater = WinRater(caller, sampler, result.problems, config.evaluation, asked)
    for now in policies:
        now.win_rates = rater.rate(now.number, now.greedy, base.greedy)
    if judge:
        caller.end_stage()
