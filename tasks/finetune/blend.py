"""A policy between two others: its weights are a mean of theirs (`finetune.blend`).

Fine-tuning on samples that a checker accepted makes a policy surer and its samples more alike:
pass@1 rises while pass@k falls. A mean of the weights before and after keeps most of the one and
wins back most of the other (WiSE-FT; Dang et al., arXiv 2504.10478, section 4).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import BLEND
from tasks.errors import StepError
from tasks.finetune.results import TrainingFacts
from tasks.processes.child import Child
from tasks.processes.wire import Message, Wire, answer_requests
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

if TYPE_CHECKING:
    import torch

OTHER, TUNED = "other", "tuned"
_WORKER = "tasks.finetune.blend:main"


def blend_call(label: str, tuned: ArtifactRef, other: ArtifactRef, share: float) -> Call:
    """The call that makes a policy between two.

    Args:
        label: Name of the task run.
        tuned: A fine-tuned policy.
        other: The base, or an earlier policy of the same shape.
        share: Weight of `tuned`, in [0, 1].
    """
    return Call(blend, label, {"share": share}, {OTHER: other, TUNED: tuned})


@step(BLEND, "model")
def blend(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write the policy, with the facts of the fine-tune that it comes from."""
    tuned = runtime.store.path(call.inputs[TUNED])
    out = runtime.work(call.key) / "out"
    shutil.rmtree(out, ignore_errors=True)
    job = {
        "other": str(runtime.store.path(call.inputs[OTHER])),
        "tuned": str(tuned),
        "share": call.settings["share"],
        "out": str(out),
    }
    with Child.module(_WORKER, log=runtime.logs / "finetune.log") as child:
        child.call(job)
    for path in sorted(out.iterdir()):
        shutil.move(str(path), draft.path / path.name)
    TrainingFacts.read(tuned).write(draft.path)
    draft.stats = Stats(note=f"{call.settings['share']:g} of the tuned weights")


def blend_folders(other: Path, tuned: Path, share: float, out: Path) -> None:
    """Write a model folder whose weights lie between those of two others.

    Args:
        other: Folder of the policy that has 1 - `share` of the weight.
        tuned: Folder of the other one; formats and companion files are its own.
        share: 0 gives the weights of `other` and 1 those of `tuned`, bit by bit.
        out: Folder to write.

    Raises:
        StepError: the two are not of one shape.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from tasks.finetune.export import write_policy

    before, model = (
        AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", use_safetensors=True, trust_remote_code=False
        )
        for folder in (other, tuned)
    )
    before = before.state_dict()
    after = model.state_dict()
    if {n: w.shape for n, w in before.items()} != {n: w.shape for n, w in after.items()}:
        raise StepError("finetune.blend: the two policies are not of one shape")
    with torch.no_grad():
        mixed = {name: _mixed(before[name], after[name], share) for name in after}
        for name, weight in model.state_dict(keep_vars=True).items():
            weight.data = mixed[name]  # the files of `tuned` stay as they are
    model.tie_weights()
    write_policy(model, tuned, out)


def _mixed(before: torch.Tensor, after: torch.Tensor, share: float) -> torch.Tensor:
    if share in (0.0, 1.0) or not after.is_floating_point():
        return (before if share == 0.0 else after).to(after.dtype).clone()
    return before.float().lerp(after.float(), share).to(after.dtype)


def main(wire: Wire) -> None:
    """Work in a child process, so that the memory it takes is free afterwards."""
    answer_requests(wire, _handle)


def _handle(job: Message, wire: Wire) -> Message:
    blend_folders(Path(job["other"]), Path(job["tuned"]), job["share"], Path(job["out"]))
    return {}
