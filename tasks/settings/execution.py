"""Section `execution`: limits of programs in the sandbox, and what counts as worked out in math."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tasks.settings.section import Section


class ExecutionSettings(Section):
    """How the programs of code problems are tested; of math, what is worked out for an answer."""

    LATER: ClassVar[frozenset[str]] = frozenset(
        {
            *("time_factor", "float_error", "any_case", "blank_lines", "language", "image"),
            "handed_back",
        }
    )
    LATEST: ClassVar[frozenset[str]] = LATER

    time_limit: float = Field(
        default=4.0,
        gt=0.0,
        le=600.0,
        description="Seconds of processor time for each test, the limit of the APPS authors' own "
        "scorer; wall time is limited to three times that.",
    )
    memory_mb: int = Field(
        default=512,
        ge=16,
        le=65_536,
        description="Megabytes of memory for each test, beside the interpreter's own. Not in the "
        "paper.",
    )
    time_factor: float = Field(
        default=1.0,
        gt=0.0,
        le=100.0,
        description="What a problem's own time limit is multiplied by, as it is mostly one of a "
        "faster language; time_limit is for problems that have none.",
    )
    float_error: float = Field(
        default=1e-6,
        ge=0.0,
        lt=1.0,
        description="A number is right within this relative or absolute error where the expected "
        "one is written as a float; a problem's own tolerance goes before.",
    )
    any_case: bool = Field(
        default=False, description="Whether a word may be printed in capitals or not (YES for Yes)."
    )
    blank_lines: bool = Field(
        default=True,
        description="Whether lines without a word count; those at the end never do.",
    )
    language: Literal["python", "cpp"] = Field(
        default="python",
        description="What programs are written in: the code block of it is taken from a sample. "
        "`cpp`: C++20, compiled in the sandbox; for problems that read input and print output.",
    )
    image: Literal["standard", "cpp", "contest"] = Field(
        default="standard",
        description="The sandbox's image. `standard`: Python 3.11 and numpy. `cpp`: g++ too. "
        "`contest`: Python 3.13, numpy, scipy, sympy, sortedcontainers, and g++. Made by "
        "`restem sandbox build --image NAME`.",
    )
    handed_back: Literal["wrong", "worked_out"] = Field(
        default="wrong",
        description="Of math: an answer that still has the operation whose result the reference "
        "is, such as a sum for 55. `wrong`: the problem was handed back. `worked_out`: the checker "
        "works it out and compares the values.",
    )

    @model_validator(mode="after")
    def _has_a_compiler(self) -> ExecutionSettings:
        if self.language == "cpp" and self.image == "standard":
            raise ValueError(
                "image: standard has no C++ compiler; expected cpp or contest for language = cpp"
            )
        return self
