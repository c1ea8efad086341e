"""Settings of the problems: which are trained on and which are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from tasks.settings.place import Place
from tasks.settings.section import Section
from tasks.settings.user_function import Choice

DataSet = Literal[
    "file",
    "synthetic_math",
    "gsm8k",
    "svamp",
    "svamp_code",
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
    "synthetic_notes",
]
CODE_SETS = {"synthetic_code", "synthetic_code_shift", "svamp_code", "apps", "humaneval"}
OWN = "file"
# What problems are of, which decides how samples are checked. `hand` is a person's to grade.
Domain = Literal["math", "text", "choice", "code"]
_OTHER_DOMAINS = {"bbh": "text", "hungarian": "hand", "synthetic_notes": "notes"}
# What a model can be evaluated on; flows/config/benchmarks.py says how.
BenchmarkName = Literal[
    "math",
    "math500",
    "gsm8k",
    "svamp",
    "svamp_code",
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
    "synthetic_notes",
]


def domain_of(name: str, own: Domain = "math") -> str:
    """The domain of a data set.

    Args:
        name: The data set.
        own: What the user says of problems of their own.
    """
    if name == OWN:
        return own
    return "code" if name in CODE_SETS else _OTHER_DOMAINS.get(name, "math")


class ColumnSettings(Section):
    """Which column holds what; an empty name: the usual names are looked for."""

    LATER: ClassVar[frozenset[str]] = frozenset(
        {"checker", "time_limit", "memory_limit", "float_error", "in_place"}
    )
    LATEST: ClassVar[frozenset[str]] = LATER

    question: str = Field(default="", description="The text of the problem.")
    reference: str = Field(
        default="", description="The right answer; of a choice its letter, text or number from 0."
    )
    solution: str = Field(default="", description="A worked solution, or a program.")
    tests: str = Field(default="", description="Tests of a program.")
    entry_point: str = Field(default="", description="The function that the tests call.")
    starter_code: str = Field(default="", description="Code that a program has to begin with.")
    checker: str = Field(
        default="",
        description="Of programs: the source of a checker, where several outputs are right.",
    )
    time_limit: str = Field(
        default="", description="Of programs: processor time for each test, in seconds."
    )
    memory_limit: str = Field(
        default="",
        description="Of programs: memory for each test in megabytes, or in bytes where the name "
        "of the column ends in bytes; no more than execution.memory_mb.",
    )
    float_error: str = Field(
        default="", description="Of programs: the error within which a printed float is right."
    )
    in_place: str = Field(
        default="",
        description="Of functions: which argument, from 0, is the result, as the call changes it.",
    )
    options: str = Field(
        default="",
        description="Of a choice: a column with a list of its options, or several columns with "
        "commas between.",
    )
    level: str = Field(default="", description="A level of difficulty.")
    subject: str = Field(default="", description="A subject, such as algebra.")
    id: str = Field(default="", description="A name that no other row has.")
    split: str = Field(default="", description="Whether a row is for train, validation or test.")


class MoreData(Section):
    """One more set of problems to train on."""

    train: DataSet = Field(
        default="file", description="Data set whose training split is used; file: one of your own."
    )
    source: Place = Field(default="", description="Where it is, as data.source.")
    domain: Domain = Field(default="math", description="Of a set of your own: what it is of.")
    weight: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of its training problems that is used, drawn by the seed; 1: all.",
    )
    config: str = Field(default="", description="Configuration on the Hub, as data.config.")
    revision: str = Field(default="", description="Revision on the Hub, as data.revision.")
    train_split: str = Field(default="", description="Name of its split, as data.train_split.")
    columns: ColumnSettings = Field(default_factory=ColumnSettings, title="Columns")

    @model_validator(mode="after")
    def _has_a_source(self) -> MoreData:
        _needs_source("source", self.train, self.source)
        return self


def _needs_source(field: str, name: str, source: str) -> None:
    if name == OWN and not source.strip():
        raise ValueError(f"{field}: expected a file, a folder or a Hub id, as the set is {OWN}")


TRAIN = Choice("data.train", "loader", get_args(DataSet))
TEST = Choice("data.test", "loader", (*get_args(DataSet), "same"))


class DataSettings(Section):
    """Which problems are trained on and which are tested on."""

    LATER: ClassVar[frozenset[str]] = frozenset(
        {
            *("domain", "config", "revision", "train_split", "validation_split", "test_split"),
            *("test_share", "repeated", "columns", "more", "max_tests"),
        }
    )
    LATEST: ClassVar[frozenset[str]] = LATER
    CHOICES: ClassVar[Mapping[str, Choice]] = {"train": TRAIN, "test": TEST}

    train: Annotated[str, TRAIN.validator()] = Field(
        default="synthetic_math",
        examples=[*TRAIN.names, "path/to/problems.py:load"],
        description=f"Data set whose training split is used: {', '.join(TRAIN.names)}; `file`: "
        "problems of your own, in `source`. Or a loader of your own: path/to/file.py:function, "
        "package.module:function, or an installed name (group restem.problems).",
    )
    test: Annotated[str, TEST.validator()] = Field(
        default="same",
        examples=[*TEST.names, "path/to/problems.py:load"],
        description="Data set whose test split is used, named as for `train`; `same` is that of "
        "training.",
    )
    source: Place = Field(
        default="",
        description="Where the training data set is: a folder, a JSON-lines file (of problems of "
        "your own also JSON, CSV or Parquet), or a Hub id (org/name or org/name@REVISION). "
        "Empty: RESTEM_DATA if that is set, else the data set's own Hub id.",
    )
    test_source: Place = Field(default="", description="The same for the test data set.")
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
    domain: Domain = Field(
        default="math",
        description="Of problems of your own, what they are of: math (answers are compared as "
        "mathematics), text (to the letter), choice (the letter of an option) or code (tests).",
    )
    columns: ColumnSettings = Field(
        default_factory=ColumnSettings, title="Columns (problems of your own)"
    )
    config: str = Field(
        default="",
        description="Of problems of your own on the Hub: the configuration; empty: the only one.",
    )
    revision: str = Field(
        default="",
        description="Of problems of your own on the Hub: a branch, tag or commit of `source`, and "
        "of a `test_source` that names none.",
    )
    train_split: str = Field(
        default="",
        description="Of problems of your own: the name of the training split, in the split column, "
        "in file names or on the Hub; empty: train.",
    )
    validation_split: str = Field(
        default="", description="The same for validation; empty: validation, valid, val or dev."
    )
    test_split: str = Field(default="", description="The same for test; empty: test or eval.")
    test_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Of problems of your own without a test split: the share that is held out as "
        "one, drawn by the seed.",
    )
    repeated: Literal["refuse", "first"] = Field(
        default="refuse",
        description="Of problems of your own, where a question comes twice: refuse the data, or "
        "use the first row and count the others as left out (of test and train, the test's).",
    )
    max_tests: int = Field(
        default=0,
        ge=0,
        description="Of problems of code: so many tests of each are kept, the longest; 0: all.",
    )
    more: list[MoreData] = Field(
        default=[],
        max_length=20,
        description="More sets to train on, each with its own domain. Their test splits are not "
        "used.",
    )

    @model_validator(mode="after")
    def _own_problems_have_a_place(self) -> DataSettings:
        _needs_source("source", self.train, self.source)
        if self.test == OWN and self.train != OWN:
            _needs_source("test_source", self.test, self.test_source)
        if OWN not in (self.train, self.test):
            for name in sorted(self.LATER - {"more", "max_tests"}):
                if not self.is_default(name):
                    raise ValueError(
                        f"{name}: it is for problems of your own; expected data.train = {OWN}, or "
                        f"no {name}"
                    )
        named = self.train in TRAIN.names and self.test in TEST.names
        if self.max_tests and named and "code" not in self.domains:
            raise ValueError("max_tests: it is for problems of code; expected 0")
        return self

    @property
    def test_name(self) -> str:
        """The data set that the test problems are of."""
        return self.train if self.test == "same" else self.test

    @property
    def train_domains(self) -> set[str]:
        """The domains of the training problems."""
        own = {domain_of(self.train, self.domain)}
        return own | {domain_of(one.train, one.domain) for one in self.more}

    @property
    def domains(self) -> set[str]:
        """The domains of all problems."""
        return self.train_domains | {domain_of(self.test_name, self.domain)}

    @property
    def places(self) -> list[tuple[str, str]]:
        """Every field that may name a file or a folder, and what it names."""
        more = [(f"data.more.{n}.source", one.source) for n, one in enumerate(self.more)]
        return [("data.source", self.source), ("data.test_source", self.test_source), *more]
