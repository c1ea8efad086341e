"""What each field of a flow's parameters may name in a run from the API.

One table: field -> rule. A test walks the parameters of every deployed flow and fails for a field
that takes a text and stands not here, so whoever adds one decides what it may reach. Fields that
take numbers, or names of ours alone, can reach nothing.
"""

from __future__ import annotations

from enum import Enum


class Rule(Enum):
    """What a field may name."""

    PLACE = "a file or folder in an allowed place"
    STORE = "an allowed place that is no part of the station's own"
    DATA = "a Hub id, or an allowed place"
    MODEL = "a shipped model, a Hub id, a listed package, or an allowed place"
    POLICY = "a run of this home, or as MODEL"
    TEACHER = "as MODEL, an import of this home, or a hosted model at a listed address"
    TEMPLATE = "a shipped name, or an allowed place"
    FUNCTION = "a name of ours, a listed function, or a file in an allowed place"
    ADDRESS = "an address of RESTEM_ADDRESSES"
    WORD = "letters, digits, dots and hyphens"
    HUB_NAME = "a branch, split or configuration of a Hub id"
    TEXT = "words that are compared, shown, or sent to the model alone"
    VLLM = "an argument of vLLM that names no file and no code"
    CHANGES = "what it changes is checked as if it stood there"


FIELDS: dict[str, Rule] = {
    "RestEmConfig.name": Rule.WORD,
    "DataSettings.train": Rule.FUNCTION,
    "DataSettings.test": Rule.FUNCTION,
    "DataSettings.source": Rule.DATA,
    "DataSettings.test_source": Rule.DATA,
    "DataSettings.config": Rule.HUB_NAME,
    "DataSettings.revision": Rule.HUB_NAME,
    "DataSettings.train_split": Rule.HUB_NAME,
    "DataSettings.validation_split": Rule.HUB_NAME,
    "DataSettings.test_split": Rule.HUB_NAME,
    "MoreData.source": Rule.DATA,
    "MoreData.config": Rule.HUB_NAME,
    "MoreData.revision": Rule.HUB_NAME,
    "MoreData.train_split": Rule.HUB_NAME,
    "ColumnSettings.question": Rule.TEXT,
    "ColumnSettings.reference": Rule.TEXT,
    "ColumnSettings.solution": Rule.TEXT,
    "ColumnSettings.tests": Rule.TEXT,
    "ColumnSettings.entry_point": Rule.TEXT,
    "ColumnSettings.starter_code": Rule.TEXT,
    "ColumnSettings.checker": Rule.TEXT,
    "ColumnSettings.time_limit": Rule.TEXT,
    "ColumnSettings.memory_limit": Rule.TEXT,
    "ColumnSettings.float_error": Rule.TEXT,
    "ColumnSettings.in_place": Rule.TEXT,
    "ColumnSettings.options": Rule.TEXT,
    "ColumnSettings.level": Rule.TEXT,
    "ColumnSettings.subject": Rule.TEXT,
    "ColumnSettings.id": Rule.TEXT,
    "ColumnSettings.split": Rule.TEXT,
    "JudgeSettings.reference": Rule.TEMPLATE,
    "ModelSettings.base": Rule.MODEL,
    "ModelSettings.revision": Rule.HUB_NAME,
    "ModelSettings.prompt": Rule.TEMPLATE,
    "ModelSettings.system": Rule.TEXT,
    "SamplingSettings.teacher": Rule.TEACHER,
    "SamplingSettings.teacher_system": Rule.TEXT,
    "SamplingSettings.vllm_args": Rule.VLLM,
    "FilterSettings.score": Rule.FUNCTION,
    "FilterSettings.select": Rule.FUNCTION,
    "WeightedReward.reward": Rule.FUNCTION,
    "JudgeSettings.model": Rule.TEACHER,
    "JudgeSettings.prompt": Rule.TEMPLATE,
    "JudgeSettings.source": Rule.DATA,
    "JudgeSettings.config": Rule.HUB_NAME,
    "JudgeSettings.split": Rule.HUB_NAME,
    "PairColumns.question": Rule.TEXT,
    "PairColumns.chosen": Rule.TEXT,
    "PairColumns.rejected": Rule.TEXT,
    "PairColumns.first": Rule.TEXT,
    "PairColumns.second": Rule.TEXT,
    "PairColumns.better": Rule.TEXT,
    "PairColumns.strength": Rule.TEXT,
    "PairColumns.p": Rule.TEXT,
    # Numbers, switches and words of a list of ours.
    "FinetuneSettings.trainer_args": Rule.TEXT,
    "EvaluationSettings.transfer_sources": Rule.DATA,
    "Resources.store": Rule.STORE,
    "Resources.endpoints": Rule.ADDRESS,
    "Resources.ray_address": Rule.ADDRESS,
    "Resources.vllm_args": Rule.VLLM,
    # One that the operator made known to the Docker engine.
    "Resources.sandbox_runtime": Rule.WORD,
    "EvaluateConfig.name": Rule.WORD,
    "EvaluateConfig.model": Rule.POLICY,
    "EvaluateConfig.against": Rule.POLICY,
    "EvaluateConfig.vllm_args": Rule.VLLM,
    "EvaluateConfig.prompts": Rule.TEMPLATE,
    "EvaluateConfig.sources": Rule.DATA,
    "EvaluateConfig.grades": Rule.PLACE,
    "WinRateJudge.model": Rule.TEACHER,
    "WinRateJudge.prompt": Rule.TEMPLATE,
    "StudyConfig.study": Rule.WORD,
    "StudyConfig.math": Rule.TEMPLATE,
    "StudyConfig.code": Rule.TEMPLATE,
    "StudyConfig.notes": Rule.TEMPLATE,
    "StudyConfig.changes": Rule.CHANGES,
    "StudyConfig.student": Rule.MODEL,
    "Review.note": Rule.TEXT,
}
