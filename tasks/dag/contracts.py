"""What steps ask of the services that flows wire up: an engine that samples, a grader that grades.

The classes that do it lie in rooms above (tasks/generate, tasks/score) and satisfy these by shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from tasks.decoding.request import Completions, SampleProgress, Sampling, Weights
from tasks.decoding.tokens import Prompt
from tasks.processes.functions import FunctionPool
from tasks.rows import Json, Status
from tasks.settings.sampling import TeacherField
from tasks.settings.user_function import UserFunction
from tasks.settings.vllm_args import VllmArgs
from tasks.store.manifest import ArtifactRef


class Engine(Protocol):
    """Samples completions from one model."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
    ) -> Completions:
        """Sample one completion for each (index into prompts, seed), in that order.

        A prompt is a text, to which the tokenizer's special tokens are added, or its tokens.

        Raises:
            UserError: the prompts or settings do not fit the model.
            StepError: the engine failed; the message names its log.
        """
        ...

    def choose(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> Weights:
        """Log-probabilities of each of `choices` after each prompt, in the order of both.

        All engines give them to within 1e-3 in float32. Where an engine says nothing but the
        likeliest next tokens (hosted models, plain servers), a choice that is not among them has
        the most that it can have: tasks/generate/top_tokens.py.

        Raises:
            UserError: no prompt fits the model, or the choices do not; or the engine gives none.
            StepError: the engine failed; the message names its log.
        """
        ...

    def close(self) -> None:
        """End the engine's processes."""
        ...


@dataclass(frozen=True)
class Grade:
    """The verdict on one prediction."""

    reward: float  # 1.0 or 0.0; of a program, where that is asked for, the share of tests passed
    status: Status
    extracted: str  # the answer as it was found in the prediction
    first_failure: int = -1  # of a program: the first test that failed


# A grade and the seconds that it took.
Timed = tuple[Grade, float]


class Grader(Protocol):
    """Grades (reference, text) pairs in order: math answers or programs."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took."""
        ...


@runtime_checkable
class ProgramGrader(Grader, Protocol):
    """A grader that runs programs in a sandbox."""

    image: str  # Docker's id of the sandbox's image


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is opened with, out of the settings of a call.

    Attributes:
        engine: transformers, vllm, or that of hosted models.
        dtype: Number format; "" of a hosted model.
        vllm_args: What vLLM is told besides, by its names.
        fields: What a hosted model's service takes beside the fields of the protocol.
        named_by: Field of the configuration that names a hosted model; "": the one of teachers.
    """

    engine: str
    dtype: str = ""
    vllm_args: VllmArgs = field(default_factory=dict[str, JsonValue])
    fields: tuple[TeacherField, ...] = ()
    named_by: str = ""

    @classmethod
    def of(cls, settings: Json, named_by: str = "") -> EngineSettings:
        """Those of a call that asks an engine."""
        return cls(
            settings["engine"],
            settings.get("dtype", ""),
            settings.get("vllm_args", {}),
            tuple(settings.get("fields", ())),
            named_by,
        )


class OpenEngine(Protocol):
    """Gives the engine of a model, started at the first call."""

    def __call__(self, model: ArtifactRef, settings: EngineSettings, /) -> Engine:
        """Open it."""
        ...


# The checker of math where an answer may have operations that are still to be worked out.
WORKED_OUT = "worked_out"


class OpenGrader(Protocol):
    """Gives what grades, started at the first call."""

    def __call__(self, sandbox: dict[str, object] | None, checker: str, score: str, /) -> Grader:
        """Open it.

        Args:
            sandbox: Programs are run in a sandbox of these settings; None: they are no programs.
            checker: Without a sandbox: `exact` (text), `choice`, `notes`, `hand` (nothing is
                graded), "" (math) or `worked_out` (math, sums and integrals worked out too).
            score: The reward, as FilterSettings.score.
        """
        ...


# Prompt, sample, and the sample's tokens where they are known.
Rated = tuple[str, str, Sequence[int] | None]


class Rater(Protocol):
    """A reward model at work."""

    def rewards(self, texts: Sequence[Rated]) -> list[float]:
        """The reward of each sample, in order; any real numbers."""
        ...


class OpenRater(Protocol):
    """Gives a reward model at work, started at the first call."""

    def __call__(self, model: ArtifactRef, chat: bool, /) -> Rater:
        """Open it; `chat`: prompts are rendered chats."""
        ...


class OpenFunction(Protocol):
    """Gives the processes of a function of the user's, started at the first call."""

    def __call__(self, function: UserFunction, seconds: float, /) -> FunctionPool:
        """Open them; a call may take so many seconds."""
        ...
