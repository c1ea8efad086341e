"""The models of a run are looked at before the first work that needs them, and at the dry run.

What is cached needs no model, so nothing is looked at for it.
"""

from __future__ import annotations

import threading
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.judge import FIELD as JUDGE
from flows.orchestrator.model_look import files_of
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.dag.runtime import home
from tasks.dag.step import Call
from tasks.dag.step_names import FINETUNE, GENERATE
from tasks.generate.vllm_environment import python_of
from tasks.model_checks.machine import this_machine
from tasks.model_checks.question import Question, Shortest
from tasks.policy.step import base_model
from tasks.prompts import PromptChoice, PromptTemplate
from tasks.rows import Row
from tasks.store.store import ArtifactRef

BASE, TEACHER = "model.base", "sampling.teacher"
_POLICY = "model"  # kind of the artifacts that are models


class ModelLook:
    """Tells a caller to look at the models of one run."""

    def __init__(
        self,
        config: RestEmConfig,
        caller: Caller,
        template: PromptTemplate,
        splits: dict[str, list[Row]],
    ) -> None:
        """Looks at nothing yet; from now on `caller` asks before it does work.

        Args:
            config: Of the run.
            caller: Does the work, and looks.
            template: Of the prompts.
            splits: The problems.
        """
        self._config, self._caller = config, caller
        self._template, self._splits = template, splits
        self._known: dict[str, ArtifactRef] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()  # calls are made in threads
        caller.before_work = self

    def known(self, field: str, model: ArtifactRef) -> ArtifactRef:
        """What a field names, as an artifact, given back; a model of ours is looked at."""
        hosted = field == TEACHER and self._config.sampling.hosted_teacher
        if model.kind == _POLICY and not hosted:
            self._known[field] = model
        return model

    def __call__(self, call: Call) -> None:
        """Look, before a call is done.

        Raises:
            UserError: a model cannot be used as the run will use it.
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
            self._caller.look(self._question(field, folder, whole=whole))
            if whole:
                self._seen.add(field)

    def _question(self, field: str, folder: Path, *, whole: bool) -> Question:
        config, model = self._config, self._config.model
        resources = config.resources
        engine = config.sampling.engine
        prompt = PromptChoice(_whole(model.prompt), model.system, model.thinking)
        if field == JUDGE:  # it has a template of its own; of which form is what matters here
            form = load_judge_prompt(config.judge.prompt).form
            prompt = PromptChoice("chat" if form == "chat" else "notes")
        here = engine == "vllm" and not resources.endpoints and not resources.ray_address
        return Question(
            folder=str(folder),
            whole=whole,
            field=field,
            engine=engine,
            dtype=model.dtype,
            max_tokens=config.judge.reason_tokens if field == JUDGE else config.sampling.max_tokens,
            prompt=prompt,
            resources=resources,
            shortest=None if field == JUDGE else self._shortest(),
            finetune=config.finetune if field == BASE else None,
            machine=None if resources.ray_address else this_machine(),
            vllm_python=str(python_of(home())) if here else "",
        )

    def _shortest(self) -> Shortest | None:
        rows = [row for split in self._splits.values() for row in split]
        if not rows:
            return None
        row = min(rows, key=lambda one: len(one["question"]))
        model, most = self._config.model, self._template.shots
        shots = most if model.shots < 0 else model.shots
        tuned = model.tuned_shots if model.tuned_shots >= 0 else shots
        return Shortest(row["question"], row["subject"], shots, tuned)


def _whole(prompt: str) -> str:
    """A template's name, or its whole path: the look is made in another folder."""
    return str(Path(prompt).expanduser().absolute()) if prompt.endswith(".toml") else prompt
