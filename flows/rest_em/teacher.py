"""Who samples in the place of the policy, where somebody does (`sampling.teacher`)."""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from tasks.dag.step import Call
from tasks.generate.hosted.service import hosted_call
from tasks.generate.imported import import_call
from tasks.hub import MAIN
from tasks.policy.step import base_call
from tasks.settings import IMPORTED


def teacher_call(config: RestEmConfig) -> Call | None:
    """The call that brings what samples in the place of the policy; None where the policy does."""
    sampling = config.sampling
    if sampling.hosted_teacher:
        return hosted_call(sampling.hosted_teacher)
    if sampling.teacher.startswith(IMPORTED):
        return import_call(sampling.teacher)
    if sampling.teacher:
        teacher = config.model.model_copy(update={"base": sampling.teacher, "revision": MAIN})
        return base_call(teacher, "sampling.teacher")
    return None
