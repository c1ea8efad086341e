"""How far a fine-tune is, on disk: whole checkpoints, the best weights, the end.

A kill or a power cut may strike between any two system calls. A checkpoint counts only with its
marker, which is written when the other files are synced and lists their sizes; anything else is
deleted at the next start. Weights and final state are written under another name, synced and
renamed. What they supersede is deleted after that.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.durable import make_folders, put_durably, sync_folder, sync_tree, write_durably
from tasks.facts import Facts
from tasks.finetune.load_model import is_split
from tasks.finetune.results import HistoryEntry
from tasks.processes.wire import Message

if TYPE_CHECKING:
    import torch

CHECKPOINT_MARKER = "whole.json"
FINISHED = "finished.json"


@dataclass
class TrainingState(Facts):
    """What a fine-tune remembers beside weights, optimiser and random state.

    Attributes:
        best_step: Step of the weights to keep so far, by the rule of the choice; 0: none yet.
        best_reward: Their validation reward; None without validation.
        misses: Checks since the best one.
        loss_sum: Of the steps since the last entry of the history.
        loss_steps: How many these are.
        steps: Steps taken, set at the end.
        held: Steps of further weights that may be kept yet, and of those kept, where there are any.
        sampled: Sums of what a trainer that draws samples knows of the same steps as the loss.
    """

    history: list[HistoryEntry] = field(default_factory=list)
    best_step: int = 0
    best_reward: float | None = None
    misses: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    steps: int = 0
    held: list[int] = field(default_factory=list)
    sampled: dict[str, float] = field(default_factory=dict)

    @property
    def needed(self) -> set[int]:
        """Steps whose weights must be there."""
        return {*self.held, *([self.best_step] if self.best_step else [])}


class CheckpointFolder:
    """The files of one fine-tune in its work folder."""

    def __init__(self, work: Path) -> None:
        """Use `work`, which outlives a kill."""
        self._work = work
        self.folder = work / "checkpoints"

    def claim(self, identity: str) -> None:
        """Make sure that what lies here belongs to this job; clear it away otherwise."""
        owner = self._work / "job.txt"
        if not owner.exists() or owner.read_text(encoding="utf-8") != identity:
            make_folders(self._work)
            # Nobody's while it is cleared, and nobody's may come back under the new name.
            owner.unlink(missing_ok=True)
            sync_folder(self._work)
            for path in (self.folder, self._work / "packed"):
                shutil.rmtree(path, ignore_errors=True)
            for path in [self._work / FINISHED, *self._work.glob("best-*")]:
                path.unlink(missing_ok=True)
            sync_folder(self._work)
            write_durably(owner, identity)

    def latest(self) -> tuple[Path, TrainingState] | None:
        """The newest whole checkpoint; half-written ones are deleted."""
        whole: dict[int, tuple[Path, TrainingState]] = {}
        for folder in self.folder.glob("checkpoint-*"):
            try:
                marker = json.loads((folder / CHECKPOINT_MARKER).read_text(encoding="utf-8"))
                course = TrainingState.from_json(marker["course"], CHECKPOINT_MARKER)
                if marker["sizes"] != _sizes(folder) or not self._has_best(course):
                    raise ValueError("incomplete")
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            whole[int(folder.name.split("-")[1])] = folder, course
        return whole[max(whole)] if whole else None

    def seal(self, folder: Path, course: TrainingState) -> None:
        """Declare a checkpoint whole, then delete what it supersedes."""
        marker = {"sizes": _sizes(folder), "course": course.to_json()}
        sync_tree(folder)
        write_durably(folder / CHECKPOINT_MARKER, json.dumps(marker))
        sync_folder(self.folder)
        sync_folder(self._work)
        for other in self.folder.glob("checkpoint-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        needed = {self.best(step) for step in course.needed}
        for path in self._work.glob("best-*"):
            if path not in needed:
                path.unlink(missing_ok=True)

    def best(self, step: int) -> Path:
        """Where the trained weights of a step are kept."""
        return self._work / f"best-{step}.safetensors"

    def keep(self, step: int, weights: dict[str, torch.Tensor]) -> None:
        """Save trained weights as those of `step`."""
        from safetensors.torch import save_file

        draft = self.best(step).with_suffix(".tmp")
        save_file({name: value.contiguous().cpu() for name, value in weights.items()}, draft)
        put_durably(draft, self.best(step))

    def finish(self, course: TrainingState) -> None:
        """Declare training finished; only the export is left to do."""
        write_durably(self._work / FINISHED, json.dumps(course.to_json()))
        shutil.rmtree(self.folder, ignore_errors=True)

    def finished(self) -> TrainingState | None:
        """The course of a finished training, or None."""
        path = self._work / FINISHED
        return (
            TrainingState.from_json(json.loads(path.read_text(encoding="utf-8")), FINISHED)
            if path.exists()
            else None
        )

    def _has_best(self, course: TrainingState) -> bool:
        return all(self.best(step).exists() for step in course.needed)


def _sizes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((CHECKPOINT_MARKER, f".{CHECKPOINT_MARKER}"))
    }


def identity_of(job: Message) -> str:
    """What a checkpoint must have been made from to be of use to this job."""
    with Path(job["rows"]).open("rb") as file:
        rows = hashlib.file_digest(file, "sha256").hexdigest()
    # Weights may be many gigabytes, so their sizes have to do; the caller keeps one work folder
    # for each start model anyway.
    model = sorted((path.name, path.stat().st_size) for path in Path(job["model"]).glob("*.*"))
    parts = [job["settings"], job["seed"], job["validation"], rows, model]
    if "reward" in job:
        parts.append(job["reward"])
    if is_split(job["resources"]):
        parts.append("fsdp, in parts")  # its checkpoints are laid out in another way
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest() + "\n"
