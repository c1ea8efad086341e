"""What a run will ask of a model: the settings that decide whether it can, and on what machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tasks.model_checks.machine import Machine
from tasks.prompts import PromptChoice
from tasks.rows import Json
from tasks.settings import FinetuneSettings, Resources


@dataclass(frozen=True)
class Shortest:
    """The problem with the shortest question, and what its prompt is made with.

    Attributes:
        question: Its text.
        subject: Of the problem.
        shots: Exemplars in the prompt that is sampled from.
        tuned_shots: Exemplars in the prompt that is trained on.
    """

    question: str
    subject: str = ""
    shots: int = 0
    tuned_shots: int = 0


@dataclass(frozen=True)
class Fields:
    """What the configuration calls what a model may not fit, for messages; a run's names.

    Attributes:
        engine: Of sampling.
        dtype: Number format in sampling.
        max_tokens: Of a completion.
        prompt: The template.
        remedy: In the place of fewer tokens, where nobody chooses how many.
    """

    engine: str = "sampling.engine"
    dtype: str = "model.dtype"
    max_tokens: str = "sampling.max_tokens"
    prompt: str = "model.prompt"
    remedy: str = ""


OF_RUNS = Fields()


@dataclass(frozen=True)
class Question:
    """Can this model be used so?

    Attributes:
        folder: With what there is of the model: all its files, or config.json alone.
        whole: Whether all its files are there.
        field: Which names the model.
        engine: transformers or vllm.
        dtype: Number format in sampling.
        max_tokens: Of a completion.
        prompt: The template.
        shortest: The shortest prompt; None: not known.
        finetune: How it is trained; None: not at all.
        resources: Where and how fast.
        machine: What there is; None: the work is done elsewhere.
        vllm_python: The Python that has vLLM; "": none, or not this machine's.
        fields: Names of what stands above.
    """

    folder: str
    whole: bool
    field: str
    engine: str
    dtype: str
    max_tokens: int
    prompt: PromptChoice
    resources: Resources
    shortest: Shortest | None = None
    finetune: FinetuneSettings | None = None
    machine: Machine | None = None
    vllm_python: str = ""
    fields: Fields = OF_RUNS

    def to_json(self) -> dict[str, object]:
        """Plain JSON for the wire."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return plain | {
            "prompt": self.prompt.hints(),
            "resources": self.resources.model_dump(),
            "shortest": self.shortest and asdict(self.shortest),
            "finetune": self.finetune and self.finetune.model_dump(),
            "machine": self.machine and asdict(self.machine),
            "fields": asdict(self.fields),
        }

    @classmethod
    def from_json(cls, raw: Json) -> Question:
        """The inverse of `to_json`."""
        machine = raw["machine"]
        return cls(
            **{name: raw[name] for name in _PLAIN},
            prompt=PromptChoice.of(raw["prompt"]),
            resources=Resources(**raw["resources"]),
            shortest=Shortest(**raw["shortest"]) if raw["shortest"] else None,
            finetune=FinetuneSettings(**raw["finetune"]) if raw["finetune"] else None,
            machine=Machine(machine["memory"], tuple(machine["gpus"])) if machine else None,
            fields=Fields(**raw["fields"]),
        )


_PLAIN = ("folder", "whole", "field", "engine", "dtype", "max_tokens", "vllm_python")
