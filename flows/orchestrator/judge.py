"""A judge as an artifact and with its engine, for whatever asks one: compare, rate, measures."""

from __future__ import annotations

from collections.abc import Callable

from flows.runs.policies import is_source, policy_of, spelled_out
from tasks.dag.step import Call
from tasks.generate.hosted.judge import hosted_judge_call
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.policy.step import base_call
from tasks.settings import HOSTED, ModelSettings, SamplingSettings
from tasks.settings.judge import JudgeSettings
from tasks.store.store import ArtifactRef, Store

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


def named_judge(
    settings: JudgeSettings, store: Store, made: Callable[[Call], ArtifactRef], field: str
) -> ArtifactRef:
    """A judge that may be a policy of a run as well.

    Args:
        settings: Of the judge, its name spelled out.
        store: Where policies of runs lie.
        made: Performs a call, or finds it done.
        field: For messages.

    Raises:
        UserError: there is no such model.
    """
    if settings.hosted:
        return made(hosted_judge_call(settings.hosted))
    if is_source(settings.model):
        return made(base_call(ModelSettings(base=settings.model), field))
    return policy_of(settings.model, store, field)


def spelled_judge(name: str, field: str) -> str:
    """A judge's name that stays true when other runs come.

    Raises:
        UserError: there is no such run, or it made no such policy.
    """
    return name if name.startswith(HOSTED) else spelled_out(name, field)


def judge_engine(
    settings: JudgeSettings, sampling: SamplingSettings, model: ModelSettings
) -> dict[str, object]:
    """Engine and number format that a judge is asked with, as keys have it: those of sampling."""
    if settings.hosted:
        return {"engine": HOSTED_ENGINE}
    told = {"vllm_args": sampling.engine_args} if sampling.engine_args else {}
    return {"engine": sampling.engine, "dtype": model.dtype, **told}
