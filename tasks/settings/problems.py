"""Settings of the problems: which are trained on and which are tested on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.section import Section

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


class DataSettings(Section):
    """Which problems are trained on and which are tested on."""

    train: DataSet = Field(
        default="synthetic_math", description="Data set whose training split is used."
    )
    # One list of choices: a union shows as two unnamed forms in the UI.
    test: Literal[DataSet, "same"] = Field(
        default="same", description="Data set whose test split is used; `same` is that of training."
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
