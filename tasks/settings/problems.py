"""Settings of the problems: which are trained on and which are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from tasks.settings.section import Section
from tasks.settings.user_function import Choice

DataSet = Literal[
    "synthetic_math",
    "gsm8k",
    "svamp",
    "math",
    "math500",
    "synthetic_code",
    "apps",
    "humaneval",
    "bbh",
    "hungarian",
    "synthetic_math_shift",
    "synthetic_sums",
    "synthetic_code_shift",
]
CODE_SETS = {"synthetic_code", "synthetic_code_shift", "apps", "humaneval"}
# What a model can be evaluated on; flows/config/benchmarks.py says how.
BenchmarkName = Literal[
    "math",
    "math500",
    "gsm8k",
    "svamp",
    "humaneval",
    "apps",
    "bbh-cot",
    "bbh-direct",
    "hungarian",
    "synthetic_math",
    "synthetic_code",
    "synthetic_math_shift",
    "synthetic_sums",
    "synthetic_code_shift",
]


TRAIN = Choice("data.train", "loader", get_args(DataSet))
TEST = Choice("data.test", "loader", (*get_args(DataSet), "same"))


class DataSettings(Section):
    """Which problems are trained on and which are tested on."""

    CHOICES: ClassVar[Mapping[str, Choice]] = {"train": TRAIN, "test": TEST}

    train: Annotated[str, TRAIN.validator()] = Field(
        default="synthetic_math",
        examples=[*TRAIN.names, "path/to/problems.py:load"],
        description=f"Data set whose training split is used: {', '.join(TRAIN.names)}. Or a loader "
        "of your own: path/to/file.py:function, package.module:function, or an installed name "
        "(group restem.problems).",
    )
    test: Annotated[str, TEST.validator()] = Field(
        default="same",
        examples=[*TEST.names, "path/to/problems.py:load"],
        description="Data set whose test split is used, named as for `train`; `same` is that of "
        "training.",
    )
    source: str = Field(
        default="",
        description="Where the training data set is: a folder, a JSON-lines file, or a Hub id. "
        "Empty: RESTEM_DATA if that is set, else the data set's own Hub id.",
    )
    test_source: str = Field(default="", description="The same for the test data set.")
    train_limit: int = Field(
        default=0,
        ge=0,
        description="Use the first so many training problems after a seeded shuffle; 0: all.",
    )
    test_limit: int = Field(default=0, ge=0, description="The same for the test problems; 0: all.")
    validation: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="Problems held out of the training split; their reward decides when "
        "fine-tuning stops. The paper uses a validation split of unstated size.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="Seed of the shuffle that picks limits and validation.",
    )
    level: int = Field(
        default=0,
        ge=0,
        le=5,
        description="Keep only problems of this difficulty level (MATH, synthetic); 0: all.",
    )
    difficulty: Literal["introductory", "interview", "competition", "all"] = Field(
        default="introductory",
        description="Keep only APPS problems of this difficulty (paper: introductory).",
    )
