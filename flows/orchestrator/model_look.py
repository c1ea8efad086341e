"""How a model is looked at (tasks/model_checks) beside a flow, and where its files then are.

The look imports torch and transformers, so in a run it is done by a child process.
"""

from __future__ import annotations

from pathlib import Path

from tasks.dag.runtime import home
from tasks.model_checks.question import Question
from tasks.policy.step import local_model
from tasks.processes.child import Child


def look_apart(question: Question) -> None:
    """Look at a model in a child process.

    Raises:
        UserError: it cannot be used so.
    """
    log = home() / "logs" / "model.log"
    with Child.module("tasks.model_checks.look:main", log=log) as child:
        child.call(question.to_json())


def files_of(base: str, revision: str) -> tuple[Path | None, bool]:
    """The folder with what there is of a model, and whether that is all of it.

    Args:
        base: A source as in `model.base`. Of a Hub id config.json alone is brought; a GGUF file
            has to be converted first.
        revision: Of a Hub id.
    """
    if base.startswith("package:"):
        return None, False
    path = local_model(base)
    if path is not None:
        return (path, True) if path.is_dir() else (None, False)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(base, "config.json", revision=revision)).parent, False
    except Exception:  # the step that brings the model says what is wrong
        return None, False
