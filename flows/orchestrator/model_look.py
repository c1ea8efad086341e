"""Models are looked at (tasks/model_checks) before the first work that needs them.

What is cached needs no model, so nothing is looked at for it. The look imports torch and
transformers, so beside a flow it is made by a child process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.orchestrator.caller import Caller
from tasks.dag.runtime import home
from tasks.dag.step import Call
from tasks.dag.step_names import FINETUNE, GENERATE
from tasks.generate.vllm_environment import python_of
from tasks.hub import repository
from tasks.model_checks.machine import this_machine
from tasks.model_checks.question import OF_RUNS, Fields, Question, Shortest
from tasks.policy.step import base_model, local_model
from tasks.processes.child import Child
from tasks.prompts import PromptChoice
from tasks.rows import Row
from tasks.settings import FinetuneSettings, Resources
from tasks.store.store import ArtifactRef

BASE = "model.base"
_POLICY = "model"  # kind of the artifacts that are models


@dataclass(frozen=True)
class Use:
    """What a model will be asked: prompts that it continues, and rows that it is trained on.

    Attributes:
        prompt: The template.
        max_tokens: Of a completion.
        shortest: The shortest prompt; None: there are no problems.
        fields: What the configuration calls these.
        finetune: How it is trained; None: not at all.
    """

    prompt: PromptChoice
    max_tokens: int
    shortest: Shortest | None
    fields: Fields = OF_RUNS
    finetune: FinetuneSettings | None = None


class ModelLook:
    """Tells a caller to look at the models that fields of a configuration name."""

    def __init__(
        self,
        caller: Caller,
        *,
        engine: str,
        dtype: str,
        resources: Resources,
        uses: Callable[[str], Sequence[Use]],
    ) -> None:
        """Looks at nothing yet; from now on `caller` asks before it does work.

        Args:
            caller: Does the work, and looks.
            engine: Of sampling.
            dtype: Its number format.
            resources: Where and how fast.
            uses: Of the model that a field names.
        """
        self._caller, self._engine, self._dtype = caller, engine, dtype
        self._resources, self._uses = resources, uses
        self._known: dict[str, ArtifactRef] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()  # calls are made in threads
        caller.before_work = self

    def known(self, field: str, model: ArtifactRef) -> ArtifactRef:
        """What a field names, as an artifact, given back; a model is looked at."""
        if model.kind == _POLICY:
            self._known[field] = model
        return model

    def __call__(self, call: Call) -> None:
        """Look, before a call is done.

        Raises:
            UserError: a model cannot be used as it will be.
        """
        if call.step is base_model:
            base, revision = call.hints["base"], call.hints["revision"]
            field = call.hints.get("field", BASE)
            folder, whole = files_of(base, revision)
            if folder is None:
                self._caller.warn(
                    f"{field}: {base} is looked at when it is here; its config.json is not to be "
                    "had now"
                )
            else:
                self._look(field, folder, whole=whole)
        elif call.step.name in (GENERATE, FINETUNE):
            for field, model in self._known.items():
                if not self._caller.pending(model):
                    self._look(field, self._caller.store.path(model), whole=True)

    def _look(self, field: str, folder: Path, *, whole: bool) -> None:
        with self._lock:
            if field in self._seen:
                return
            uses = self._uses(field)
            if uses:
                asked = (self._question(field, folder, one, whole=whole) for one in uses)
                self._caller.look(*asked)
            if whole:
                self._seen.add(field)

    def _question(self, field: str, folder: Path, use: Use, *, whole: bool) -> Question:
        resources, engine = self._resources, self._engine
        here = engine == "vllm" and not resources.endpoints and not resources.ray_address
        return Question(
            folder=str(folder.absolute()),  # the look is made in another one
            whole=whole,
            field=field,
            engine=engine,
            dtype=self._dtype,
            max_tokens=use.max_tokens,
            prompt=_whole(use.prompt),
            resources=resources,
            shortest=use.shortest,
            finetune=use.finetune,
            machine=None if resources.ray_address else this_machine(),
            vllm_python=str(python_of(home())) if here else "",
            fields=use.fields,
        )


def shortest_of(rows: Iterable[Row], shots: int, tuned_shots: int = 0) -> Shortest | None:
    """The problem with the shortest question, and what its prompt is made with.

    Args:
        rows: Problems.
        shots: Exemplars in the prompt that is sampled from.
        tuned_shots: In the one that is trained on.
    """
    row = min(rows, key=lambda one: len(one["question"]), default=None)
    if row is None:
        return None
    return Shortest(row["question"], row["subject"], shots, tuned_shots)


def look_apart(questions: Sequence[Question]) -> None:
    """Look at models in a child process.

    Raises:
        UserError: one cannot be used so.
    """
    log = home() / "logs" / "model.log"
    with Child.module("tasks.model_checks.look:main", log=log) as child:
        for question in questions:
            child.call(question.to_json())


def files_of(base: str, revision: str) -> tuple[Path | None, bool]:
    """The folder with what there is of a model, and whether that is all of it.

    Args:
        base: A source as in `model.base`. Of a Hub id config.json alone is brought; a GGUF file
            has to be converted first.
        revision: Of a Hub id that names none.
    """
    if base.startswith("package:"):
        return None, False
    path = local_model(base)
    if path is not None:
        return (path, True) if path.is_dir() else (None, False)
    from huggingface_hub import hf_hub_download

    try:
        repo = repository(base, revision)
        assert repo is not None  # else `local_model` had refused it
        file = hf_hub_download(repo.id, "config.json", revision=repo.revision)
        return Path(file).parent, False
    except Exception:  # the step that brings the model says what is wrong
        return None, False


def _whole(prompt: PromptChoice) -> PromptChoice:
    """A template's name, or its whole path: the look is made in another folder."""
    if not prompt.name.endswith(".toml"):
        return prompt
    return replace(prompt, name=str(Path(prompt.name).expanduser().absolute()))
