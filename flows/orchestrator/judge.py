"""A judge as an artifact and with its engine, for whatever asks one: compare, rate, measures."""

from __future__ import annotations

from tasks.dag.step import Call
from tasks.generate.hosted.judge import hosted_judge_call
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.policy.step import base_call
from tasks.rows import Json
from tasks.settings import ModelSettings, SamplingSettings
from tasks.settings.judge import JudgeSettings

FIELD = "judge.model"


def judge_call(settings: JudgeSettings, model: ModelSettings) -> Call:
    """The call that brings a judge, but for `policy`, which is there.

    Args:
        settings: Of the judge.
        model: Of the policy; the judge is loaded as it is.

    Raises:
        UserError: there is no such model, or, of a hosted one, no address.
    """
    if settings.hosted:
        return hosted_judge_call(settings.hosted)
    named = model.model_copy(update={"base": settings.model, "revision": "main"})
    return base_call(named, FIELD)


def judge_engine(settings: JudgeSettings, sampling: SamplingSettings, model: ModelSettings) -> Json:
    """Engine and number format that a judge is asked with, as keys have it: those of sampling."""
    if settings.hosted:
        return {"engine": HOSTED_ENGINE}
    told = {"vllm_args": sampling.engine_args} if sampling.engine_args else {}
    return {"engine": sampling.engine, "dtype": model.dtype, **told}
