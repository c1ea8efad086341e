"""What happens between optimiser steps: loss history, validation reward, checkpoints, stopping.

"Train only while reward on a validation split improves" (arXiv 2312.06585, section 3): the reward
is measured `checks` times, evenly spaced and at the end. The weights of one check are kept, by the
rule of choose.py; training stops after `patience` checks without a better one. The start model is
not measured: the E-step needs a trained policy even where the first steps cost reward.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from tasks.decoding.request import Sampling
from tasks.finetune.checkpoints import CheckpointFolder, TrainingState
from tasks.finetune.choose import best, kept, may_be_kept
from tasks.finetune.common import QuietTrainer
from tasks.finetune.number_format import Rounding
from tasks.finetune.process_group import Ranks
from tasks.finetune.results import Choose, HistoryEntry
from tasks.finetune.validation_texts import Solver
from tasks.processes.wire import Message
from tasks.rows import Json
from tasks.settings import FinetuneSettings

# The loss history has about so many entries, however long the training.
LOSS_POINTS = 100
# Where saving a checkpoint takes longer (seconds), training goes on at least so many times as long
# before the next: optimiser states of a large model are many times its size.
QUICK_SAVE = 30.0
SAVE_SHARE = 10


class TrainingCallback(TrainerCallback):
    """Called by the trainer after every optimiser step and every checkpoint."""

    def __init__(
        self,
        course: TrainingState,
        checkpoints: CheckpointFolder,
        settings: FinetuneSettings,
        *,
        total: int,
        validate: Callable[[], list[float]] | None,
        minutes: float,
        progress: Callable[[int, int], None] | None,
        alive: Callable[[], None] | None = None,
        noted: Callable[[HistoryEntry], None] = lambda _: None,
    ) -> None:
        """TrainingCallback a training of `total` steps.

        Args:
            course: Where it stands; changed in place.
            checkpoints: Where checkpoints and best weights lie.
            settings: `checks`, `patience` and `choose` are used.
            total: Optimiser steps if nothing stops it.
            validate: Measures the reward of the model as it is on each validation problem; None for
                never.
            minutes: Time between checkpoints where checks are further apart.
            progress: Told the steps done and `total`.
            alive: Told after each forward pass.
            noted: Told of each entry of the history.
        """
        self.trainer: QuietTrainer | None = None
        self.seconds = {"validation": 0.0, "checkpoints": 0.0}
        self._ranks = Ranks()
        self._course = course
        self._checkpoints = checkpoints
        self._patience = settings.patience
        self._rule: Choose = settings.choose
        self._total = total
        self._validate = validate
        self._minutes = minutes
        self._progress = progress
        self._alive = alive
        self._noted = noted
        self._every = max(1, total // LOSS_POINTS)
        self._checks = check_steps(settings.checks, total) if validate else set()
        self._saved = time.monotonic()
        self._save_began = self._save_seconds = 0.0

    def on_substep_end(  # noqa: D102
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        if self._alive:
            self._alive()

    def on_step_end(  # noqa: D102 - TrainerCallback's interface
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        course, step = self._course, state.global_step
        self._record_loss(step)
        over = step >= self._total
        if step in self._checks:
            over = self._check(step) or over
        if over:
            if not course.best_step or self._rule == "last":
                self._save(step)
                course.best_step = step
            course.steps = step
            self._ranks.tell(lambda: self._checkpoints.finish(course))
            control.should_training_stop = True
        elif self._is_due(step in self._checks):
            control.should_save = True
            self._save_began = time.monotonic()
        if self._progress:
            self._progress(step, self._total)

    def on_save(  # noqa: D102
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self._ranks.meet()  # each process writes its part of a checkpoint
        self._ranks.tell(lambda: self._checkpoints.seal(folder, self._course))
        self._saved = time.monotonic()
        self._save_seconds = self._saved - self._save_began
        self.seconds["checkpoints"] += self._save_seconds

    def _is_due(self, checked: bool) -> bool:
        """Whether a checkpoint is, by the first process's clock.

        Args:
            checked: Whether validation was just paid for.
        """

        def due() -> bool:
            since = time.monotonic() - self._saved
            affordable = since >= SAVE_SHARE * self._save_seconds or self._save_seconds < QUICK_SAVE
            return affordable and (checked or since >= 60 * self._minutes)

        return self._ranks.tell(due)

    def _record_loss(self, step: int) -> None:
        course, trainer = self._course, self.trainer
        assert trainer is not None
        # Each process's loss is its share times their number.
        course.loss_sum += self._ranks.total(trainer.take_loss_sum()) / self._ranks.count
        course.loss_steps += 1
        for name, value in trainer.take_sampled().items():
            course.sampled[name] = course.sampled.get(name, 0.0) + value
        if step % self._every == 0 or step == self._total:
            steps = course.loss_steps
            sampled = {name: total / steps for name, total in course.sampled.items()}
            entry = HistoryEntry(
                step,
                loss=course.loss_sum / steps,
                sampled_reward=sampled.get("sampled_reward"),
                kl=sampled.get("kl"),
            )
            course.history.append(entry)
            self._noted(entry)
            course.loss_sum, course.loss_steps, course.sampled = 0.0, 0, {}

    def _check(self, step: int) -> bool:
        """Measure, keep the weights if the rule says so, and say whether to stop."""
        course = self._course
        assert self._validate is not None
        began = time.monotonic()
        rewards = self._validate()
        self.seconds["validation"] += time.monotonic() - began
        reward = float(sum(rewards) / len(rewards))
        paired = rewards if self._rule == "one_se" else None
        entry = HistoryEntry(step, reward=reward, rewards=paired)
        course.history.append(entry)
        self._noted(entry)
        course.misses = 0 if best(course.history) is entry else course.misses + 1
        found = kept(course.history, self._rule)
        assert found is not None
        course.best_reward = found.reward
        if self._rule == "last":
            return False  # its weights are those of the end
        if self._rule == "one_se":
            course.held = sorted(may_be_kept(course.history, self._rule))
        if found is entry or step in course.held:
            self._save(step)
        course.best_step = found.step
        return course.misses >= self._patience

    def _save(self, step: int) -> None:
        """Write the weights as they are to where those of `step` are kept."""
        assert self.trainer is not None
        weights = trained_weights(self.trainer.trained_model, self.trainer.rounding)
        self._ranks.tell(lambda: self._checkpoints.keep(step, weights))


def check_steps(checks: int, total: int) -> set[int]:
    """The steps after which validation reward is measured: evenly spaced, the last one included."""
    return {max(1, round(total * i / checks)) for i in range(1, checks + 1)}


def trained_weights(model: PreTrainedModel, rounding: Rounding) -> dict[str, torch.Tensor]:
    """The weights that training changes, by name (tied ones once), rounded as they are exported.

    Adapters are not rounded: what is, is their sum with the weights.

    Where each process has a part, all must call this, and the first gets the whole, on the CPU.
    """
    first = Ranks().first
    weights: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            weight = parameter.detach().to(rounding.kept(name))
            if gather := getattr(weight, "full_tensor", None):
                weight = gather().cpu() if first else gather()
            if first:
                weights[name] = weight
    return weights


def validator(
    trainer: QuietTrainer,
    tokenizer: PreTrainedTokenizerBase,
    validation: Json,
    ask: Callable[[Message], Message],
    split: bool = False,
    alive: Callable[[], None] | None = None,
) -> Callable[[], list[float]]:
    """A function that solves the validation prompts greedily and asks for their rewards.

    Args:
        trainer: Whose model, as it then is, solves them.
        validation: prompts, max_tokens, stop and batch_size, and of chats ends.
        ask: Answers {"score": [text, ...]} with {"rewards": [number, ...]}.
        split: Whether each process has a part of the model.
        alive: Told while problems are solved.

    Returns:
        The function, which all processes must call: all solve, and the first asks.
    """
    prompts = validation["prompts"]
    ends = tuple(validation.get("ends", ()))
    solver = Solver(
        tokenizer,
        prompts,
        Sampling(
            temperature=0.0,
            max_tokens=validation["max_tokens"],
            stop=tuple(validation["stop"]),
            ends=ends,
            special=bool(ends),
        ),
        rows=validation["batch_size"],
        rounding=trainer.rounding,
        split=split,
        alive=alive,
    )
    ranks = Ranks()

    def measure() -> list[float]:
        texts = solver.texts(trainer.plain_model)
        return ranks.tell(lambda: judge(texts))

    def judge(texts: list[str]) -> list[float]:
        rewards = ask({"score": texts})["rewards"]
        if len(rewards) != len(prompts):
            raise ValueError(f"{len(prompts)} validation texts but {len(rewards)} rewards")
        return rewards

    return measure
