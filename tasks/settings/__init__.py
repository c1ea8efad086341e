"""The settings of each step, each a section of the one configuration (flows/config/rest_em.py).

Every section but `Resources` is *recipe*: it changes the result, so it is in the cache key.
`Resources` says where and how fast, never what, and is in no key. Defaults are those of the paper
(Singh et al., arXiv 2312.06585) where it states them; where it does not, the description gives
our choice and the reason.
"""

from tasks.settings.evaluation import EvaluationSettings, MeasureSettings
from tasks.settings.execution import ExecutionSettings
from tasks.settings.filter import FilterSettings
from tasks.settings.finetune import FinetuneSettings
from tasks.settings.policy import ModelSettings
from tasks.settings.problems import (
    BenchmarkName,
    ColumnSettings,
    DataSet,
    DataSettings,
    Domain,
    MoreData,
    domain_of,
)
from tasks.settings.resources import Resources
from tasks.settings.sampling import (
    HOSTED,
    IMPORTED,
    NeutralField,
    SamplingSettings,
    TeacherField,
)
from tasks.settings.section import Section

__all__ = [
    "HOSTED",
    "IMPORTED",
    "BenchmarkName",
    "ColumnSettings",
    "DataSet",
    "DataSettings",
    "Domain",
    "EvaluationSettings",
    "ExecutionSettings",
    "FilterSettings",
    "FinetuneSettings",
    "MeasureSettings",
    "ModelSettings",
    "MoreData",
    "NeutralField",
    "Resources",
    "SamplingSettings",
    "Section",
    "TeacherField",
    "domain_of",
]
